"""``python -m benchmarks.nero_points_report``: what NERO finds about clouds of points, as Markdown.

:func:`section` is part of docs/results/nero.md. Everything is measured from the shipped weights and
clouds, except the other two seeds, which are in the cards. What does not hold is said.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from backend import catalog
from backend.nero import OrbitResult, evaluate, orbits
from backend.nero.orbits import AxisAngleDisc
from backend.protocols import F32

ORBIT: Final = orbits.axis_angle_disc()
PLAIN, ROTATED = "points-plain", "points-rotated"
SEEDS: Final = 3
NEAR_DEG, FAR_DEG = 15.0, 30.0
SURE, UNSURE = 0.6, 0.4  # mean confidence about the vertical axis, and about all others
HEAD: Final = """## Point clouds

2,048 points on the surface of each of 100 furniture models of Sweet Home 3D in ten classes, none of
which a model was trained on; three discs of 24 axes and 13 rotation angles (0° to 180°), every cell
counted once. Confidence is the probability of the true class.
"""


def section(found: Mapping[str, OrbitResult]) -> str:
    """The part of the report on clouds, from the results of both variants by key."""
    return "\n\n".join(
        (HEAD.rstrip(), table(found), per_seed(), by_class(found), statements(found), names(found))
    )


def table(found: Mapping[str, OrbitResult]) -> str:
    """Accuracy and confidence upright and over the discs."""
    lines = [
        "| model | trained on: accuracy | upright: accuracy | upright: confidence "
        "| discs: accuracy | discs: confidence | spread over the discs | worst cell |",
        "| --- |" + " --- |" * 7,
    ]
    for key, result in found.items():
        curve, right = result.aggregate("confidence"), result.aggregate("accuracy")
        worst = int(right.argmin())
        lines.append(
            f"| {key} | {catalog.card(key).metrics['train_accuracy']:.1%} | {right[0]:.1%} "
            f"| {curve[0]:.3f} | {right.mean():.1%} | {curve.mean():.3f} | {curve.std():.3f} "
            f"| {right[worst]:.1%} at {result.elements[worst]} |"
        )
    return "\n".join(lines)


def seed_values(key: str, name: str) -> list[float]:
    """A number of a card for each seed; the first one is of the shipped weights."""
    metrics = catalog.card(key).metrics
    return [metrics[name], *(metrics[f"seed{s}_{name}"] for s in range(1, SEEDS))]


def per_seed() -> str:
    """Both variants over three seeds, on the coarser discs that the cards report on."""
    lines = [
        "Three seeds, on discs of 12 axes and 7 angles (252 cells):\n",
        "| model | upright accuracy | mean confidence over the discs | its standard deviation over "
        "the discs |",
        "| --- | --- | --- | --- |",
    ]
    for key in (PLAIN, ROTATED):
        cells = [
            ", ".join(f"{value:{form}}" for value in seed_values(key, name))
            for name, form in (
                ("upright_accuracy", ".1%"),
                ("disc_mean", ".3f"),
                ("disc_spread", ".3f"),
            )
        ]
        lines.append(f"| {key} | {' | '.join(cells)} |")
    return "\n".join(lines)


def by_class(found: Mapping[str, OrbitResult]) -> str:
    """Mean confidence of each class: upright, about the vertical axis, about all other axes."""
    first = next(iter(found.values()))
    lines = [
        f"Mean confidence upright / turned by {FAR_DEG:g}° or more about the vertical axis / about "
        "any other:\n",
        f"| class | models | {' | '.join(found)} |",
        "| --- | --- |" + " --- |" * len(found),
    ]
    for label, name in enumerate(first.classes):
        rows = np.flatnonzero(first.labels == label)
        cells = []
        for result in found.values():
            about, others = stripe(result)
            upright = result.metric[rows, 0].mean()
            cells.append(f"{upright:.2f} / {about[rows].mean():.2f} / {others[rows].mean():.2f}")
        lines.append(f"| {name} | {len(rows)} | {' | '.join(cells)} |")
    return "\n".join(lines)


def stripe(result: OrbitResult) -> tuple[F32, F32]:
    """Mean confidence (n,) of each cloud turned about the vertical axis, and about all others.

    Cells turned by less than FAR_DEG are left out, since there every axis does little.
    """
    plane, axis, angle = result.positions.T
    is_vertical = (plane > 0) & (axis % 180 == 90)  # of the planes xz and yz
    is_far = angle >= FAR_DEG
    return (
        result.metric[:, is_vertical & is_far].mean(axis=1),
        result.metric[:, ~is_vertical & is_far].mean(axis=1),
    )


def is_striped(result: OrbitResult) -> NDArray[np.bool_]:
    """The clouds (n,) that keep their class about the vertical axis and lose it about others."""
    about, others = stripe(result)
    striped: NDArray[np.bool_] = (about >= SURE) & (others <= UNSURE)
    return striped


def statements(found: Mapping[str, OrbitResult]) -> str:
    """The source's statements about clouds, and their orderings over the seeds."""
    plain, rotated = found[PLAIN], found[ROTATED]
    curve = plain.aggregate("confidence")
    angle = plain.positions[:, 2]
    near, far = curve[angle <= NEAR_DEG].mean(), curve[angle > NEAR_DEG].mean()
    means = [seed_values(key, "disc_mean") for key in (PLAIN, ROTATED)]
    spreads = [seed_values(key, "disc_spread") for key in (PLAIN, ROTATED)]
    flatter = sum(b < a for a, b in zip(*spreads, strict=True))
    higher = sum(b > a for a, b in zip(*means, strict=True))
    counts = [int(is_striped(result).sum()) for result in (plain, rotated)]
    upright = [result.aggregate("accuracy")[0] for result in (plain, rotated)]
    about, others = stripe(plain)
    rows = [
        ("the plain model's bright spot is at the centre only", near > far,
         f"mean confidence {near:.3f} up to {NEAR_DEG:g}°, {far:.3f} beyond"),
        ("the augmented model's disc is more uniform, 3 seeds", flatter == SEEDS,
         f"{flatter} of {SEEDS}: spread {_three(spreads[0])} plain, {_three(spreads[1])} "
         "augmented"),
        ("augmentation raises the mean over the discs, 3 seeds", higher == SEEDS,
         f"{higher} of {SEEDS}: {_three(means[0])} plain, {_three(means[1])} augmented"),
        ("the plain model copes better with turns about the vertical axis",
         about.mean() > others.mean(),
         f"mean confidence {about.mean():.3f} about it, {others.mean():.3f} about others"),
        ("some clouds have a stripe in the plain model only", counts[0] > counts[1],
         f"{counts[0]} of {len(plain)} plain, {counts[1]} augmented"),
        ("augmentation costs accuracy upright", upright[1] < upright[0],
         f"{upright[0]:.1%} plain, {upright[1]:.1%} augmented"),
    ]  # fmt: skip
    lines = ["| statement | holds | measured |", "| --- | --- | --- |"]
    lines += [f"| {what} | {'yes' if holds else 'no'} | {how} |" for what, holds, how in rows]
    return "\n".join(lines)


def _three(values: list[float]) -> str:
    return ", ".join(f"{value:.3f}" for value in values)


def names(found: Mapping[str, OrbitResult]) -> str:
    """Which clouds have the stripe, and how clear it is in the clearest ones."""
    result = found[PLAIN]
    about, others = stripe(result)
    rows = np.flatnonzero(is_striped(result))
    rows = rows[np.argsort(others[rows] - about[rows])]
    if not len(rows):
        return "No cloud has a stripe in the plain model."
    told = [
        f"{result.item_names[row]} ({about[row]:.2f} and {others[row]:.2f})" for row in rows[:10]
    ]
    kinds = sorted({result.classes[result.labels[row]] for row in rows})
    return (
        f"A stripe is a mean confidence of at least {SURE:g} about the vertical axis and of at "
        f"most {UNSURE:g} about all others (turned by {FAR_DEG:g}° or more). In the plain model "
        f"it is found in {len(rows)} clouds, of the classes {', '.join(kinds)}; the clearest: "
        f"{'; '.join(told)}."
    )


def results(orbit: AxisAngleDisc = ORBIT) -> dict[str, OrbitResult]:
    """Both variants along the discs, computed here."""
    return {key: evaluate(key, "points", orbit) for key in (PLAIN, ROTATED)}


if __name__ == "__main__":
    sys.stdout.write(section(results()) + "\n")
