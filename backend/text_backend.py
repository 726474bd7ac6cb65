"""A zero-shot text classifier behind the :class:`backend.protocols.ModelBackend` protocol."""

from __future__ import annotations

from typing import Any, cast

import numpy as np

from backend.errors import BadRequest, DeviceFull
from backend.protocols import F32
from backend.torch_backend import Calls, is_out_of_memory
from models.cards import ModelCard
from models.text_zero_shot import ZeroShot, load_zero_shot


class TextBackend:
    """One text encoder on one device; safe to call from several threads.

    Attributes:
        card: what it knows.
        device: where it runs.
        calls: how often it was asked, and for how many texts.
    """

    def __init__(self, model: ZeroShot, card: ModelCard, device: str = "cpu") -> None:
        self.card = card
        self.device = device
        self.calls = Calls()
        self._model = model

    def predict(self, batch: Any) -> F32:
        """Class probabilities ``(b, k)``, rows sum to 1; NaN for a text in which there is no word.

        Args:
            batch: (b,) texts, of which the first 256 tokens are read.

        Raises:
            BadRequest: something else than texts is among them.
            DeviceFull: they do not fit into memory.
        """
        texts = [text for text in batch if isinstance(text, str)]
        if isinstance(batch, str) or len(texts) < len(batch):
            raise BadRequest(
                f"{self.card.key} reads a list of texts; this is {type(batch).__name__}.",
                "Give a list of sentences.",
            )
        try:
            answers = self._model.probabilities(texts)
        except RuntimeError as error:  # torch.OutOfMemoryError is one too
            if not is_out_of_memory(error):
                raise
            raise DeviceFull(
                f"{self._model.batch} texts do not fit into the memory of {self.device}.",
                "Free memory on the device, or run with LOUPE_DEVICE=cpu.",
            ) from error
        self.calls.batches += 1
        self.calls.images += len(texts)
        return cast(F32, np.asarray(answers.numpy(), np.float32))


def build(card: ModelCard, device: str) -> TextBackend:
    """The card's classifier, ready to predict.

    Raises:
        WeightsMismatch: weights or tokenizer are missing or not the card's.
    """
    return TextBackend(load_zero_shot(card, device), card, device)
