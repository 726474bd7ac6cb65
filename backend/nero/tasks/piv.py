"""How do particles move between two frames? A field should turn with its frames, vectors too.

The truth that a prediction is compared with is the true field under the same element:
φ̃(g, w)(p) = P·w(P⁻¹p), and −w where time is reversed (:mod:`backend.nero.fields`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Final, cast

import numpy as np

from backend.errors import BadRequest
from backend.nero import fields
from backend.nero.items import Items, of_set
from backend.nero.orbits import Domain, Orbit, SquareSymmetries
from backend.nero.tasks.base import (
    BaseTask,
    Consensus,
    Kind,
    Metric,
    Predictor,
    Views,
    in_batches,
    loaded,
    to_numpy,
)
from backend.protocols import F32, Arrays, ModelBackend

RMSE: Final = Metric("rmse", "root mean square error over the domain", 0.0, None, False, "px")
MSE: Final = Metric("mse", "mean square error over the domain", 0.0, None, False, "px²")
MAE: Final = Metric("mae", "mean absolute error of the components", 0.0, None, False, "px")
AEE: Final = Metric("aee", "mean length of the error vectors", 0.0, None, False, "px")
BATCH: Final = 16  # pairs per call of a plain function: one orbit
MAP_SIDE: Final = 32  # cells a side of the error maps of the small multiples
ARROW_SIDE: Final = 16  # arrows a side


@dataclass(frozen=True, slots=True)
class ParticleMotion(BaseTask):
    """Fields (b, 2, s/2, s/2) in px per pair, u right, v down, of frames (b, 2, s, s)."""

    domain: Domain = "frames"
    views: Views = Views("frames", "arrows")  # noqa: RUF009 - frozen
    kind: ClassVar[Kind] = "covariant"

    @property
    def metrics(self) -> dict[str, Metric]:
        """The root mean square error first."""
        return {metric.name: metric for metric in (RMSE, MSE, MAE, AEE)}

    @property
    def summary(self) -> str:
        """The root mean square error."""
        return RMSE.name

    def gather(self, items: Any) -> Items:
        """Rows of the task's set, another set, or ``(frames, fields)`` with or without fields.

        Raises:
            BadRequest: nothing is left, a row is not there, or the arrays do not fit.
        """
        if isinstance(items, tuple) and len(items) == 2 and np.ndim(items[0]) >= 3:
            items = _own(*items)
        return of_set(self.item_set, items)

    def predictor(self, model: Any, batch_size: int | None, source: Items) -> Predictor:
        """Checked fields; NaN where an answer is not finite.

        Raises:
            BadRequest: the model is none, or answers in another shape.
        """
        del source
        found = loaded(model)
        if isinstance(found, ModelBackend):
            ask: Callable[[Any], Any] = found.predict
            size = batch_size
        else:
            ask, size = found, batch_size or BATCH
        return lambda batch: in_batches(lambda part: checked(ask(part), part), batch, size or BATCH)

    def act_output(self, orbit: Orbit, element: int, outputs: F32) -> F32:
        """φ̃(g, w) of fields (b, 2, h, h)."""
        del orbit
        return fields.act(outputs, element)

    def measure(self, orbit: Orbit, outputs: F32, truth: Any) -> dict[str, F32]:
        """Errors over the domain (b, e) against the moved truth; NaN where nobody knows it."""
        if truth is None:
            unknown = np.full(outputs.shape[:2], np.nan, np.float32)
            return {name: unknown.copy() for name in self.metrics}
        wanted = np.asarray(truth, np.float32)
        _check_same(outputs, wanted)
        return _measured(orbit, outputs, wanted)

    def consensus(self, orbit: Orbit, outputs: F32) -> Consensus | None:
        """The mean of the un-moved fields. ``value`` (b, 2, 16, 16) holds its means over the cells
        of the grid of arrows; the metrics compare with all of it.
        """
        mean, used = fields.consensus(cast(SquareSymmetries, orbit), outputs)
        value = fields.coarse(mean, ARROW_SIDE)
        return Consensus(value, used, _measured(orbit, outputs, mean))

    def detail(self, orbit: Orbit, outputs: F32, truth: Any) -> Arrays:
        """What the views of one item need, of outputs (1, e, 2, h, h).

        Returns:
            ``field`` (e, 2, 16, 16) and ``consensus`` (2, 16, 16) on the grid of arrows and
            ``consensus_error`` (e, 32, 32) per place; where the truth is known also ``truth``
            (e, 2, 16, 16), moved, and ``error`` (e, 32, 32). All in px per pair.
        """
        squares, answers = cast(SquareSymmetries, orbit), outputs[0]
        mean, _ = fields.consensus(squares, outputs)
        agreed = fields.along(mean, squares)[0]
        found = {
            "field": fields.coarse(answers, ARROW_SIDE),
            "consensus": fields.coarse(mean[0], ARROW_SIDE),
            "consensus_error": fields.coarse(fields.error_map(answers, agreed), MAP_SIDE),
        }
        if truth is not None:
            moved = fields.along(np.asarray(truth, np.float32), squares)[0]
            found["truth"] = fields.coarse(moved, ARROW_SIDE)
            found["error"] = fields.coarse(fields.error_map(answers, moved), MAP_SIDE)
        return found


def checked(answer: Any, batch: Any) -> F32:
    """A model's answer to frames (b, 2, s, s) as fields (b, 2, s/2, s/2); infinite becomes NaN.

    Raises:
        BadRequest: it has another shape.
    """
    values = to_numpy(answer)
    side = batch.shape[-1] // 2
    wanted = (len(batch), 2, side, side)
    if values.shape != wanted:
        raise BadRequest(
            f"The model answered {len(batch)} pairs of frames with an array of shape "
            f"{values.shape}.",
            f"It must be {wanted}: u and v at the centres of blocks of 2 × 2 px.",
        )
    values[~np.isfinite(values)] = np.nan
    return values


def _measured(orbit: Orbit, outputs: F32, wanted: F32) -> dict[str, F32]:
    by_element = [
        fields.errors(outputs[:, element], fields.act(wanted, element))
        for element in range(orbit.size)
    ]
    return {name: np.stack([e[name] for e in by_element], axis=1) for name in by_element[0]}


def _check_same(outputs: F32, truth: F32) -> None:
    wanted = (len(outputs), *outputs.shape[2:])
    if truth.shape != wanted:
        raise BadRequest(
            f"The true fields have the shape {truth.shape}.", f"The predictions have {wanted}."
        )


def _own(frames: Any, truth: Any) -> Any:
    """A caller's own arrays as a set."""
    from backend.particle_pairs import ParticlePairs

    own = np.asarray(frames)
    n = len(own)
    return ParticlePairs(
        key="own",
        title="own pairs",
        frames=own,
        fields=None if truth is None else np.asarray(truth),
        labels=np.full(n, -1, np.int64),
        ids=np.arange(n),
        names=tuple(f"pair {i}" for i in range(n)),
        classes=(),
        source="",
        licence="",
    )
