"""The bundled dual encoders: two frozen towers and trained heads, as :class:`Encoder`."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Final

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor

from backend.errors import BadRequest
from backend.gap import bundled, towers
from backend.gap.encoder import MOST_WORDS, Pieces
from backend.gap.spaces import BUNDLED
from backend.protocols import F32, U8
from models.cards import CARDS, read_card, verify_weights, weights_path
from models.dual_encoder import Heads, image_features, scaled
from models.text_encoder import mean_of

MASK: Final = 103  # MiniLM's token for a word that is not given


@lru_cache(maxsize=8)
def heads_of(key: str) -> Heads:
    """The trained heads of a bundled model, in eval mode, frozen.

    Raises:
        BadRequest: there is no such one.
        WeightsMismatch: the file is missing or not the card's.
    """
    if key not in BUNDLED:
        raise BadRequest(f"{key[:40]!r} is no bundled dual encoder.", f"{', '.join(BUNDLED)}.")
    card = read_card(CARDS / f"{key}.toml")
    verify_weights(card)
    with torch.inference_mode(False):  # see towers.image_tower
        stored = {name: value.float() for name, value in load_file(weights_path(card)).items()}
        heads = Heads()
        heads.load_state_dict(stored)
    return heads.eval().requires_grad_(False)


def placed(key: str, images: F32, texts: F32) -> tuple[F32, F32]:
    """(n, 128) unit rows of what the towers make of pictures (n, 1280) and of texts (n, 384)."""
    heads = heads_of(key)
    with torch.inference_mode():
        put = heads.image(torch.from_numpy(images)), heads.text(torch.from_numpy(texts))
    return put[0].numpy(), put[1].numpy()


class HeadsEncoder:
    """A bundled dual encoder; its pictures lie on white, so a place that is not given is white.

    Attributes:
        title: what people call it.

    Raises:
        BadRequest, WeightsMismatch: as :func:`heads_of`.
    """

    empty = torch.ones(3, 1, 1)

    def __init__(self, key: str) -> None:
        self._heads = heads_of(key)
        self.title = bundled.VARIANTS[BUNDLED[key]]

    def images(self, pictures: Sequence[U8]) -> F32:
        """See :class:`backend.gap.encoder.PairEncoder`."""
        features = torch.from_numpy(towers.of_images(np.stack(list(pictures))))
        with torch.inference_mode():
            found: F32 = self._heads.image(features).numpy()
        return found

    def texts(self, texts: Sequence[str]) -> F32:
        """See :class:`backend.gap.encoder.PairEncoder`."""
        with torch.inference_mode():
            found: F32 = self._heads.text(torch.from_numpy(towers.of_texts(texts))).numpy()
        return found

    @property
    def nothing(self) -> Tensor:
        """(384,) vector of a masked word."""
        return towers.text_tower().embeddings.word_embeddings.weight[MASK]

    def pixels(self, picture: U8) -> Tensor:
        """See :class:`backend.gap.encoder.Encoder`."""
        return scaled(torch.from_numpy(picture[None]))

    def of_pixels(self, pixels: Tensor) -> Tensor:
        """See :class:`backend.gap.encoder.Encoder`."""
        found: Tensor = self._heads.image(image_features(towers.image_tower(), pixels))
        return found

    def pieces(self, caption: str) -> Pieces:
        """See :class:`backend.gap.encoder.Encoder`; words are those of the tokenizer."""
        told = towers.tokenizer().encode(caption)
        words: list[str] = []
        spans: list[tuple[int, int]] = []
        for i, token in enumerate(told.tokens):
            if told.special_tokens_mask[i]:
                continue
            if token.startswith("##") and spans:
                words[-1] += token[2:]
                spans[-1] = (spans[-1][0], i + 1)
            else:
                words.append(token)
                spans.append((i, i + 1))
        every = (True,) * len(told.ids)  # begin and end too: they are masked with the words
        return Pieces(tuple(words[:MOST_WORDS]), tuple(spans[:MOST_WORDS]), tuple(told.ids), every)

    def of_ids(self, ids: Sequence[Sequence[int]]) -> Tensor:
        """See :class:`backend.gap.encoder.Encoder`."""
        found = []
        for one in ids:  # one by one: padding would change the sums
            given = torch.tensor([list(one)])
            found.append(towers.text_tower()(given, torch.ones_like(given, dtype=torch.bool)))
        put: Tensor = self._heads.text(torch.cat(found))
        return put

    def table(self, ids: Sequence[int]) -> Tensor:
        """See :class:`backend.gap.encoder.Encoder`."""
        return towers.text_tower().embeddings.word_embeddings.weight[torch.tensor(list(ids))]

    def of_vectors(self, vectors: Tensor, ids: Sequence[int]) -> Tensor:
        """See :class:`backend.gap.encoder.Encoder`."""
        del ids  # every place has its vector
        tower = towers.text_tower()
        parts = tower.embeddings
        mask = torch.ones(vectors.shape[:2], dtype=torch.bool)
        x = vectors + parts.position_embeddings.weight[: vectors.shape[1]]
        x = parts.LayerNorm(x + parts.token_type_embeddings.weight[0])
        for layer in tower.encoder["layer"].children():
            x = layer(x, mask[:, None, None, :])
        found: Tensor = self._heads.text(mean_of(x, mask))
        return found
