"""Dual encoders of one's own: a ``transformers`` folder (CLIP, SigLIP and their kin), or open_clip.

Nothing is fetched and nothing is unpickled: a folder must hold ``config.json``, weights as
safetensors and a tokenizer. Pictures are prepared here from ``preprocessor_config.json``, because
the library's own preparation wants torchvision.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from backend.errors import BadRequest
from backend.gap.pairs import unit_rows
from backend.protocols import F32, U8

BATCH: Final = 32
SQUASHED: Final = ("siglip", "siglip2", "align")  # resized to the square, not cropped
CLIP_MEAN: Final = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD: Final = (0.26862954, 0.26130258, 0.27577711)


class PairEncoder(Protocol):
    """Puts pictures and texts into one space."""

    @property
    def title(self) -> str:
        """What people call it."""
        ...

    def images(self, pictures: Sequence[U8]) -> F32:
        """RGB bytes (h, w, 3) each to unit rows (n, d)."""
        ...

    def texts(self, texts: Sequence[str]) -> F32:
        """Texts to unit rows (n, d)."""
        ...


@dataclass(frozen=True, slots=True)
class Preparation:
    """How pictures become input: side in px, mean and deviation by channel, cropped or squashed."""

    side: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    is_squashed: bool

    def __call__(self, pictures: Sequence[U8]) -> torch.Tensor:
        """RGB bytes to (n, 3, side, side) float32."""
        made = np.stack([self._one(picture) for picture in pictures])
        return torch.from_numpy(made.transpose(0, 3, 1, 2).copy())

    def _one(self, picture: U8) -> NDArray[np.float32]:
        image = Image.fromarray(picture).convert("RGB")
        if self.is_squashed:
            image = image.resize((self.side, self.side), Image.Resampling.BICUBIC)
        else:
            scale = self.side / min(image.size)
            size = (round(image.width * scale), round(image.height * scale))
            image = image.resize(size, Image.Resampling.BICUBIC)
            left, top = (image.width - self.side) // 2, (image.height - self.side) // 2
            image = image.crop((left, top, left + self.side, top + self.side))
        values = np.asarray(image, np.float32) / 255.0
        scaled: F32 = ((values - np.array(self.mean)) / np.array(self.std)).astype(np.float32)
        return scaled


class TransformersEncoder:
    """A folder written by ``save_pretrained`` of a dual encoder and its tokenizer.

    Raises:
        BadRequest: the folder lacks a file, or its model has no image and text features.
    """

    def __init__(self, folder: Path) -> None:
        config = _json(folder / "config.json")
        kind = str(config.get("model_type", ""))
        if any("auto_map" in _json(path) for path in folder.glob("*.json")):
            raise BadRequest(
                f"{folder.name} brings code of its own, which is never run.",
                "Give a folder whose model transformers knows itself.",
            )
        if not list(folder.glob("*.safetensors")):
            raise BadRequest(
                f"{folder.name} holds no weights as safetensors.",
                "Write it with save_pretrained; pickled weights are never read.",
            )
        self.title = f"{folder.name} ({kind})"
        self._prepare = _preparation(folder, kind, config)
        self._model, self._tokenizer = _opened(folder)

    def images(self, pictures: Sequence[U8]) -> F32:
        """See :class:`PairEncoder`."""
        found = []
        with torch.inference_mode():
            for start in range(0, len(pictures), BATCH):
                pixels = self._prepare(pictures[start : start + BATCH])
                found.append(_pooled(self._model.get_image_features(pixel_values=pixels)))
        return unit_rows(np.concatenate(found))

    def texts(self, texts: Sequence[str]) -> F32:
        """See :class:`PairEncoder`."""
        found = []
        most = self._model.config.text_config.max_position_embeddings
        with torch.inference_mode():
            for start in range(0, len(texts), BATCH):
                part = list(texts[start : start + BATCH])
                # SigLIP was trained on texts padded to the full length, CLIP on short ones.
                pad = "max_length" if "siglip" in self._model.config.model_type else True
                told = self._tokenizer(
                    part, padding=pad, truncation=True, max_length=most, return_tensors="pt"
                )
                given = {k: v for k, v in told.items() if k in ("input_ids", "attention_mask")}
                found.append(_pooled(self._model.get_text_features(**given)))
        return unit_rows(np.concatenate(found))


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
        """See :class:`PairEncoder`."""
        found = []
        with torch.inference_mode():
            for start in range(0, len(pictures), BATCH):
                part = [Image.fromarray(one) for one in pictures[start : start + BATCH]]
                made = torch.stack([self._prepare(one) for one in part])
                found.append(self._model.encode_image(made).numpy())
        return unit_rows(np.concatenate(found))

    def texts(self, texts: Sequence[str]) -> F32:
        """See :class:`PairEncoder`."""
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
    return model.eval(), tokenizer


def _pooled(told: Any) -> NDArray[np.float32]:
    """Features (n, d): the library returns them as they are, or within an output object."""
    found = told if isinstance(told, torch.Tensor) else told.pooler_output
    return np.asarray(found.float().numpy(), np.float32)


def _preparation(folder: Path, kind: str, config: dict[str, Any]) -> Preparation:
    path = folder / "preprocessor_config.json"
    held = _json(path) if path.is_file() else {}
    vision = config.get("vision_config") or {}
    side = _side(held.get("crop_size") or held.get("size") or vision.get("image_size"))
    return Preparation(
        side,
        tuple(held.get("image_mean") or CLIP_MEAN),
        tuple(held.get("image_std") or CLIP_STD),
        kind in SQUASHED,
    )


def _side(given: Any) -> int:
    if isinstance(given, dict):
        given = given.get("height") or given.get("shortest_edge")
    return int(given or 224)


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadRequest(
            f"{path.parent.name} holds no readable {path.name}.", "Write it with save_pretrained."
        ) from error
    if not isinstance(found, dict):
        raise BadRequest(f"{path.name} of {path.parent.name} is no JSON object.")
    return found
