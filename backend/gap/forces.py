"""What moves points in a UMAP layout, the same on any number of threads.

UMAP moves points one after the other, so threads would race. Here a point is moved by what the
others were at the start of the epoch and by its own way within it, so the order of points and the
number of threads change nothing. After McInnes, Healy and Melville 2018 (arXiv:1802.03426).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numba
import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]
I32 = NDArray[np.int32]
I64 = NDArray[np.int64]

HALVINGS: Final = 40  # of the search for the width of a point's surroundings


def edges_of(near: I32, far: F32) -> tuple[I64, I32, F32]:
    """UMAP's edges from both ends: those of point i are ``starts[i]`` to ``starts[i + 1]`` of
    ``others``, with their strengths as shares of the strongest.

    Args:
        near, far: (n, m) neighbours of each point, itself first, and their distances.
    """
    from scipy.sparse import csr_matrix

    n, count = near.shape
    nearest = np.where(far[:, 1:] > 0, far[:, 1:], np.inf).min(axis=1, initial=np.inf)
    beyond = np.maximum(far[:, 1:] - np.where(np.isfinite(nearest), nearest, 0)[:, None], 0)
    strengths = np.exp(-beyond / _widths(beyond, float(np.log2(count)))[:, None])
    starts = np.arange(0, n * (count - 1) + 1, count - 1)
    one_way = csr_matrix((strengths.ravel(), near[:, 1:].ravel(), starts), shape=(n, n))
    back = one_way.T.tocsr()
    both = (one_way + back - one_way.multiply(back)).tocsr()
    odds: F32 = (both.data / both.data.max()).astype(np.float32)
    return both.indptr.astype(np.int64), both.indices.astype(np.int32), odds


def _widths(beyond: F32, aim: float) -> F32:
    """(n,) the width at which a point's strengths add up to ``aim``, by halving."""
    low, high = np.zeros(len(beyond), np.float32), np.full(len(beyond), np.inf, np.float32)
    width = np.ones(len(beyond), np.float32)
    for _ in range(HALVINGS):
        is_wide = np.exp(-beyond / width[:, None]).sum(axis=1) > aim
        high[is_wide], low[~is_wide] = width[is_wide], width[~is_wide]
        width = np.where(np.isinf(high), 2 * width, (low + high) / 2).astype(np.float32)
    least: F32 = 1e-3 * np.maximum(beyond.mean(axis=1), 1e-6)  # points that lie on each other
    return np.maximum(width, least)


def curve_of(min_dist: float) -> tuple[np.float32, np.float32]:
    """UMAP's a and b, with which 1 / (1 + a d^2b) is 1 up to ``min_dist`` and falls beyond."""
    from scipy.optimize import curve_fit

    far = np.linspace(0, 3, 300)
    wanted = np.where(far < min_dist, 1.0, np.exp(min_dist - far))
    (a, b), _ = curve_fit(lambda d, a, b: 1 / (1 + a * d ** (2 * b)), far, wanted)
    return np.float32(a), np.float32(b)


def _epoch(
    xy: F32, moved: F32, starts: I64, others: I32, odds: F32, epoch: int, step: np.float32,
    curve: tuple[np.float32, np.float32], seed: int,
) -> None:  # fmt: skip
    """Writes the places after one epoch.

    Args:
        xy, moved: (n, 2) before and after.
        starts, others, odds: edges of point i are ``starts[i]`` to ``starts[i + 1]``; an edge
            pulls in the share ``odds`` of all epochs. Each edge is there from both its ends.
        step: of this epoch; curve: UMAP's a and b.
    """
    n, (a, b) = len(xy), curve
    for i in numba.prange(n):
        x, y = xy[i]
        state = np.uint64(seed) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(epoch * n + i + 1)
        for edge in range(starts[i], starts[i + 1]):
            if np.floor((epoch + 1) * odds[edge]) == np.floor(epoch * odds[edge]):
                continue
            other = others[edge]
            dx, dy = x - xy[other, 0], y - xy[other, 1]
            square = dx * dx + dy * dy
            if square > 0:
                power = square**b
                pull = np.float32(-4) * a * b * power / (square * (1 + a * power))
                x += step * min(max(pull * dx, np.float32(-8)), np.float32(8))
                y += step * min(max(pull * dy, np.float32(-8)), np.float32(8))
            for _ in range(5):  # points drawn at random push
                state = state * np.uint64(6364136223846793005) + np.uint64(1442695040888963407)
                other = np.int64((state >> np.uint64(33)) % np.uint64(n))
                dx, dy = x - xy[other, 0], y - xy[other, 1]
                square = dx * dx + dy * dy
                if other == i or square <= 0:
                    continue
                push = 2 * b / ((np.float32(0.001) + square) * (1 + a * square**b))
                x += step * min(max(push * dx, np.float32(-4)), np.float32(4))
                y += step * min(max(push * dy, np.float32(-4)), np.float32(4))
        moved[i, 0], moved[i, 1] = x, y


_JIT: dict[str, Any] = {"cache": True, "nogil": True, "parallel": True, "fastmath": True}
epoch_of: Callable[..., None] = numba.njit(**_JIT)(_epoch)
