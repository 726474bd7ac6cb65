"""The inner loops of the slider, compiled by numba; compiled code is kept in ``__pycache__``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]
I32 = NDArray[np.int32]
I64 = NDArray[np.int64]


def _shifted_ranks(
    cosines: F32, u: F32, v: F32, a: np.float32, by: tuple[F32, F32], concept: I32, members: I64
) -> I32:
    """How many wrong answers score at least as high as the best right one, (2, n): texts for each
    image, images for each text.

    Args:
        cosines: (n, n) before the shift; u, v: (n,) components of images and texts along the gap.
        a: half the shift.
        by: 1 / length after the shift, of images and of texts, (n,) each. A query's own length
            changes no order, so only that of the answers enters.
        concept: (n,) equal where pairs answer each other; members: (n,) rows sorted by concept.
    """
    n = len(u)
    by_image, by_text = by
    best_text = np.full(n, -np.inf, np.float32)
    best_image = np.full(n, -np.inf, np.float32)
    start = 0
    for stop in range(1, n + 1):
        if stop < n and concept[members[stop]] == concept[members[start]]:
            continue
        for p in range(start, stop):
            i = members[p]
            up = a * u[i] - a * a
            for q in range(start, stop):
                j = members[q]
                product = cosines[i, j] + (up - a * v[j])
                best_text[i] = max(best_text[i], product * by_text[j])
                best_image[j] = max(best_image[j], product * by_image[i])
        start = stop
    ranks = np.zeros((2, n), np.int32)
    for i in range(n):
        up, mine, scale, kind = a * u[i] - a * a, best_text[i], by_image[i], concept[i]
        before = np.int32(0)
        for j in range(n):
            product = cosines[i, j] + (up - a * v[j])
            is_wrong = concept[j] != kind
            before += np.int32((product * by_text[j] >= mine) & is_wrong)
            ranks[1, j] += np.int32((product * scale >= best_image[j]) & is_wrong)
        ranks[0, i] = before
    return ranks


_JIT: dict[str, Any] = {"cache": True, "nogil": True}
shifted_ranks: Callable[..., I32] = numba.njit(**_JIT)(_shifted_ranks)
