"""Detectors, estimators of motion and classifiers of clouds, run on three items before they are
registered.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from backend.clouds import normalised
from backend.errors import BackendError, BadRequest
from backend.nero.boxes import BROKEN
from backend.piv_methods import are_seen
from backend.protocols import F32
from backend.registry import box_forms
from backend.registry.answers import DETECTION, MOTION, points_of
from backend.registry.building import around
from backend.registry.networks import Network, network
from backend.registry.spec import ModelSpec, counted, is_counted
from backend.registry.validate import (
    ITEMS,
    SEED,
    Report,
    check_alone,
    check_counted,
    check_finite,
    output_of,
    trial,
)

MOVES_PX: Final = ((3.0, 0.0), (0.0, 2.0), (-1.5, -2.5))  # of the particles of the three pairs
LOOK: Final = (0.05, 0.9, 200.0, 2.0)  # particles per px, their sigma in px, brightness, noise
TRIAL_POINTS: Final = 2048
REORDERED: Final = 0.05  # of probabilities, by which another order of points may change an answer
F64 = NDArray[np.float64]
READINGS: Final[dict[str, Callable[[F64], F64]]] = {
    "from the second frame to the first": lambda w: -w,
    "as v, u instead of u, v": lambda w: w[:, ::-1],
    "with v upwards": lambda w: w * np.array([1.0, -1.0]),
}
"""What a wrong answer may be, as what the right one would become."""


def validated(spec: ModelSpec, items: Any = None, device: str = "cpu") -> Report:
    """The spec completed and checked by running the model.

    Args:
        items: three crops (3, 3, 128, 128), pairs of frames (3, 2, s, s) or clouds (3, p, 3) of a
            set of one's own; made up unless given.

    Raises:
        BadRequest: the model does not answer as its task wants it.
    """
    if not all(spec.input):
        raise BadRequest(
            f"The file does not say what {spec.name} takes.",
            f"Add --input: {spec.answer.takes}.",
        )
    check_counted(spec)
    ask = network(spec, device)
    if spec.task == DETECTION:
        return _detector(spec, ask, trial((3, 128, 128)) if items is None else items)
    if spec.task == MOTION:
        return _motion(spec, ask, items)
    return _points(spec, ask, clouds() if items is None else items)


def _detector(spec: ModelSpec, ask: Network, crops: F32) -> Report:
    from backend.nero.tasks.detection import checked
    from backend.registry.detections import OwnDetector

    named = OwnDetector(spec, spec.card(""), ask).named(crops[: spec.batch or ITEMS])
    count = len(spec.classes) or box_forms.classes_in(named)
    if not count:
        raise BadRequest(
            f"The answers of {spec.name} do not say how many classes there are.",
            "Add --classes: their number, or their names in the order of the class numbers.",
        )
    layout = box_forms.layout_of(named, count) if spec.output == "auto" else spec.output
    notes = box_forms.doubts(named, is_said=bool(spec.classes)) if layout == "queries" else []
    spec = replace(spec, classes=spec.classes or counted(count), output=layout)
    model = OwnDetector(spec, spec.card(""), ask)
    report, found = _ran(spec, model, crops)
    if (found[:, 0, 4] == BROKEN).any():
        raise BadRequest(
            f"{spec.name} answers with NaN or infinity.",
            "Check --mean, --std and --range, and that the weights are whole.",
        )
    checked(found, len(found))
    check_alone(spec, lambda batch: _sure(model.predict(batch)), crops, _sure(found))
    report.answers = tuple(_surest(spec, rows) for rows in found)
    report.notes += notes
    if not np.isfinite(found[..., 4]).any():
        report.notes.append(
            "It finds nothing in these three pictures; --try-on NAME tries it on three of a set."
        )
    _note_numbers(report)
    return report


def _sure(found: F32) -> F32:
    """Confidences, 0 where there is no box. Boxes of nearly equal ones may change their places."""
    sure: F32 = np.nan_to_num(found[..., 4])
    return sure


def _surest(spec: ModelSpec, rows: F32) -> str:
    if not np.isfinite(rows[0, 4]):
        return "nothing"
    more = int(np.isfinite(rows[1:, 4]).sum())
    name = spec.classes[int(rows[0, 5])]
    return f"{name} ({rows[0, 4]:.0%})" + (f" and {more} more" if more else "")


def _motion(spec: ModelSpec, ask: Network, frames: F32 | None) -> Report:
    are_made_up = frames is None
    pairs = frames_of(spec.input[1]) if frames is None else frames
    model = around(spec, spec.card(""), ask)
    report, found = _ran(spec, model, pairs)
    seen = are_seen(pairs)
    if not np.isfinite(found[seen]).all():
        raise BadRequest(
            f"{spec.name} answers with NaN or infinity.",
            "Check --mean, --std and --range, and that the weights are whole.",
        )
    check_alone(
        spec, lambda batch: np.nan_to_num(model.predict(batch)), pairs, np.nan_to_num(found)
    )
    means = np.median(found, axis=(2, 3))
    report.answers = tuple(
        f"u {u:+.1f}, v {v:+.1f} px" if one else "nothing to be seen in a frame"
        for one, (u, v) in zip(seen, means, strict=True)
    )
    if are_made_up:
        told = zip(report.answers, MOVES_PX, strict=True)
        report.answers = tuple(f"{text} (moved by {u:+.1f}, {v:+.1f})" for text, (u, v) in told)
        _note_sense(report, means)
    report.spec = replace(report.spec, any_side=_takes_other_sides(spec, ask))
    if not report.spec.any_side:
        report.notes.append(f"It takes frames of {spec.input[1]} px only.")
    return report


def frames_of(side: int) -> F32:
    """Three pairs of particle images (3, 2, side, side) in [0, 1], moved by :data:`MOVES_PX`."""
    from models.piv_particles import Look, photographed

    pairs = [
        photographed(partial(_uniform, move), Look(*LOOK), np.random.default_rng(SEED + k), side)
        for k, move in enumerate(MOVES_PX)
    ]
    return np.stack(pairs).astype(np.float32) / np.float32(255)


def _uniform(move: tuple[float, float], x: F64, y: F64) -> tuple[F64, F64]:
    return np.full_like(x, move[0]), np.full_like(y, move[1])


def _note_sense(report: Report, found: F32) -> None:
    """Says how answers may be meant where another reading of them fits much better."""
    wanted = np.array(MOVES_PX)

    def error(truth: Any) -> float:
        return float(np.sqrt(np.mean((found - truth) ** 2)))

    as_it_is = error(wanted)
    readings = {text: error(read(wanted)) for text, read in READINGS.items()}
    best = min(readings, key=lambda text: readings[text])
    if readings[best] < as_it_is / 2:
        report.notes.append(f"It seems to answer {best}: turn that round in its forward.")
        return
    scale = float((found * wanted).sum() / (wanted**2).sum())
    is_alike = error(scale * wanted) < 0.3 * float(np.sqrt(np.mean(found**2)))
    if scale > 0 and abs(scale - 1) > 0.3 and is_alike:
        report.notes.append(
            f"Its answers are {scale:.2f} times the motion: are they in px of the frames?"
        )
    elif as_it_is > 1:
        report.notes.append(
            f"It misses the motion of three made-up pairs by {as_it_is:.1f} px: was it made for "
            "particles?"
        )


def _takes_other_sides(spec: ModelSpec, ask: Network) -> bool:
    side = spec.input[1] * 2 if spec.input[1] <= 256 else spec.input[1] // 2
    free = replace(spec, any_side=True)
    try:
        around(free, free.card(""), ask).predict(frames_of(side)[:1])
    except BackendError:
        return False
    return True


def _points(spec: ModelSpec, ask: Network, cloud: F32) -> Report:
    from backend.registry.own_clouds import OwnPoints, chosen

    raw = OwnPoints(spec, spec.card(""), ask).answers(cloud)
    check_finite(spec, raw)
    classes = spec.classes or counted(raw.shape[1])
    spec = replace(spec, classes=classes, output=output_of(spec, raw))
    model = OwnPoints(spec, spec.card(""), ask)
    report, found = _ran(spec, model, cloud)
    report.probabilities = found
    check_alone(spec, model.predict, cloud, report.probabilities)
    drawn, sorted_by_z = chosen(cloud.shape[1], points_of(spec.input)), cloud.copy()
    order = np.abs(cloud[:, drawn, 2:]).argsort(axis=1, kind="stable")
    sorted_by_z[:, drawn] = np.take_along_axis(cloud[:, drawn], order, axis=1)
    apart = np.abs(model.predict(sorted_by_z) - found).max()
    if apart > REORDERED:
        report.notes.append(
            f"The order of a cloud's points changes its answers (by {apart:.0%}); a network of "
            "clouds should not look at it."
        )
    _note_numbers(report)
    return report


def clouds() -> F32:
    """Three clouds (3, 2048, 3): a ball's surface, a cube's, and noise about a line."""
    rng = np.random.default_rng(SEED)
    ball = rng.normal(size=(TRIAL_POINTS, 3))
    ball /= np.linalg.norm(ball, axis=1, keepdims=True)
    cube = rng.uniform(-1, 1, (TRIAL_POINTS, 3))
    sides = rng.integers(0, 3, TRIAL_POINTS)
    cube[np.arange(TRIAL_POINTS), sides] = rng.choice([-1.0, 1.0], TRIAL_POINTS)
    line = rng.normal(0, 0.03, (TRIAL_POINTS, 3)) + np.linspace(-1, 1, TRIAL_POINTS)[:, None]
    return normalised(np.stack([ball, cube, line]))


def _ran(spec: ModelSpec, model: Any, batch: F32) -> tuple[Report, F32]:
    """The answers to three items, and how long they took after one to warm up."""
    report = Report(spec)
    model.predict(batch[:1])
    started = time.perf_counter()
    found: F32 = model.predict(batch)
    report.seconds = time.perf_counter() - started
    report.shape = found.shape
    return report, found


def _note_numbers(report: Report) -> None:
    if is_counted(report.spec.classes):
        report.notes.append(
            "Its classes are only numbered: it fits every data set with as many, in their order."
        )
