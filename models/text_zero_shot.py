"""Classifies texts without training: a class is the text that describes it, and the nearest wins.

``softmax(cos(text, prompt) / temperature)`` over the prompts of :mod:`models.text_classes`.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from tokenizers import Tokenizer
from torch import Tensor, nn

from models.cards import ModelCard
from models.text_classes import PROMPTS
from models.text_encoder import load_encoder, load_tokenizer


class ZeroShot:
    """An encoder, its tokenizer and the vectors of the prompts on one device.

    Attributes:
        prompts: (k, 384) unit vectors of the classes.
        batch: texts per forward pass.
    """

    def __init__(
        self, encoder: nn.Module, tokenizer: Tokenizer, temperature: float, device: str = "cpu"
    ) -> None:
        self.device = device
        self.temperature = temperature
        self.batch = 64 if device == "cpu" else 512
        self._encoder = encoder.eval().to(device)
        self._tokenizer = tokenizer
        self.prompts = self.embed(list(PROMPTS.values()))

    def tokens(self, texts: Sequence[str]) -> list[tuple[int, ...]]:
        """The token numbers of each text, marks of beginning and end included."""
        return [tuple(found.ids) for found in self._tokenizer.encode_batch(list(texts))]

    def embed(self, texts: Sequence[str]) -> Tensor:
        """Unit vectors (b, 384) on the device; NaN for a text in which there is no word.

        Texts that come down to the same tokens are computed once; the others pass in batches of
        like length, as padding costs as much as words do.
        """
        told = self.tokens(texts)
        distinct = sorted(set(told), key=len)
        if not distinct:
            return torch.empty(0, self.prompts.shape[1], device=self.device)
        pieces = [
            self._vectors(distinct[i : i + self.batch]) for i in range(0, len(distinct), self.batch)
        ]
        row = {tokens: i for i, tokens in enumerate(distinct)}
        return torch.cat(pieces)[[row[tokens] for tokens in told]]

    def probabilities(self, texts: Sequence[str]) -> Tensor:
        """(b, k) float32 on the CPU, rows sum to 1; NaN for a text in which there is no word."""
        cosines = self.embed(texts) @ self.prompts.T
        return torch.softmax(cosines.double() / self.temperature, dim=1).float().cpu()

    def _vectors(self, tokens: Sequence[tuple[int, ...]]) -> Tensor:
        longest = len(tokens[-1])
        ids = torch.tensor([[*row, *[0] * (longest - len(row))] for row in tokens])
        lengths = torch.tensor([len(row) for row in tokens])
        mask = torch.arange(longest) < lengths[:, None]
        with torch.inference_mode():
            vectors: Tensor = self._encoder(ids.to(self.device), mask.to(self.device))
        vectors = vectors.clone()
        vectors[lengths <= 2] = torch.nan  # the marks alone
        return vectors


def load_zero_shot(card: ModelCard, device: str = "cpu") -> ZeroShot:
    """The card's classifier; the temperature is among its metrics.

    Raises:
        WeightsMismatch: weights or tokenizer are missing or not the card's.
    """
    temperature = card.metrics["temperature"]
    return ZeroShot(load_encoder(card), load_tokenizer(card), temperature, device)
