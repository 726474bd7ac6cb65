"""``python -m benchmarks.nero_piv_report``: what NERO finds about particle motion, as Markdown.

:func:`section` is part of docs/results/nero.md. Everything is measured from the shipped weights and
pairs, except the three seeds, which are in the network's card. What does not hold is said.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Final

import numpy as np

from backend import catalog
from backend.nero import OrbitResult, evaluate, orbits
from backend.nero.consensus import consensus, correlation
from backend.nero.orbits import SquareSymmetries

ORBIT: Final = orbits.square_symmetries()
NETWORK, FARNEBACK = "piv-net", "piv-farneback"
SEEDS: Final = 3
KEEP_DIRECTION: Final = (0, 7, 11, 12)
"""Elements under which a flow from left to right still is one: as it is, top–bottom, and left–right
and a half turn with time reversed."""
HEAD: Final = """## Particle motion

120 synthetic pairs of 128 × 128 px with exactly known fields, 20 of each of six families of flow;
the 16 symmetries of the square and of time. Root mean square error over the domain, in px per pair;
a smaller one is better. Synthetic: no recording and no simulation is in it.
"""


def section(found: Mapping[str, OrbitResult]) -> str:
    """The part of the report on particle motion, from the results of every model by key."""
    return "\n\n".join(
        (HEAD.rstrip(), by_family(found), by_element(found), statements(found), agreement(found))
    )


def by_family(found: Mapping[str, OrbitResult]) -> str:
    """As they are and over the orbit, for each family and method."""
    first = next(iter(found.values()))
    lines = [
        "| RMSE, as they are / mean over the orbit | " + " | ".join(found) + " |",
        "| --- |" + " --- |" * len(found),
    ]
    for label, family in [*enumerate(first.classes), (-1, "all")]:
        rows = np.flatnonzero((first.labels == label) | (label < 0))
        cells = [
            f"{result.metric[rows, 0].mean():.3f} / {result.metric[rows].mean():.3f}"
            for result in found.values()
        ]
        lines.append(f"| {family} | {' | '.join(cells)} |")
    cells = [f"{result.variance().mean():.2g}" for result in found.values()]
    lines.append(f"| variance over the elements, px² | {' | '.join(cells)} |")
    return "\n".join(lines)


def by_element(found: Mapping[str, OrbitResult]) -> str:
    """The best and the worst element of each method."""
    lines = ["| method | best element | worst element |", "| --- | --- | --- |"]
    for key, result in found.items():
        mean = result.aggregate("rmse")
        ends = [
            f"{result.elements[g]}: {mean[g]:.3f}" for g in (int(mean.argmin()), int(mean.argmax()))
        ]
        lines.append(f"| {key} | {ends[0]} | {ends[1]} |")
    return "\n".join(lines)


def statements(found: Mapping[str, OrbitResult]) -> str:
    """The source's statements, and the ordering over the seeds (N16)."""
    net, flow = found[NETWORK], found[FARNEBACK]
    card = catalog.card(NETWORK).metrics
    pairs = [
        (card[f"seed{s}_variance_px2"], card[f"seed{s}_rmse_px"], card[f"seed{s}_orbit_rmse_px"])
        for s in range(SEEDS)
    ]
    more = sum(variance > card["farneback_variance_px2"] for variance, _, _ in pairs)
    per_seed = "; ".join(f"{v:.2g} (RMSE {r:.3f}, orbit {o:.3f})" for v, r, o in pairs)
    mean = net.aggregate("rmse")
    kept, other = mean[list(KEEP_DIRECTION)], np.delete(mean, KEEP_DIRECTION)
    as_is = net.metric[:, 0].mean(), flow.metric[:, 0].mean()
    spread = np.sqrt(flow.variance()).mean() / flow.metric.mean()
    rows = [
        ("Farnebäck is better over the orbit", flow.metric.mean() < net.metric.mean(),
         f"{flow.metric.mean():.3f} and {net.metric.mean():.3f} px"),
        ("Farnebäck is better on the pairs as they are", as_is[1] < as_is[0],
         f"{as_is[1]:.3f} and {as_is[0]:.3f} px"),
        ("Farnebäck is almost perfectly equivariant", spread < 0.05,
         f"standard deviation over the elements {spread:.1%} of its error"),
        ("the network varies more than Farnebäck, 3 seeds", more == SEEDS,
         f"{more} of {SEEDS}: variance {per_seed} px²; Farnebäck "
         f"{card['farneback_variance_px2']:.2g} px²"),
        ("the network is best where left to right stays left to right", kept.max() < other.min(),
         f"{kept.min():.3f} to {kept.max():.3f} px at those 4 elements, {other.min():.3f} to "
         f"{other.max():.3f} px at the other 12"),
    ]  # fmt: skip
    lines = ["| statement | holds | measured |", "| --- | --- | --- |"]
    lines += [f"| {what} | {'yes' if holds else 'no'} | {how} |" for what, holds, how in rows]
    return "\n".join(lines)


def agreement(found: Mapping[str, OrbitResult]) -> str:
    """How far plots without a truth say what plots with one say."""
    lines = [
        "| method | correlation of the plots by truth and by consensus, median (quartiles) "
        "| RMSE by truth | by consensus |",
        "| --- | --- | --- | --- |",
    ]
    for key, result in found.items():
        low, middle, high = np.nanpercentile(correlation(result), [25, 50, 75])
        lines.append(
            f"| {key} | {middle:.2f} ({low:.2f} to {high:.2f}) | {result.metric.mean():.3f} px "
            f"| {consensus(result).metric.mean():.3f} px |"
        )
    lines.append(
        "\nA method that is equivariant has a flat plot, whose small ups and downs say nothing: "
        "its correlation is that of noise. Where the plot has a shape, the correlation says how "
        "far the consensus shows it."
    )
    return "\n".join(lines)


def results(orbit: SquareSymmetries = ORBIT) -> dict[str, OrbitResult]:
    """Every method along the orbit, computed here."""
    return {key: evaluate(key, "piv", orbit) for key in catalog.models_for("piv")}


if __name__ == "__main__":
    sys.stdout.write(section(results()) + "\n")
