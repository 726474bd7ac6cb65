"""What the parts ask of each other. No torch, no dash: numpy in, numpy out.

A model is anything with a card and ``predict``; abilities beyond that are further protocols, so
that a view can ask "does this model have gradients?" with ``isinstance`` and list what can run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from models.cards import ModelCard

F32: TypeAlias = NDArray[np.float32]
I64: TypeAlias = NDArray[np.int64]
U8: TypeAlias = NDArray[np.uint8]
Arrays: TypeAlias = Mapping[str, NDArray[np.generic]]
JSON: TypeAlias = bool | int | float | str | Sequence["JSON"] | Mapping[str, "JSON"] | None


@runtime_checkable
class ModelBackend(Protocol):
    """Forward passes of one classifier on one device. Calls block: run them in a job."""

    @property
    def card(self) -> ModelCard: ...

    @property
    def device(self) -> str:
        """Where it runs: ``cpu``, ``cuda:0``, ``mps``."""
        ...

    def predict(self, batch: F32) -> F32:
        """Class probabilities ``(b, k)``, rows sum to 1, for images ``(b, c, h, w)`` in [0, 1].

        Raises:
            BadRequest: the batch does not have the card's channels and size, or is not finite.
            DeviceFull: a single image does not fit into memory.
        """
        ...


@runtime_checkable
class SupportsGradients(ModelBackend, Protocol):
    """A model that can say how its answer depends on the input."""

    def saliency(self, batch: F32, targets: I64) -> F32:
        """|d logit[target] / d pixel|, maximum over channels: ``(b, h, w)``, >= 0, raw units."""
        ...


class Progress(Protocol):
    """Called once per batch; raises ``Cancelled`` when the user pressed Cancel."""

    def __call__(self, done: int, total: int) -> None: ...
