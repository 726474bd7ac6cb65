"""The text side of "CLIP-style, small": MiniLM with its trained head."""

from __future__ import annotations

from typing import cast

import torch

from backend import catalog
from backend.protocols import F32
from models.load import load_module
from models.people_clip import PeopleClip
from models.text_encoder import load_encoder, load_tokenizer
from models.text_zero_shot import ZeroShot


class TextSide:
    """Texts to unit rows of the shared space."""

    def __init__(self, tower: ZeroShot, heads: PeopleClip) -> None:
        self._tower = tower
        self._heads = heads

    def embed(self, texts: list[str]) -> F32:
        """(b, d) float32; NaN for a text without a word."""
        with torch.inference_mode():
            found = self._heads.texts(self._tower.embed(texts))
        return cast(F32, found.float().numpy())


def load() -> TextSide:
    """Tower and head, on the CPU: a query is one short text.

    Raises:
        WeightsMismatch: weights are missing or not the card's.
    """
    card = catalog.card("text-minilm")
    tower = ZeroShot(load_encoder(card), load_tokenizer(card), 1.0)
    heads = load_module(catalog.card("people-clip"))
    return TextSide(tower, cast(PeopleClip, heads))
