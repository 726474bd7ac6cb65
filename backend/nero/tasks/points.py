"""Which class is this cloud of points? The answer should not change when the cloud turns.

It is classification throughout; only the inputs differ, and that a model of ours chooses points and
neighbours once for all rotations of a cloud. A cell of the discs that is the same rotation as
another one is asked once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, cast, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from backend.clouds import check_clouds
from backend.errors import BadRequest
from backend.nero.items import Items, of_set
from backend.nero.orbits import Domain, Orbit
from backend.nero.tasks.base import BATCH, Array, Predictor, Views, in_batches, loaded
from backend.nero.tasks.classification import Classification, check_classes, probabilities
from backend.protocols import F32, I64, ModelBackend

F64 = NDArray[np.float64]
CLOUD = Views("cloud", "bars")
SAME_DIGITS = 9  # decimals to which two rotation matrices are compared


@runtime_checkable
class SupportsTurning(ModelBackend, Protocol):
    """A model that shares over the rotations of a cloud what they have in common."""

    def turned(self, clouds: F32, matrices: F64) -> F32:
        """Probabilities ``(b, m, k)`` for clouds ``(b, p, 3)``, each under ``(m, 3, 3)``."""
        ...


class Classify:
    """A classifier of clouds reduced to what the loop needs; a ``Predictor``.

    Attributes:
        turned: answers ``(b, m, k)`` for clouds under rotations, where the model can share work.
    """

    def __init__(
        self, ask: Predictor, size: int | None, turned: Callable[[F32, F64], F32] | None = None
    ) -> None:
        self._ask, self._size = ask, size
        self.turned = turned

    def __call__(self, batch: Array) -> F32:
        """Checked probabilities ``(b, k)`` for clouds ``(b, p, 3)``."""
        return in_batches(self._ask, batch, self._size or max(1, len(batch)))


@dataclass(frozen=True, slots=True)
class Points(Classification):
    """Probabilities of classes for clouds of points."""

    domain: Domain = "points"
    views: Views = CLOUD

    def gather(self, items: Any) -> Items:
        """Rows of the task's set, another set, or ``(clouds (n, p, 3), labels (n,) or None)``.

        Raises:
            BadRequest: nothing is left, a row is not there, or the arrays do not fit.
        """
        if isinstance(items, tuple) and len(items) == 2 and np.ndim(items[0]) >= 2:
            return _own(np.asarray(items[0]), items[1])
        return of_set(self.item_set, items)

    def predictor(self, model: Any, batch_size: int | None, source: Items) -> Predictor:
        """Probabilities ``(b, k)`` whose rows sum to 1; NaN where an answer is not finite."""
        found = loaded(model)
        if not isinstance(found, ModelBackend):
            return Classify(partial(_asked, found, source), batch_size or BATCH)
        check_classes(found.card.classes, source)
        turned = found.turned if isinstance(found, SupportsTurning) else None
        return Classify(partial(_asked, found.predict, source), batch_size, turned)

    def run(
        self, predict: Predictor, orbit: Orbit, inputs: Any, elements: I64, *, control: bool
    ) -> F32:
        """Outputs ``(b, m, k)`` of clouds ``(b, p, 3)``.

        Where the orbit consists of rotation matrices, each different one is asked once.
        """
        matrices = getattr(orbit, "matrices", None)
        if control or matrices is None or not isinstance(predict, Classify) or not predict.turned:
            return Classification.run(self, predict, orbit, inputs, elements, control=control)
        distinct, cells = different(cast(F64, matrices)[elements])
        answers = predict.turned(inputs, distinct)
        return answers[:, cells]


def different(matrices: F64) -> tuple[F64, I64]:
    """The different ones ``(d, 3, 3)`` among rotations ``(m, 3, 3)``, and which of them each is."""
    # Adding 0 turns -0 into 0; the first of equal matrices stands for all, unrounded.
    rounded = matrices.round(SAME_DIGITS).reshape(len(matrices), 9) + 0.0
    _, first, cells = np.unique(rounded, axis=0, return_index=True, return_inverse=True)
    return matrices[first], cells.reshape(-1).astype(np.int64)


def _asked(ask: Callable[[Any], Any], source: Items, batch: Array) -> F32:
    answers = probabilities(ask, batch)
    if source.classes and answers.shape[1] != len(source.classes):
        raise BadRequest(
            f"The model has {answers.shape[1]} outputs and there are {len(source.classes)} "
            "classes.",
            "Choose a model that was made for these items.",
        )
    outside = source.labels[source.labels >= answers.shape[1]]
    if len(outside):
        raise BadRequest(
            f"Label {outside[0]} is not one of the model's classes.",
            f"Labels run from 0 to {answers.shape[1] - 1}.",
        )
    return answers


def _own(clouds: Array, labels: Any) -> Items:
    """A caller's own clouds; they are taken as they are, neither centred nor scaled."""
    if clouds.dtype.kind not in "fiu":
        raise BadRequest(f"Clouds have the type {clouds.dtype}.", "They must be numbers.")
    points = np.ascontiguousarray(clouds, np.float32)
    check_clouds(points)
    known = np.full(len(points), -1) if labels is None else np.asarray(labels)
    if known.shape != (len(points),) or known.dtype.kind not in "iu":
        raise BadRequest(
            f"Labels have the shape {known.shape} and the type {known.dtype}.",
            f"There must be one whole number per cloud, {len(points)} in all.",
        )
    if (known < -1).any():
        raise BadRequest(f"Label {known.min()} is no class.", "-1 stands for unknown.")
    whole = known.astype(np.int64)
    return Items(
        ids=np.arange(len(points)),
        names=tuple(f"cloud {i}" for i in range(len(points))),
        labels=whole,
        classes=(),
        read=lambda start, stop: points[start:stop],
        truth=lambda start, stop: whole[start:stop],
    )
