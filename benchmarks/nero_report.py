"""``python -m benchmarks.nero_report``: what NERO finds in the bundled models, written to
docs/results/nero.md.

Everything is measured here from the shipped weights; nothing is copied from the paper. Where a
statement of the paper does not hold for our models, the report says so.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np

from backend import catalog
from backend.cache import ArrayStore
from backend.nero import OrbitResult, evaluate, orbits
from backend.nero.precompute import RESULTS, opening_orbit
from backend.nero.requests import OrbitRequest
from backend.protocols import F32
from backend.settings import PROJECT
from benchmarks import nero_detection_report, nero_piv_report, nero_points_report

OTHERS = {
    "detection": nero_detection_report,
    "piv": nero_piv_report,
    "points": nero_points_report,
}
PATH = PROJECT / "docs" / "results" / "nero.md"
SYMMETRIC, ASYMMETRIC = (0, 1, 8), (2, 3, 4, 7)
NEAR_DEG = 15.0
TELLING_DEG = 170.0
HEAD = """# What NERO finds in the bundled models

Written by `python -m benchmarks.nero_report`; do not edit by hand. 72 rotations (5° steps),
counter-clockwise, bilinear, zeros outside, 500 held-out images a set (22 photographs). Statements
are those of the source, Zhao 2024, chapter 5; the numbers are ours, so "no" is a finding, not
a mistake.
"""


def opened(task: str) -> dict[str, OrbitResult]:
    """The results that the views of a task open with; what is not shipped is computed."""
    with tempfile.TemporaryDirectory() as empty:
        store = ArrayStore(Path(empty), 1_000_000, [RESULTS])
        found = {}
        for key in catalog.models_for(task):
            orbit = opening_orbit(task, key)
            arrays = store.get(OrbitRequest(task, key, orbit).job().key)
            found[key] = (
                evaluate(key, task, orbits.find(orbit))
                if arrays is None
                else OrbitResult.from_arrays(arrays)
            )
    return found


def shipped(task: str) -> dict[str, OrbitResult]:
    """The shipped results of a task by model, as far as they belong to the present weights."""
    found = {}
    with tempfile.TemporaryDirectory() as empty:
        store = ArrayStore(Path(empty), 1_000_000, [RESULTS])
        for key in catalog.models_for(task):
            arrays = store.get(OrbitRequest(task, key).job().key)
            if arrays is not None:
                found[key] = OrbitResult.from_arrays(arrays)
    return found


def results(task: str) -> dict[str, OrbitResult]:
    """Every model of a task along 72 angles; what is not shipped is computed."""
    held = shipped(task)
    return {
        key: held.get(key) or evaluate(key, task, orbits.rotations(72))
        for key in catalog.models_for(task)
    }


def is_near(result: OrbitResult) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """The angles within 15° of upright."""
    angles = result.angles_deg
    near: np.ndarray[tuple[int], np.dtype[np.bool_]] = np.minimum(angles, 360 - angles) <= NEAR_DEG
    return near


def half_turn_likeness(result: OrbitResult) -> F32:
    """Correlation ``(k,)`` of each class's mean confidence curve with itself half a turn on."""
    values = []
    for k in range(len(result.classes)):
        curve = result.aggregate("confidence", np.flatnonzero(result.labels == k))
        values.append(np.corrcoef(curve, np.roll(curve, len(curve) // 2))[0, 1])
    return np.array(values, np.float32)


def share(result: OrbitResult, label: int, becomes: int, angle_deg: float) -> float:
    """The share of a class's items that are called ``becomes`` at an angle of the orbit."""
    element = int(np.flatnonzero(np.isclose(result.angles_deg, angle_deg))[0])
    return float(result.confusion(np.flatnonzero(result.labels == label))[becomes, element])


def telling(result: OrbitResult, label: int, angle_deg: float) -> float:
    """The mean confidence in the true class of a class's items at an angle."""
    element = int(np.flatnonzero(np.isclose(result.angles_deg, angle_deg))[0])
    return float(result.aggregate("confidence", np.flatnonzero(result.labels == label))[element])


def curves(task: str) -> str:
    """One line per model: accuracy upright, near upright, over the orbit, at its worst, and the
    variance.
    """
    lines = ["| model | upright | within 15° | mean over the orbit | worst angle | variance |"]
    lines.append("| --- | --- | --- | --- | --- | --- |")
    for key, result in results(task).items():
        accuracy = result.aggregate("accuracy")
        worst = f"{accuracy.min():.1%} at {result.angles_deg[accuracy.argmin()]:g}°"
        parts = [accuracy[0], accuracy[is_near(result)].mean(), accuracy.mean()]
        shown = " | ".join(f"{part:.1%}" for part in parts)
        lines.append(f"| {key} | {shown} | {worst} | {result.variance().mean():.4f} |")
    return "\n".join(lines)


def statements(found: dict[str, OrbitResult]) -> str:
    """The statements about digits, each with our numbers."""
    plain, rotated = found["digits-plain"], found["digits-rotated"]
    p4 = found["digits-p4"]
    means = [model.aggregate("accuracy").mean() for model in (plain, rotated)]
    near = plain.aggregate("accuracy")[is_near(plain)].mean()
    like = half_turn_likeness(plain)
    even, odd = like[list(SYMMETRIC)].mean(), like[list(ASYMMETRIC)].mean()
    per_digit = ", ".join(f"{k}: {value:.2f}" for k, value in enumerate(like))
    quarter = np.abs(p4.metric - np.roll(p4.metric, 18, axis=1)).max()
    rows = [
        ("augmentation raises the mean over the orbit", means[1] > means[0],
         f"{means[0]:.1%} plain, {means[1]:.1%} augmented"),
        ("the plain model is best near upright", near > means[0],
         f"{near:.1%} within 15°, {means[0]:.1%} over the orbit"),
        ("curves of 0, 1, 8 repeat after half a turn more than those of 2, 3, 4, 7", even > odd,
         f"correlation {even:.2f} and {odd:.2f} ({per_digit})"),
        *(
            (f"at 170° the plain model calls a {a} a {b}", share(plain, a, b, TELLING_DEG) > 0.5,
             f"{share(plain, a, b, TELLING_DEG):.0%} of 50; augmented "
             f"{share(rotated, a, b, TELLING_DEG):.0%}")
            for a, b in ((6, 9), (9, 6))
        ),
        ("at 170° the augmented model is surer of the 9s than of the 6s",
         telling(rotated, 9, TELLING_DEG) > telling(rotated, 6, TELLING_DEG),
         f"mean confidence {telling(rotated, 9, TELLING_DEG):.2f} and "
         f"{telling(rotated, 6, TELLING_DEG):.2f}"),
        ("the C4-equivariant model repeats every quarter turn", quarter < 1e-4,
         f"largest difference {quarter:.0e}"),
    ]  # fmt: skip
    lines = ["| statement | holds | measured |", "| --- | --- | --- |"]
    lines += [f"| {what} | {'yes' if holds else 'no'} | {how} |" for what, holds, how in rows]
    return "\n".join(lines)


def interpolation(task: str, key: str) -> str:
    """What turning there and back costs: an upper bound for the part of a dip that resampling
    explains.
    """
    result = evaluate(key, task, orbits.rotations(8), control=True)
    accuracy = result.aggregate("accuracy")
    return (
        f"{key}: {accuracy[0]:.1%} untouched, {accuracy.min():.1%} at worst after there and back."
    )


def main() -> None:
    """Writes the report."""
    parts = [HEAD, "## Digits\n", curves("digits"), "", statements(results("digits")), ""]
    parts += ["## What interpolation alone costs\n", interpolation("digits", "digits-plain"), ""]
    for task, title in (("fashion", "Clothes"), ("photos", "Photographs")):
        if catalog.models_for(task):
            parts += [f"## {title}\n", curves(task), ""]
    for task, report in OTHERS.items():
        parts += [report.section(opened(task)), ""]
    if (extra := nero_detection_report.PHOTOGRAPHS).is_file():
        parts += [extra.read_text("utf-8")]
    PATH.parent.mkdir(parents=True, exist_ok=True)
    PATH.write_text("\n".join(parts), encoding="utf-8")
    sys.stderr.write(f"Wrote {PATH.relative_to(PROJECT)}.\n")


if __name__ == "__main__":
    main()
