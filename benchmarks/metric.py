"""How fast the measures of an embedding are, against the plain ways. One thread."""

from __future__ import annotations

from typing import Final

import numpy as np
import torch
from scipy.spatial.distance import cdist
from sklearn.neighbors import NearestNeighbors

from backend import metrics
from backend.metric_learning import (
    attribution,
    cars,
    neighbours,
    properties,
    rendering,
    shipped,
    zoo,
)
from backend.metric_learning.distances import pairs, pairwise
from benchmarks.table import Row, compare, seconds
from models import metric_net
from models.metric_features import tensor

N, D = 20_000, 128
QUERIES: Final = 100  # of the scikit-learn loop, whose time is told for all
FAR: Final = 3_000
IMAGES, ALONE = 4, 2  # of the attribution maps; all images need as long each
SAMPLES: Final = 8


def rows() -> list[Row]:
    """All rows."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return [sensitivity(), distances(), maps()]
    finally:
        torch.set_num_threads(threads)


def looped(x: np.ndarray, held: list[properties.Property], queries: int) -> np.ndarray:
    """Hits (p, q) of the first queries by scikit-learn, property by property."""
    found = np.zeros((len(held), queries))
    for k, one in enumerate(held):
        wanted = one.counts[one.codes] - 1
        search = NearestNeighbors(algorithm="brute").fit(x)
        for i in range(0, queries, 100):
            rows_ = slice(i, min(i + 100, queries))
            near = search.kneighbors(x[rows_], int(wanted[rows_].max()) + 1, False)
            for row, order in zip(range(rows_.start, rows_.stop), near, strict=True):
                others = order[order != row][: wanted[row]]
                found[k, row] = (one.codes[others] == one.codes[row]).sum()
    return found


def sensitivity() -> Row:
    """NR-Prec of eleven properties in one pass over the distances."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((N, D))
    held = properties.table(cars.sample(list("abcdef"), N, 0))
    neighbours.hits(pairs(x[:200], "euclidean"), [one.take(np.arange(200)) for one in held])
    hits = np.zeros(0)

    def ours() -> None:
        nonlocal hits
        hits = neighbours.hits(pairs(x, "euclidean"), held)

    mine = seconds(ours)
    loop = np.zeros(0)

    def other() -> None:
        nonlocal loop
        loop = looped(x, held, QUERIES)

    theirs = seconds(other) * N / QUERIES
    scored = [metrics.scores(row, one) for row, one in zip(hits, held, strict=True)]
    wide = [np.r_[row, hits[k, QUERIES:]] for k, row in enumerate(loop)]
    again = [metrics.scores(row, one) for row, one in zip(wide, held, strict=True)]
    gap = max(
        abs(a[:QUERIES].mean() - b[:QUERIES].mean()) for a, b in zip(scored, again, strict=True)
    )
    return Row(
        f"NR-Prec of 11 properties, n = {N:,}, d = {D}, against a scikit-learn loop a property",
        f"{mine:.1f} s",
        f"{theirs:.0f} s ({QUERIES} queries timed)",
        theirs / mine,
        "≥ 10×",
        f"largest difference {gap:.0e}",
        theirs / mine >= 10 and gap < 1e-9,
    )


def distances() -> Row:
    """Pairwise distances against scipy's cdist."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((FAR, D))
    mine, theirs = compare(lambda: pairwise(x, x), lambda: cdist(x, x), rounds=3)
    gap = float(np.abs(pairwise(x, x) - cdist(x, x)).max())
    return Row(
        f"pairwise distances, {FAR:,} × {FAR:,}, d = {D}, against scipy's cdist",
        f"{1e3 * mine:.0f} ms",
        f"{1e3 * theirs:.0f} ms",
        theirs / mine,
        "≥ 7×",
        f"largest difference {gap:.0e}",
        theirs / mine >= 7 and gap < 1e-3,
    )


def maps() -> Row:
    """Maps of fifteen losses that share their front, against each image and loss alone, through
    the network as it was trained."""
    losses = [loss for loss in zoo.tails() if not loss.endswith("+bg")]
    mesh, plain = next(iter(shipped.meshes().values())), metric_net.trunk()
    turns = [{**cars.DEFAULTS, "car_rotation": 15.0 * k} for k in range(IMAGES)]
    x = tensor(np.stack([rendering.render(mesh, one)[0] for one in turns])).numpy()
    tails, fars = [zoo.tail(loss) for loss in losses], [zoo.distance(loss) for loss in losses]

    def front(y: torch.Tensor) -> torch.Tensor:
        return metric_net.front(zoo.trunk(), y)

    def alone() -> np.ndarray:
        made = [
            attribution.smoothgrad_distance(
                lambda y, one=tail: one(metric_net.front(plain, y)),
                x[i : i + 1], far, SAMPLES, batch=1,
            )
            for i in range(ALONE)
            for tail, far in zip(tails[:4], fars[:4], strict=True)
        ]  # fmt: skip
        return np.concatenate(made)

    def ours() -> np.ndarray:
        return attribution.smoothgrad_of_tails(front, tails, fars, x, SAMPLES)

    mine, theirs = compare(ours, alone, rounds=2)
    mine, theirs = mine / (len(x) * len(tails)), theirs / (ALONE * 4)
    gap = float(np.abs(ours()[0, :1] - alone()[:1]).max())
    return Row(
        f"a map, {SAMPLES} copies, 15 losses at once, folded, against one by one, unfolded",
        f"{mine:.2f} s",
        f"{theirs:.2f} s",
        theirs / mine,
        "≥ 2.5×",
        f"largest difference {gap:.0e} of 1",
        theirs / mine >= 2.5 and gap < 0.02,
    )
