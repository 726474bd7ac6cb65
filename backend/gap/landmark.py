"""UMAP of very many points: a first picture from landmarks, then the layout of a stored graph.

First picture: umap-learn lays out some thousand rows drawn at random, and every other row is put
among the landmarks that are most like it. Refined: the graph of nearest neighbours is found once
and kept, so another ``min_dist`` costs the layout only, which starts from the first picture and can
be shown as it goes. Equal seeds give equal pictures, whatever the number of threads.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any, Final

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from backend import umaps
from backend.errors import BadRequest
from backend.gap.forces import curve_of, edges_of, epoch_of
from backend.gap.graph import NEIGHBOURS, Graph, checked, nearest_others, neighbours_of
from backend.protocols import F32, I64

LANDMARKS: Final = 1000
NEAREST: Final = 5  # landmarks that place a row
SHARPNESS: Final = 8.0
BLOCK: Final = 4096
FIRST_EPOCHS: Final = 150  # umap-learn takes 500 for so few rows; a first picture needs fewer
EPOCHS: Final = 100  # of a refinement: the first picture has the coarse order already
STEP: Final = 1.0  # of the first of them


def first_picture(
    rows: NDArray[Any],
    landmarks: int = LANDMARKS,
    *,
    neighbours: int = NEIGHBOURS,
    min_dist: float = 0.1,
    seed: int = 0,
) -> F32:
    """(n, 2) places of rows (n, d), fast: only ``landmarks`` of them are laid out by UMAP.

    A row lies among the five landmarks nearest to it, nearer ones counting exponentially more.

    Raises:
        BadRequest: the rows are not usable, or there are fewer than four.
    """
    rows = checked(rows)
    chosen = landmarks_of(len(rows), landmarks, seed)
    marks = rows[chosen]
    graph = neighbours_of(marks, min(neighbours, len(marks) - 1), seed)
    placed = layout(marks, graph, min_dist=min_dist, seed=seed, epochs=FIRST_EPOCHS)
    found = np.empty((len(rows), 2), np.float32)
    squares = np.einsum("nd,nd->n", marks, marks)
    for start in range(0, len(rows), BLOCK):
        part = rows[start : start + BLOCK]
        lengths = np.einsum("nd,nd->n", part, part)
        _place(part @ marks.T, lengths, squares, placed, found[start : start + BLOCK])
    found[chosen] = placed
    return found


@njit(parallel=True, cache=True)
def _place(products: F32, lengths: F32, squares: F32, placed: F32, found: F32) -> None:
    """Puts each row between the landmarks nearest to it, by their distances from it."""
    count = min(NEAREST, len(squares))
    for i in prange(len(products)):
        best = np.full(count, np.inf, np.float32)
        who = np.zeros(count, np.int64)
        for mark in range(len(squares)):
            square = lengths[i] + squares[mark] - 2 * products[i, mark]
            if square >= best[count - 1]:
                continue
            place = count - 1
            while place > 0 and best[place - 1] > square:
                best[place], who[place] = best[place - 1], who[place - 1]
                place -= 1
            best[place], who[place] = square, mark
        far = np.sqrt(np.maximum(best, np.float32(0)))
        weights = np.exp(-SHARPNESS * (far - far[0]) / max(far[0], 1e-9))
        weights /= weights.sum()
        for axis in range(2):
            found[i, axis] = (weights * placed[who, axis]).sum()


def landmarks_of(n: int, landmarks: int, seed: int) -> I64:
    """Rows that are laid out first, in order."""
    return np.sort(np.random.default_rng(seed).permutation(n)[:landmarks])


def layout(
    rows: NDArray[Any],
    graph: Graph,
    *,
    min_dist: float = 0.1,
    seed: int = 0,
    epochs: int | None = None,
) -> F32:
    """(n, 2) UMAP of rows whose neighbours are known.

    Args:
        epochs: of the layout; umap-learn's own number without it.

    Raises:
        BadRequest: the graph is of other rows, or ``min_dist`` is not 0 to 1.
    """
    rows = checked(rows)
    _check(graph, len(rows), min_dist)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # as above; and that a stored graph cannot place new rows
        made = umaps.layout(
            n_neighbors=graph.rows.shape[1],
            min_dist=min_dist,
            random_state=seed,
            n_jobs=1,
            n_epochs=epochs,
            precomputed_knn=(graph.rows, graph.distances),
        )
        found: F32 = made.fit_transform(rows).astype(np.float32)
    return found


def refined(
    graph: Graph, start: F32, *, min_dist: float = 0.1, seed: int = 0, epochs: int = EPOCHS
) -> Iterator[F32]:
    """The places (n, 2) after each epoch of a layout that begins at ``start``.

    Each is a view that the next epoch overwrites; copy what is kept.

    Raises:
        BadRequest: the graph is of other rows, or ``min_dist`` is not 0 to 1.
    """
    _check(graph, len(start), min_dist)
    starts, others, odds = edges_of(graph.rows, graph.distances)
    curve = curve_of(min_dist)
    xy, moved = np.array(start, np.float32), np.empty_like(start, np.float32)
    for epoch in range(epochs):
        step = np.float32(STEP * (1 - epoch / epochs))
        epoch_of(xy, moved, starts, others, odds, epoch, step, curve, seed)
        xy, moved = moved, xy
        yield xy


def _check(graph: Graph, n: int, min_dist: float) -> None:
    if len(graph.rows) != n:
        raise BadRequest(
            f"The graph has {len(graph.rows):,} rows and the data {n:,}.", "Make it anew."
        )
    if not 0 <= min_dist <= 1:
        raise BadRequest(f"min_dist = {min_dist:g} is out of range.", "Allowed are 0 to 1.")


def preservation(
    rows: NDArray[Any], placed: F32, neighbours: int = NEIGHBOURS, sample: int = 1000, seed: int = 0
) -> float:
    """Share of the nearest rows that are among the nearest places, over a sample of rows."""
    rows = checked(rows)
    asked = np.random.default_rng(seed).permutation(len(rows))[:sample]
    return _shared(nearest_others(rows, asked, neighbours), placed, asked)


def kept(graph: Graph, placed: F32, sample: int = 1000, seed: int = 0) -> float:
    """As :func:`preservation`, of the neighbours that a graph knows."""
    asked = np.random.default_rng(seed).permutation(len(placed))[:sample]
    return _shared(graph.rows[asked, 1:], placed, asked)


def _shared(near: NDArray[Any], placed: F32, asked: I64) -> float:
    """Share of the rows ``near`` (m, k) that are among the k nearest places of the asked (m,)."""
    places = nearest_others(placed, asked, near.shape[1])
    hits = [len(np.intersect1d(a, b)) for a, b in zip(near, places, strict=True)]
    return float(np.sum(hits) / near.size)
