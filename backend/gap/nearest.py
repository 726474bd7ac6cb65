"""The K nearest of a large pool by cosine, exactly, in blocks of rows: the pool is never copied and
never sorted whole.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from backend.errors import BadRequest
from backend.gap.pairs import block_rows, check_rows, matrix, unit_rows
from backend.protocols import F32, I64


def nearest(
    queries: NDArray[Any], pool: NDArray[Any], k: int, *, is_checked: bool = False
) -> tuple[I64, F32]:
    """Rows (q, k) of the nearest items, nearest first, and their cosines (q, k).

    Equal cosines go by row.

    Args:
        queries: (q, d); pool: (p, d); real numbers, rows of any length but 0.
        k: how many, 1 to p.
        is_checked: whether the pool's rows are known to be usable, so that only products are
            computed.

    Raises:
        BadRequest: an array is not usable, dimensions differ, or k is out of range.
    """
    queries, pool = matrix(queries, "queries"), matrix(pool, "pool")
    if not len(queries):
        raise BadRequest("There is no query.", "Give at least one.")
    if queries.shape[1] != pool.shape[1]:
        raise BadRequest(
            f"Queries have {queries.shape[1]} dimensions and the pool {pool.shape[1]}.",
            "Both must lie in one space.",
        )
    if not 1 <= k <= len(pool):
        raise BadRequest(
            f"K = {k} is out of range for a pool of {len(pool):,}.", f"Allowed: 1 to {len(pool):,}."
        )
    check_rows(queries, "queries", normalise=True)
    if not is_checked:
        check_rows(pool, "pool", normalise=True)
    asked = unit_rows(queries)
    rows = np.empty((len(asked), 0), np.int64)
    cosines = np.empty((len(asked), 0), np.float32)
    size = block_rows(pool.shape[1])
    for start in range(0, len(pool), size):
        part = unit_rows(pool[start : start + size])
        found = asked @ part.T
        numbers = np.broadcast_to(np.arange(start, start + len(part)), found.shape)
        rows, cosines = _best(
            np.concatenate([rows, numbers], axis=1), np.concatenate([cosines, found], axis=1), k
        )
    return rows, cosines


def _best(rows: I64, cosines: F32, k: int) -> tuple[I64, F32]:
    """The k best columns of each line, best first, equal ones by row."""
    kept_rows = np.empty((len(rows), min(k, rows.shape[1])), np.int64)
    kept = np.empty(kept_rows.shape, np.float32)
    for line, (numbers, values) in enumerate(zip(rows, cosines, strict=True)):
        if len(values) > k:
            border = -np.partition(-values, k - 1)[k - 1]
            held = np.flatnonzero(values >= border)  # all that are equal to the last one, too
        else:
            held = np.arange(len(values))
        order = held[np.lexsort((numbers[held], -values[held]))][:k]
        kept_rows[line], kept[line] = numbers[order], values[order]
    return kept_rows, kept
