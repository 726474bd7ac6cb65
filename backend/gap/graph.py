"""The graph of nearest neighbours that layouts start from: exact for few rows, by lists for many.

By lists: rows are put into cells of some hundred alike ones (:func:`backend.gap.index.make_lists`),
and each row is compared in full with those of the cells nearest to its own. :func:`recall` tells
how many true neighbours that misses. Equal seeds give equal graphs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from backend.errors import BadRequest
from backend.gap.index import Lists, make_lists
from backend.gap.pairs import matrix
from backend.protocols import F32, I64

I32 = NDArray[np.int32]
NEIGHBOURS: Final = 15
EXACT_TO: Final = 4096  # rows up to which all distances are computed
CELL: Final = 384  # rows of a cell, about
PROBES: Final = 12  # cells that a row is compared with
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Graph:
    """Nearest neighbours: ``rows`` (n, m) with itself first, ``distances`` (n, m) Euclidean."""

    rows: I32
    distances: F32


def neighbours_of(
    rows: NDArray[Any],
    neighbours: int = NEIGHBOURS,
    seed: int = 0,
    progress: Progress | None = None,
) -> Graph:
    """The graph of rows (n, d); keep it to lay out again.

    Args:
        progress: is told (done, total) cells, where there are any.

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
    return _by_lists(rows, neighbours, seed, progress)


def recall(graph: Graph, rows: NDArray[Any], sample: int = 500, seed: int = 0) -> float:
    """Share of the true neighbours that the graph has, over a sample of rows; 1 is all."""
    rows = checked(rows)
    asked = np.random.default_rng(seed).permutation(len(rows))[:sample]
    others = graph.rows.shape[1] - 1
    true = nearest_others(rows, asked, others)
    hits = sum(len(np.intersect1d(a, b[1:])) for a, b in zip(true, graph.rows[asked], strict=True))
    return float(hits / true.size)


def nearest_others(rows: F32, asked: I64, count: int) -> I64:
    """(a, count) rows nearest to some, themselves left out, in no order."""
    squares = np.einsum("nd,nd->n", rows, rows)
    found = np.empty((len(asked), count), np.int64)
    size = max(1, 2**26 // len(rows))  # a block of distances takes 256 MB at most
    for start in range(0, len(asked), size):
        part = asked[start : start + size]
        far = squares - 2 * (rows[part] @ rows.T)
        far[np.arange(len(part)), part] = np.inf
        found[start : start + size] = np.argpartition(far, count - 1, axis=1)[:, :count]
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


def _exact(rows: F32, neighbours: int) -> Graph:
    """Itself first, then the nearest others."""
    near = nearest_others(rows, np.arange(len(rows)), neighbours - 1)
    far = np.linalg.norm(rows[near] - rows[:, None], axis=2)
    order = np.argsort(far, axis=1, kind="stable")
    near, far = np.take_along_axis(near, order, 1), np.take_along_axis(far, order, 1)
    own = np.arange(len(rows))[:, None]
    distances = np.concatenate([np.zeros((len(rows), 1)), far], axis=1).astype(np.float32)
    return Graph(np.concatenate([own, near], axis=1).astype(np.int32), distances)


def _by_lists(rows: F32, neighbours: int, seed: int, progress: Progress | None) -> Graph:
    cells = make_lists(rows, max(1, len(rows) // CELL), seed)
    # Rows of one cell lie side by side here, so that its part of the product is read once.
    sorted_rows = rows[cells.members]
    squares = np.einsum("nd,nd->n", sorted_rows, sorted_rows)
    near = np.empty((len(rows), neighbours), np.int32)
    far = np.empty((len(rows), neighbours), np.float32)
    for cell, others in enumerate(_near_cells(cells, PROBES, neighbours)):
        own = np.arange(cells.starts[cell], cells.starts[cell + 1])
        if len(own):
            met = np.concatenate([np.arange(*cells.starts[c : c + 2]) for c in others])
            products = sorted_rows[own] @ sorted_rows[met].T
            _keep_nearest(products, own, met, squares, cells.members, near, far)
        if progress:
            progress(cell + 1, len(cells.centres))
    return Graph(near, far)


def _near_cells(cells: Lists, probes: int, neighbours: int) -> list[I64]:
    """For each cell itself and the nearest others: ``probes`` of them, or more where those hold
    too few rows."""
    counts = np.diff(cells.starts)
    order = np.argsort(-(cells.centres @ cells.centres.T), axis=1, kind="stable")
    found = []
    for cell, line in enumerate(order):
        line = np.concatenate([[cell], line[line != cell]])
        enough = int(np.searchsorted(np.cumsum(counts[line]), neighbours + 1)) + 1
        found.append(line[: max(probes, enough)])
    return found


@njit(parallel=True, cache=True)
def _keep_nearest(
    products: F32, own: I64, met: I64, squares: F32, members: I64, near: I32, far: F32
) -> None:
    """Writes the nearest rows of some: itself first, then by distance."""
    width = near.shape[1]
    for q in prange(len(own)):
        at, row = own[q], members[own[q]]
        best = np.full(width, np.inf, np.float32)
        who = np.full(width, -1, np.int32)
        best[0], who[0] = -1, row
        for c in range(len(met)):
            square = squares[at] + squares[met[c]] - 2 * products[q, c]
            if square >= best[width - 1] or met[c] == at:
                continue
            place = width - 1
            while place > 1 and best[place - 1] > square:
                best[place], who[place] = best[place - 1], who[place - 1]
                place -= 1
            best[place], who[place] = square, members[met[c]]
        best[0] = 0
        for k in range(width):
            near[row, k], far[row, k] = who[k], np.sqrt(max(best[k], np.float32(0)))
