"""UMAP of very many points: a first picture from landmarks, then the layout of a stored graph.

First picture: umap-learn lays out some thousand rows drawn at random, and every other row is put
among the landmarks that are most like it. Full layout: the graph of nearest neighbours is found
once and kept, so another ``min_dist`` costs the layout only. Equal seeds give equal pictures.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from backend.errors import BadRequest
from backend.gap.pairs import matrix
from backend.protocols import F32, I64

LANDMARKS: Final = 1000
NEAREST: Final = 5  # landmarks that place a row
SHARPNESS: Final = 8.0
BLOCK: Final = 4096
NEIGHBOURS: Final = 15
FIRST_EPOCHS: Final = 150  # umap-learn takes 500 for so few rows; a first picture needs fewer
EXACT_TO: Final = 4096  # rows up to which all distances are computed


@dataclass(frozen=True, slots=True)
class Graph:
    """Nearest neighbours: ``rows`` (n, m) with itself first, ``distances`` (n, m) Euclidean."""

    rows: NDArray[np.int32]
    distances: F32


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
    count = min(NEAREST, len(marks))
    for start in range(0, len(rows), BLOCK):
        part = rows[start : start + BLOCK]
        far = squares - 2 * (part @ marks.T)
        near = np.argpartition(far, count - 1, axis=1)[:, :count]
        lengths = np.einsum("nd,nd->n", part, part)[:, None]
        distances = np.sqrt(np.maximum(np.take_along_axis(far, near, 1) + lengths, 0))
        least = distances.min(axis=1, keepdims=True)
        weights = np.exp(-SHARPNESS * (distances - least) / np.maximum(least, 1e-9))
        weights /= weights.sum(axis=1, keepdims=True)
        found[start : start + BLOCK] = np.einsum("nk,nkc->nc", weights, placed[near])
    found[chosen] = placed
    return found


def landmarks_of(n: int, landmarks: int, seed: int) -> I64:
    """Rows that are laid out first, in order."""
    return np.sort(np.random.default_rng(seed).permutation(n)[:landmarks])


def neighbours_of(rows: NDArray[Any], neighbours: int = NEIGHBOURS, seed: int = 0) -> Graph:
    """The graph that :func:`layout` starts from; keep it to lay out again.

    Raises:
        BadRequest: the rows are not usable, or there are not more of them than neighbours.
    """
    rows = checked(rows)
    if not 2 <= neighbours < len(rows):
        raise BadRequest(
            f"{neighbours} neighbours of {len(rows):,} rows cannot be found.",
            f"Allowed are 2 to {len(rows) - 1:,}.",
        )
    if len(rows) <= EXACT_TO:
        return _exact(rows, neighbours)
    state = np.random.RandomState(seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # umap-learn warns of packages that it can do without
        from umap.umap_ import nearest_neighbors

        indices, distances, _ = nearest_neighbors(rows, neighbours, "euclidean", {}, False, state)
    return Graph(indices.astype(np.int32), distances.astype(np.float32))


def _exact(rows: F32, neighbours: int) -> Graph:
    """Itself first, then the nearest others."""
    near = _nearest(rows, np.arange(len(rows)), neighbours - 1)
    far = np.linalg.norm(rows[near] - rows[:, None], axis=2)
    order = np.argsort(far, axis=1, kind="stable")
    near, far = np.take_along_axis(near, order, 1), np.take_along_axis(far, order, 1)
    own = np.arange(len(rows))[:, None]
    distances = np.concatenate([np.zeros((len(rows), 1)), far], axis=1).astype(np.float32)
    return Graph(np.concatenate([own, near], axis=1).astype(np.int32), distances)


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
    if len(graph.rows) != len(rows):
        raise BadRequest(
            f"The graph has {len(graph.rows):,} rows and the data {len(rows):,}.", "Make it anew."
        )
    if not 0 <= min_dist <= 1:
        raise BadRequest(f"min_dist = {min_dist:g} is out of range.", "Allowed are 0 to 1.")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # as above; and that a stored graph cannot place new rows
        from umap import UMAP

        made = UMAP(
            n_neighbors=graph.rows.shape[1],
            min_dist=min_dist,
            random_state=seed,
            n_jobs=1,
            n_epochs=epochs,
            precomputed_knn=(graph.rows, graph.distances),
        )
        found: F32 = made.fit_transform(rows).astype(np.float32)
    return found


def preservation(
    rows: NDArray[Any], placed: F32, neighbours: int = NEIGHBOURS, sample: int = 1000, seed: int = 0
) -> float:
    """Share of the nearest rows that are among the nearest places, over a sample of rows."""
    rows = checked(rows)
    asked = np.random.default_rng(seed).permutation(len(rows))[:sample]
    hits = [
        len(np.intersect1d(a, b))
        for a, b in zip(
            _nearest(rows, asked, neighbours), _nearest(placed, asked, neighbours), strict=True
        )
    ]
    return float(np.sum(hits) / (len(asked) * neighbours))


def _nearest(rows: F32, asked: I64, count: int) -> I64:
    """(a, count) rows nearest to some, themselves left out."""
    squares = np.einsum("nd,nd->n", rows, rows)
    far = squares - 2 * (rows[asked] @ rows.T)
    far[np.arange(len(asked)), asked] = np.inf
    found: I64 = np.argpartition(far, count - 1, axis=1)[:, :count]
    return found


def checked(rows: NDArray[Any]) -> F32:
    """Rows as float32.

    Raises:
        BadRequest: they are no finite numbers (n, d), or there are fewer than four.
    """
    found: F32 = np.ascontiguousarray(matrix(rows, "rows"), np.float32)
    if len(found) < 4:
        raise BadRequest(f"A map of {len(found)} rows cannot be made.", "Give at least 4.")
    bad = ~np.isfinite(found).all(axis=1)
    if bad.any():
        raise BadRequest(f"Row {int(np.argmax(bad))} holds values that are not finite.")
    return found
