"""Dual encoders of one's own: a ``transformers`` folder (CLIP, SigLIP and their kin), or open_clip.

Nothing is fetched and nothing is unpickled: a folder must hold ``config.json``, weights as
safetensors and a tokenizer.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional

from backend.errors import BadRequest
from backend.gap.encoder import MOST_WORDS, Pieces
from backend.gap.pairs import unit_rows
from backend.gap.preparation import preparation, read_json
from backend.protocols import F32, U8
from backend.registry.kinds import check_transformers

BATCH: Final = 32
FULL: Final = ("siglip",)  # trained on texts padded to the full length


class TransformersEncoder:
    """A folder written by ``save_pretrained`` of a dual encoder and its tokenizer.

    It is an :class:`backend.gap.encoder.Encoder`, with whitespace between its words, and the mean
    colour of its preparation, a grey, where a place is not given.

    Attributes:
        title: what people call it.

    Raises:
        BadRequest: the folder lacks a file, or its model has no image and text features.
    """

    def __init__(self, folder: Path, device: str = "cpu") -> None:
        config = read_json(folder / "config.json")
        kind = str(config.get("model_type", ""))
        _check(folder, kind)
        self.title = f"{folder.name} ({kind})"
        self._name, self._device, self._is_full = folder.name, device, kind in FULL
        self._prepare = preparation(folder, kind, config)
        self._model, self._tokenizer = _opened(folder)
        self._model.to(device)
        # A text is read by one thread at a time: `of_vectors` puts its own vectors into the model.
        self._reading = threading.Lock()

    def images(self, pictures: Sequence[U8]) -> F32:
        """See :class:`backend.gap.encoder.PairEncoder`."""
        found = []
        with torch.inference_mode():
            for start in range(0, len(pictures), BATCH):
                pixels = self._prepare(pictures[start : start + BATCH])
                found.append(self._features(pixels).float().cpu().numpy())
        return unit_rows(np.concatenate(found))

    def texts(self, texts: Sequence[str]) -> F32:
        """See :class:`backend.gap.encoder.PairEncoder`."""
        found = []
        with torch.inference_mode():
            for start in range(0, len(texts), BATCH):
                part = list(texts[start : start + BATCH])
                told = self._tokenizer(part, truncation=True, max_length=self._most)
                with self._reading:
                    found.append(self._read(self._padded(told["input_ids"])).cpu().numpy())
        return unit_rows(np.concatenate(found))

    # ---- what maps of words and places ask

    @property
    def empty(self) -> Tensor:
        """(3, 1, 1) in [0, 1]: the colour that the model's own preparation takes to zero."""
        return torch.tensor(self._prepare.mean, dtype=torch.float32).view(-1, 1, 1).expand(3, 1, 1)

    @property
    def nothing(self) -> Tensor:
        """(e,) vector of a masked word; zero where the tokenizer knows none."""
        table = self._embedding().weight
        mask = self._tokenizer.mask_token_id
        return torch.zeros_like(table[0]) if mask is None else table[mask].detach()

    def pixels(self, picture: U8) -> Tensor:
        """See :class:`backend.gap.encoder.Encoder`."""
        return self._prepare.pixels(picture)

    def of_pixels(self, pixels: Tensor) -> Tensor:
        """See :class:`backend.gap.encoder.Encoder`."""
        found = self._features(self._prepare.normalised(pixels))
        return functional.normalize(found.float(), dim=-1).cpu()

    def pieces(self, caption: str) -> Pieces:
        """See :class:`backend.gap.encoder.Encoder`; words lie between spaces."""
        if not self._tokenizer.is_fast:
            raise BadRequest(
                f"The tokenizer of {self._name} does not say where its words lie.",
                "Save the fast tokenizer with tokenizer.save_pretrained(folder).",
            )
        told = self._tokenizer(
            caption, truncation=True, max_length=self._most, return_offsets_mapping=True
        )
        # A token may begin at the space before its word, so its last letter says where it belongs.
        ends = [stop - 1 if stop > start else -1 for start, stop in told["offset_mapping"]]
        words, spans = [], []
        for word in re.finditer(r"\S+", caption):
            mine = [i for i, end in enumerate(ends) if word.start() <= end < word.end()]
            if mine:
                words.append(word[0])
                spans.append((mine[0], mine[-1] + 1))
        content = tuple(end >= 0 for end in ends)
        return Pieces(
            tuple(words[:MOST_WORDS]), tuple(spans[:MOST_WORDS]), tuple(told["input_ids"]), content
        )

    def of_ids(self, ids: Sequence[Sequence[int]]) -> Tensor:
        """See :class:`backend.gap.encoder.Encoder`."""
        with self._reading:
            return functional.normalize(self._read(self._padded(ids)), dim=-1).cpu()

    def table(self, ids: Sequence[int]) -> Tensor:
        """See :class:`backend.gap.encoder.Encoder`."""
        table = self._embedding().weight
        return table[torch.tensor(list(ids), device=table.device)].detach()

    def of_vectors(self, vectors: Tensor, ids: Sequence[int]) -> Tensor:
        """See :class:`backend.gap.encoder.Encoder`."""
        given = self._padded([ids] * len(vectors))
        first = self._first(given["input_ids"].shape[1], len(ids))
        with self._reading, _put(self._embedding(), vectors, first):
            return functional.normalize(self._read(given), dim=-1).cpu()

    # ---- the model itself

    @property
    def _most(self) -> int:
        return int(self._model.config.text_config.max_position_embeddings)

    def _padded(self, ids: Sequence[Sequence[int]]) -> dict[str, Tensor]:
        """Texts (b, t) of one length, and where they are if the tokenizer says that it counts."""
        longest = self._most if self._is_full else max(len(one) for one in ids)
        padded = torch.full((len(ids), longest), self._tokenizer.pad_token_id or 0)
        mask = torch.zeros_like(padded)
        for row, one in enumerate(ids):
            first = self._first(longest, len(one))
            padded[row, first : first + len(one)] = torch.tensor(list(one))
            mask[row, first : first + len(one)] = 1
        given = {"input_ids": padded}
        if "attention_mask" in self._tokenizer.model_input_names:
            given["attention_mask"] = mask
        return {name: one.to(self._device) for name, one in given.items()}

    def _first(self, longest: int, length: int) -> int:
        """Where a text begins among its padding."""
        return longest - length if self._tokenizer.padding_side == "left" else 0

    def _read(self, given: dict[str, Tensor]) -> Tensor:
        return _pooled(self._model.get_text_features(**given)).float()

    def _features(self, prepared: Tensor) -> Tensor:
        return _pooled(self._model.get_image_features(pixel_values=prepared.to(self._device)))

    def _embedding(self) -> nn.Embedding:
        """The table of word vectors.

        Raises:
            BadRequest: the model has none that is known.
        """
        tower: Any = getattr(self._model, "text_model", None)
        found = tower.get_input_embeddings() if hasattr(tower, "get_input_embeddings") else None
        if not isinstance(found, nn.Embedding):
            raise BadRequest(
                f"{self._name} does not say where its word vectors lie.", "Choose occlusion."
            )
        return found


@contextmanager
def _put(table: nn.Embedding, vectors: Tensor, first: int) -> Iterator[None]:
    """Within the block the table answers with ``vectors`` (b, t, e) from place ``first`` on."""

    def answer(module: nn.Module, given: Any, found: Tensor) -> Tensor:
        del module, given
        stop = first + vectors.shape[1]
        return torch.cat([found[:, :first], vectors.to(found.device), found[:, stop:]], dim=1)

    hook = table.register_forward_hook(answer)
    try:
        yield
    finally:
        hook.remove()


def _check(folder: Path, kind: str) -> None:
    """Returns if a folder can be opened without running or unpickling anything of its own."""
    check_transformers(folder)
    if kind == "siglip2":
        raise BadRequest(
            f"{folder.name} takes pictures of any resolution as patches, which is not built here.",
            "Give a SigLIP 2 of one resolution: its config.json says siglip.",
        )


class OpenClipEncoder:
    """A model of the ``open_clip`` package with weights of a file; both are the user's own.

    Raises:
        BadRequest: the package is not installed or does not know the model (names of a hub are
            refused, since they are downloads), or the file does not hold its weights as
            safetensors.
    """

    def __init__(self, name: str, weights: Path) -> None:
        if weights.suffix != ".safetensors":
            raise BadRequest(f"{weights.name} is not a safetensors file.", "Convert it first.")
        try:
            import open_clip
        except ImportError as error:
            raise BadRequest(
                "The package open_clip_torch is not installed.", "pip install open_clip_torch"
            ) from error
        if name not in open_clip.list_models():
            raise BadRequest(
                f"open_clip has no model {name[:80]!r}.", "open_clip.list_models() names them."
            )
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        self.title = f"{name}, open_clip"
        self._model, _, self._prepare = open_clip.create_model_and_transforms(name)
        try:
            self._model.load_state_dict(load_file(weights))
        except (OSError, SafetensorError, RuntimeError) as error:
            raise BadRequest(
                f"{weights.name} does not hold the weights of {name}.",
                "Save its state_dict with safetensors.torch.save_file.",
            ) from error
        self._model.eval()
        self._tokenizer = open_clip.get_tokenizer(name)

    def images(self, pictures: Sequence[U8]) -> F32:
        """See :class:`backend.gap.encoder.PairEncoder`."""
        found = []
        with torch.inference_mode():
            for start in range(0, len(pictures), BATCH):
                part = [Image.fromarray(one) for one in pictures[start : start + BATCH]]
                made = torch.stack([self._prepare(one) for one in part])
                found.append(self._model.encode_image(made).numpy())
        return unit_rows(np.concatenate(found))

    def texts(self, texts: Sequence[str]) -> F32:
        """See :class:`backend.gap.encoder.PairEncoder`."""
        found = []
        with torch.inference_mode():
            for start in range(0, len(texts), BATCH):
                told = self._tokenizer(list(texts[start : start + BATCH]))
                found.append(self._model.encode_text(told).numpy())
        return unit_rows(np.concatenate(found))


def _opened(folder: Path) -> tuple[Any, Any]:
    try:
        from transformers import AutoModel, AutoTokenizer
    except ImportError as error:
        raise BadRequest("The package transformers is not installed.", "pip install it.") from error
    try:
        model = AutoModel.from_pretrained(folder, local_files_only=True, use_safetensors=True)
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise BadRequest(
            f"{folder.name} cannot be opened: {str(error).splitlines()[0][:160]}",
            "It must hold config.json, model.safetensors and the tokenizer.",
        ) from error
    if not hasattr(model, "get_image_features") or not hasattr(model, "get_text_features"):
        raise BadRequest(
            f"{folder.name} holds a {type(model).__name__}, which has not both images and texts.",
            "Give a CLIP, SigLIP or another dual encoder.",
        )
    return model.eval().float().requires_grad_(False), tokenizer


def _pooled(told: Any) -> Tensor:
    """Features (n, d): the library returns them as they are, or within an output object."""
    found: Tensor = told if isinstance(told, Tensor) else told.pooler_output
    return found
