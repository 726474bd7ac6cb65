"""A classifier that is only a function of arrays: scaling before it, softmax after it."""

from __future__ import annotations

from typing import Any

import numpy as np

from backend.errors import BadRequest
from backend.protocols import F32
from backend.registry.spec import RANGES, ModelSpec
from models.cards import ModelCard

SLACK = 1e-3


class PlainBackend:
    """A :class:`backend.protocols.ModelBackend` around :meth:`ask`, which a kind defines.

    Args:
        device: where it runs, as the page shows it.
    """

    def __init__(self, spec: ModelSpec, card: ModelCard, device: str) -> None:
        self.spec = spec
        self.card = card
        self.device = device
        self._size = spec.batch or max(1, min(64, (224 * 224) // (spec.input[1] * spec.input[2])))

    def ask(self, scaled: F32) -> Any:
        """The model's answer ``(b, k)`` to images in its own range."""
        raise NotImplementedError

    def predict(self, batch: F32) -> F32:
        """Class probabilities ``(b, k)``, rows sum to 1, for images ``(b, c, h, w)`` in [0, 1].

        Raises:
            BadRequest: the batch does not have the spec's shape, or the answer is none.
        """
        if batch.ndim != 4 or batch.shape[1:] != self.spec.input or batch.dtype != np.float32:
            raise BadRequest(
                f"Images of shape {batch.shape} and type {batch.dtype} do not fit.",
                f"{self.spec.name} takes float32 (n, {self.spec.size}) from 0 to 1.",
            )
        if batch.size and not (batch.min() >= -SLACK and batch.max() <= 1 + SLACK):
            raise BadRequest("Pixel values are not all from 0 to 1.", "Divide bytes by 255.")
        answers = self.answers(batch)
        return answers if self.spec.output == "probabilities" else softmax(answers)

    def answers(self, batch: F32) -> F32:
        """What the model itself says ``(b, k)``: logits or probabilities."""
        low, high = RANGES[self.spec.range]
        mean = np.asarray(self.spec.mean or (0,), np.float32).reshape(1, -1, 1, 1)
        std = np.asarray(self.spec.std or (1,), np.float32).reshape(1, -1, 1, 1)
        out = np.empty((len(batch), len(self.spec.classes)), np.float32)
        for start in range(0, len(batch), self._size):
            piece = batch[start : start + self._size]
            scaled = ((piece * np.float32(high - low) + np.float32(low)) - mean) / std
            short = self.spec.batch - len(piece) if self.spec.batch else 0
            if short:
                scaled = np.concatenate([scaled, np.repeat(scaled[-1:], short, axis=0)])
            answer = rows(self.ask(np.ascontiguousarray(scaled, np.float32)))[: len(piece)]
            if answer.ndim == 2 and len(answer) == len(piece) and answer.shape[1] != out.shape[1]:
                raise BadRequest(
                    f"The model gives {answer.shape[1]} outputs, and {out.shape[1]} classes are "
                    "named.",
                    f"Name {answer.shape[1]}, in the order of the outputs.",
                )
            if answer.shape != (len(piece), out.shape[1]):
                raise BadRequest(
                    f"The model answered {len(piece)} images with the shape {answer.shape}.",
                    f"Its classes are {out.shape[1]}; it must be ({len(piece)}, {out.shape[1]}).",
                )
            out[start : start + len(piece)] = answer
        return out


def rows(answer: Any) -> F32:
    """An answer, tensor or array, as ``(b, k)`` float32."""
    if hasattr(answer, "detach"):
        answer = answer.detach().cpu().numpy()
    try:
        values = np.asarray(answer, np.float32)
    except (TypeError, ValueError) as error:
        raise BadRequest(
            f"The model answers with {type(answer).__name__}, which is no array of numbers.",
            "A classifier answers with one row of class scores per image.",
        ) from error
    if values.ndim > 2 and values.size == values.shape[0] * values.shape[1]:
        values = values.reshape(values.shape[:2])
    return values


def softmax(logits: F32) -> F32:
    """Probabilities of rows of logits."""
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    out: F32 = (shifted / shifted.sum(axis=1, keepdims=True)).astype(np.float32)
    return out
