"""Patches of pictures: the strongest places, kept apart, embedded, clustered.

Source: Advancing Vision Intelligence (dissertation, 2024), section 3.4.3. Where it is silent: a
patch is 3 x 3 cells of 8 px; a place is strong by the absolute value of its sum, so that patches
that hurt are found too; five a picture, overlapping by at most 0.3 (intersection over union); the
elbow is the number of clusters farthest below the chord of the inertia curve.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import KMeans

from backend.protocols import F32, I64

SIDE: Final = 3  # cells of 8 px
PER_IMAGE: Final = 5
OVERLAP: Final = 0.3
CLUSTERS: Final = (2, 4, 6, 8, 10, 12, 15, 18, 21, 25, 30, 40, 50, 60)
MOST_FITTED: Final = 4000  # patches that the centres are fitted to

F64 = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Clusters:
    """Cluster (p,) of each patch, distance (p,) to its centre, and the curve of the elbow."""

    owner: I64
    distance: F64
    tried: I64
    inertia: F64
    chosen: int


def windows(heat: F32, side: int = SIDE) -> F64:
    """Sums (h - side + 1, w - side + 1) of a map (h, w) over squares."""
    total = np.zeros((heat.shape[0] + 1, heat.shape[1] + 1))
    total[1:, 1:] = np.asarray(heat, np.float64).cumsum(0).cumsum(1)
    return total[side:, side:] - total[:-side, side:] - total[side:, :-side] + total[:-side, :-side]


def overlap(a: tuple[int, int], b: tuple[int, int], side: int = SIDE) -> float:
    """Intersection over union of two squares by their corners."""
    high, wide = (max(0, side - abs(p - q)) for p, q in zip(a, b, strict=True))
    return high * wide / (2 * side * side - high * wide)


def strongest(
    heat: F32, count: int = PER_IMAGE, side: int = SIDE, most: float = OVERLAP
) -> list[tuple[int, int, float]]:
    """Row, column and sum of the strongest squares of a map, non-maxima suppressed.

    Squares whose sum is zero are never chosen.
    """
    sums = windows(heat, side)
    order = np.argsort(-np.abs(sums), axis=None, kind="stable")
    chosen: list[tuple[int, int, float]] = []
    for place in order:
        row, column = divmod(int(place), sums.shape[1])
        value = float(sums[row, column])
        if value == 0 or len(chosen) == count:
            break
        if all(overlap((row, column), one[:2], side) <= most for one in chosen):
            chosen.append((row, column, value))
    return chosen


def elbow(tried: I64, inertia: F64) -> int:
    """The number of clusters farthest below the line from the first to the last."""
    if len(tried) < 3 or np.ptp(inertia) == 0:
        return int(tried[0])
    x = (tried - tried[0]) / (tried[-1] - tried[0])
    y = (inertia - inertia[-1]) / (inertia[0] - inertia[-1])
    return int(tried[int(np.argmax(1 - x - y))])


def clustered(embeddings: F32, seed: int = 0, tried: tuple[int, ...] = CLUSTERS) -> Clusters:
    """K-means with the elbow over embeddings (p, d); one cluster where there are too few."""
    whole = np.asarray(embeddings, np.float32)
    distinct = len(np.unique(whole, axis=0))
    usable = [k for k in tried if k <= distinct // 2]
    if not usable:
        owner = np.zeros(len(whole), np.int64)
        return Clusters(owner, np.zeros(len(whole)), np.array([1]), np.zeros(1), 1)
    rng = np.random.default_rng(seed)
    fitted = whole
    if len(whole) > MOST_FITTED:
        fitted = whole[np.sort(rng.choice(len(whole), MOST_FITTED, replace=False))]
    models = [KMeans(k, n_init=2, max_iter=50, random_state=seed).fit(fitted) for k in usable]
    curve = np.array([model.inertia_ for model in models], np.float64)
    chosen = elbow(np.array(usable), curve)
    away = models[usable.index(chosen)].transform(whole)
    owner = away.argmin(1).astype(np.int64)
    return Clusters(
        owner, away[np.arange(len(whole)), owner].astype(np.float64),
        np.array(usable, np.int64), curve, chosen,
    )  # fmt: skip
