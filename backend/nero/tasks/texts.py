"""What is a text about? The answer should not change with the order, case or choice of words that
mean the same; by how much it does is for the plot to say.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from backend.errors import BadRequest
from backend.nero.items import Items, of_set
from backend.nero.tasks.classification import Classification
from backend.protocols import I64


@dataclass(frozen=True, slots=True)
class Texts(Classification):
    """Probabilities of classes for texts, ``(b,)`` strings; all else is classification."""

    def gather(self, items: Any) -> Items:
        """Rows of the task's set, another set of texts, or ``(texts, labels)``.

        Raises:
            BadRequest: nothing is left, or they are no texts with whole numbers as labels.
        """
        if isinstance(items, tuple) and len(items) == 2 and not np.isscalar(items[0]):
            return _own(list(items[0]), np.asarray(items[1]))
        return of_set(self.item_set, items)


def _own(texts: list[Any], labels: I64) -> Items:
    if not texts or not all(isinstance(text, str) and text.strip() for text in texts):
        raise BadRequest("These are no texts, or one of them is empty.", "Give at least one.")
    if labels.shape != (len(texts),) or labels.dtype.kind not in "iu":
        raise BadRequest(
            f"Labels have the shape {labels.shape} and the type {labels.dtype}.",
            f"There must be one whole number per text, {len(texts)} in all; -1 where unknown.",
        )
    whole, held = labels.astype(np.int64), np.array(texts, np.str_)
    return Items(
        ids=np.arange(len(texts)),
        names=tuple(text if len(text) <= 40 else f"{text[:39]}…" for text in texts),
        labels=whole,
        classes=(),
        read=lambda start, stop: held[start:stop],
        truth=lambda start, stop: whole[start:stop],
    )
