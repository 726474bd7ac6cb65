"""Where is the thing? A box should shift with its object: the ideal plot is flat.

Scenes are larger than the crop that a detector sees; moving the crop by −t moves the object by t
in it. The truth at a shift is the visible part of the shifted true box, so an ideal detector has an
IOU of 1 everywhere, cut-off objects included (:mod:`backend.nero.boxes`).

What a value means: NaN where there is nothing to measure (less than a fifth of the object is in the
crop, nobody knows the truth, or the model's answer is not finite); 0 where the object is there and
the model gave no box or one that misses it. ``found`` tells these two apart.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Final, cast

import numpy as np
from numpy.typing import NDArray

from backend.errors import BadRequest
from backend.items import ItemSet
from backend.nero import boxes
from backend.nero.boxes import BOXES, BROKEN
from backend.nero.items import Items, of_set
from backend.nero.orbits import CROP_PX, Domain, Orbit, Translations
from backend.nero.tasks.base import (
    Array,
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
from backend.protocols import F32, I64, U8, ModelBackend
from backend.registry.spec import is_counted

IOU: Final = Metric("iou", "IOU of the most confident box", 0.0, 1.0, True)
METRICS: Final = (
    IOU,
    Metric("iou_conf", "IOU of the most confident box × its confidence", 0.0, 1.0, True),
    Metric("precision", "share of the boxes that are right", 0.0, 1.0, True),
    Metric("recall", "share of the objects that were found", 0.0, 1.0, True),
    Metric("f1", "F1 of precision and recall", 0.0, 1.0, True),
    Metric("ap", "average precision in the crop", 0.0, 1.0, True),
    Metric("found", "share of crops with any box", 0.0, 1.0, True),
)
BATCH: Final = 16  # crops per call of a plain function
ELSE: Final = -1.0  # class of a box that is of none of the items' classes
PIXEL_STEPS, SCORE_STEPS = 16, 1024  # what is stored is rounded to 1/16 px and 1/1024
Windows = Callable[[Array, I64], F32]


class Detect:
    """A detector reduced to what the loop needs; a ``Predictor``.

    Attributes:
        windows: answers for the crops of one scene (3, h, w) at corners (m, 2), where the model
            can cut them out itself.
    """

    def __init__(
        self, ask: Callable[[Any], Any], size: int | None, windows: Windows | None = None
    ) -> None:
        self._ask, self._size = ask, size
        self.windows = windows

    def __call__(self, batch: Array) -> F32:
        """Checked answers ``(b, 10, 6)`` for crops ``(b, 3, 128, 128)``."""
        return in_batches(self._asked, batch, self._size or max(1, len(batch)))

    def _asked(self, batch: Array) -> F32:
        return checked(self._ask(batch), len(batch))


@dataclass(frozen=True, slots=True)
class Detection(BaseTask):
    """Boxes (b, 10, 6) of crops (b, 3, 128, 128): x0, y0, x1, y1 in px, score, class."""

    domain: Domain = "scene"
    views: Views = Views("crop", "boxes")  # noqa: RUF009 - frozen
    kind: ClassVar[Kind] = "equivariant"

    @property
    def metrics(self) -> dict[str, Metric]:
        """IOU of the most confident box first."""
        return {metric.name: metric for metric in METRICS}

    @property
    def summary(self) -> str:
        """IOU."""
        return IOU.name

    def gather(self, items: Any) -> Items:
        """Rows of the task's set, another set, or ``(scenes, boxes)``.

        Own arrays are scenes (n, h, w, 3) uint8 and boxes (n, 5) or (n, t, 5) in px of the scene
        with COCO's class numbers, or None where nobody knows them.

        Raises:
            BadRequest: nothing is left, a row is not there, or the arrays do not fit.
        """
        if isinstance(items, tuple) and len(items) == 2 and np.ndim(items[0]) >= 3:
            items = own_scenes(*items)
        found = of_set(self.item_set, items)
        return replace(found, read=lambda start, stop: channels_first(found.read(start, stop)))

    def predictor(self, model: Any, batch_size: int | None, source: Items) -> Predictor:
        """Checked boxes with the items' class numbers.

        A plain callable must answer with the items' numbers; a backend's are translated by name,
        and a name that the items do not have becomes -1.

        Raises:
            BadRequest: the model is none, or answers in another form.
        """
        found = loaded(model)
        if not isinstance(found, ModelBackend):
            return Detect(found, batch_size or BATCH)
        backend: Any = found
        named = renumbering(found.card.classes, source.classes)

        def windows(scene: Array, corners: I64) -> F32:
            return checked(named(backend.predict_windows(scene, corners)), len(corners))

        return Detect(
            lambda batch: named(backend.predict(batch)),
            batch_size,
            windows if hasattr(backend, "predict_windows") else None,
        )

    def run(
        self, predict: Predictor, orbit: Orbit, inputs: Any, elements: I64, *, control: bool
    ) -> F32:
        """Boxes (b, m, 10, 6) of scenes (b, 3, h, w): each scene is handed over once where the
        model can cut the crops out of it.
        """
        if isinstance(predict, Detect) and predict.windows and isinstance(orbit, Translations):
            corners = orbit.corners(*inputs.shape[2:])[elements]
            return np.stack([predict.windows(scene, corners) for scene in inputs])
        return BaseTask.run(self, predict, orbit, inputs, elements, control=control)

    def act_output(self, orbit: Orbit, element: int, outputs: F32) -> F32:
        """φ̃(t, box): the corners plus the shift; score and class stay."""
        moved = outputs.copy()
        moved[..., :4] = boxes.moved(outputs[..., :4], orbit.positions[element])
        return moved

    def measure(self, orbit: Orbit, outputs: F32, truth: Any) -> dict[str, F32]:
        """The metrics (b, e) against the visible part of the shifted true boxes."""
        if truth is None:
            truth = np.full((len(outputs), 1, 5), np.nan, np.float32)
        return measured(outputs, np.asarray(truth, np.float32), orbit.positions)

    def consensus(self, orbit: Orbit, outputs: F32) -> Consensus | None:
        """The mean of the un-shifted most confident boxes and the class that most of them have.

        ``value`` (b, 5) is x0, y0, x1, y1 in px of the crop without shift, and class; NaN where no
        crop was answered. Crops without a box are left out: ``used`` counts the others.
        """
        value, used = boxes.consensus(outputs, orbit.positions)
        return Consensus(value, used, measured(outputs, value[:, None], orbit.positions))

    def payload(self, outputs: F32) -> dict[str, Array]:
        """All boxes, rounded to 1/16 px and 1/1024, which halves what has to be stored."""
        kept = outputs.copy()
        kept[..., :4] = np.round(outputs[..., :4] * PIXEL_STEPS) / PIXEL_STEPS
        kept[..., 4] = np.round(outputs[..., 4] * SCORE_STEPS) / SCORE_STEPS
        return {"boxes": kept}


def measured(outputs: F32, truth: F32, shifts_px: NDArray[np.float64]) -> dict[str, F32]:
    """All metrics ``(b, e)`` of answers ``(b, e, 10, 6)`` for true rows ``(b, t, 5)``.

    The first true row is the object that the IOU is of.
    """
    is_broken = outputs[..., 0, 4] == BROKEN
    best, is_found = boxes.strongest(outputs)
    visible = boxes.seen(truth[..., :4], shifts_px)  # (b, e, t, 4)
    key = visible[:, :, 0]
    overlap = boxes.iou(np.where(is_found[..., None], best[..., :4], 0.0), key)
    certain = np.where(is_found, best[..., 4], 0.0)
    kinds = np.broadcast_to(truth[:, None, :, 4:], (*visible.shape[:3], 1))
    rows = np.concatenate([visible, np.where(np.isnan(visible[..., :1]), np.nan, kinds)], -1)
    n = outputs.shape[0] * outputs.shape[1]
    scores = boxes.scored(outputs.reshape(n, *outputs.shape[2:]), rows.reshape(n, *rows.shape[2:]))
    values = {"iou": overlap, "iou_conf": overlap * certain}
    values |= {name: getattr(scores, name).reshape(is_found.shape) for name in scores._fields}
    values["found"] = is_found.astype(np.float32)
    return {
        name: np.where(is_broken, np.nan, value).astype(np.float32)
        for name, value in values.items()
    }


def checked(answer: Any, count: int) -> F32:
    """A model's answer as ``(count, 10, 6)``: the surest first, NaN rows below.

    A row of NaN is no box. A crop with a row that is partly or otherwise not finite counts as not
    answered at all, which is not the same as having no box.

    Raises:
        BadRequest: the answer has another shape, or a box is turned inside out, given in fractions,
            or has a confidence outside of [0, 1].
    """
    values = to_numpy(answer)
    if values.ndim != 3 or len(values) != count or values.shape[2] != 6:
        raise BadRequest(
            f"The model answered {count} crops with an array of shape {values.shape}.",
            f"It must be ({count}, boxes, 6): x0, y0, x1, y1 in px, score, class.",
        )
    is_row = ~np.isnan(values).all(axis=2)
    # Also how a backend says that its network's output was not finite.
    is_broken = np.any(is_row & ~np.isfinite(values).all(axis=2), axis=1)
    values[is_broken] = np.nan
    is_row &= ~is_broken[:, None]
    _check_rows(values[is_row])
    scores = np.where(is_row, values[..., 4], -np.inf)
    order = np.argsort(-scores, axis=1, kind="stable")[:, :BOXES]
    kept = np.full((count, BOXES, 6), np.nan, np.float32)
    kept[:, : order.shape[1]] = np.take_along_axis(values, order[..., None], axis=1)
    kept[is_broken, 0, 4] = BROKEN
    return kept


def _check_rows(rows: F32) -> None:
    """Rows (n, 6), all finite."""
    if not len(rows):
        return
    inside_out = rows[(rows[:, 2] < rows[:, 0]) | (rows[:, 3] < rows[:, 1])]
    if len(inside_out):
        shown = ", ".join(f"{v:g}" for v in inside_out[0, :4])
        raise BadRequest(
            f"The model gave the box ({shown}), which is turned inside out.",
            "Boxes are x0, y0, x1, y1 with x0 ≤ x1 and y0 ≤ y1.",
        )
    unsure = rows[(rows[:, 4] < 0) | (rows[:, 4] > 1)]
    if len(unsure):
        raise BadRequest(
            f"The model gave a box the confidence {unsure[0, 4]:g}.",
            "Confidences lie from 0 to 1.",
        )
    if rows[:, :4].max() <= 1:
        raise BadRequest(
            f"No side of the model's {len(rows)} boxes is beyond 1.",
            f"Boxes are in px of a crop of {CROP_PX} px, not in fractions of it.",
        )
    lost = rows[(rows[:, 2] <= 0) | (rows[:, 3] <= 0)]
    lost = lost if len(lost) else rows[(rows[:, :2] >= CROP_PX).any(axis=1)]
    if len(lost) == len(rows):
        shown = ", ".join(f"{v:g}" for v in lost[0, :4])
        raise BadRequest(
            f"All boxes of the model lie outside of the crop, such as ({shown}).",
            f"Boxes are in px of the crop, from 0 to {CROP_PX}.",
        )


def renumbering(own: tuple[str, ...], wanted: tuple[str, ...]) -> Callable[[F32], F32]:
    """A function that gives the classes of answers the numbers that their names have elsewhere;
    classes that are only numbered have them already.
    """
    if not wanted or own == wanted or (is_counted(own) and len(own) == len(wanted)):
        return lambda answers: answers
    places = {name: i for i, name in enumerate(wanted)}
    numbers = np.array([places.get(name, ELSE) for name in own], np.float32)

    def renumber(answers: F32) -> F32:
        named = answers.copy()
        is_row = np.isfinite(answers[..., 5])
        named[is_row, 5] = numbers[answers[is_row, 5].astype(np.int64)]
        return named

    return renumber


def channels_first(inputs: Array) -> U8:
    """Scenes (b, 3, h, w) of colour pictures in either order of axes.

    Raises:
        BadRequest: they are grey.
    """
    if inputs.ndim == 4 and inputs.shape[1] != 3 and inputs.shape[3] == 3:
        inputs = inputs.transpose(0, 3, 1, 2)
    if inputs.ndim != 4 or inputs.shape[1] != 3:
        raise BadRequest(
            f"Scenes have the shape {inputs.shape}.", "Detectors take colour pictures only."
        )
    return cast(U8, inputs)


def own_scenes(scenes: Any, given: Any) -> ItemSet:
    """A caller's arrays as a set; see :meth:`Detection.gather`.

    Raises:
        BadRequest: they do not fit together, or a box lies outside of its scene.
    """
    from backend.scenes import SceneItems
    from models.class_names import class_names

    pixels = np.asarray(scenes)
    rows = np.full((len(pixels), 1, 5), np.nan) if given is None else np.asarray(given, np.float32)
    rows = (rows[:, None] if rows.ndim == 2 else rows).astype(np.float32)
    kinds = rows[:, 0, 4] if rows.ndim == 3 and rows.shape[1:2] and rows.shape[2] == 5 else None
    labels = np.full(len(pixels), -1) if kinds is None else np.where(np.isfinite(kinds), kinds, -1)
    return SceneItems(
        key="own",
        title="Own scenes",
        pixels=pixels,
        boxes=rows,
        labels=labels.astype(np.int64),
        ids=np.arange(len(pixels), dtype=np.int64),
        names=tuple(f"scene {i}" for i in range(len(pixels))),
        classes=class_names("detection"),
        source="A caller's own scenes",
        licence="the caller's own",
    )
