"""Nearest rows of large pools against sorting all of them.

LOUPE_BENCH_ROWS sets the size (1,000,000 rows of 512): a smaller one fits a small machine, and each
row says what it ran on.
"""

from __future__ import annotations

import os
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from backend.gap import index as indexes
from benchmarks.table import Row, compare, told, wall

ROWS: Final = int(os.environ.get("LOUPE_BENCH_ROWS", "1000000"))
WIDTH, K, BATCH, PROBES = 512, 100, 64, 16
TOPICS: Final = 2_000
F32 = NDArray[np.float32]


def rows() -> list[Row]:
    """All rows."""
    return nearest()


def pool(n: int, width: int, topics: int = TOPICS) -> F32:
    """(n, width) simulated embeddings: unit rows around topics, as encoders make them."""
    rng = np.random.default_rng(0)
    centres = rng.standard_normal((topics, width), np.float32)
    found = np.empty((n, width), np.float32)
    for start in range(0, n, 50_000):
        size = min(50_000, n - start)
        part = centres[rng.integers(topics, size=size)]
        part = part + 0.7 * rng.standard_normal((size, width), np.float32)
        found[start : start + size] = part / np.linalg.norm(part, axis=1, keepdims=True)
    return found


def nearest() -> list[Row]:
    """Top 100: one query and 64, exactly and by lists, against sorting all products."""
    held = pool(ROWS, WIDTH)
    rng = np.random.default_rng(1)
    asked = held[rng.integers(ROWS, size=BATCH)] + 0.02 * rng.standard_normal(
        (BATCH, WIDTH), np.float32
    )
    index = indexes.build(held)
    size = f"top {K} of {ROWS:,} x {WIDTH}"
    found = [
        _exact(index, held, asked[:n], f"{size}, {n} queries", goal, rounds)
        for n, goal, rounds in GOALS
    ]
    index.near(asked[:1], K, PROBES)
    recall = index.recall(K, PROBES)
    ours, other = compare(
        lambda: index.near(asked[:1], K, PROBES), lambda: sorted_all(held, asked[:1]), 10, wall
    )
    name, proof = f"{size}, 1 query, by lists", f"recall {recall:.3f}, measured on the pool"
    is_good = other / ours >= 50 and recall >= 0.97
    found.append(told(name, ours, other, "≥ 50", proof, is_good))
    return found


GOALS: Final = ((1, 6.0, 10), (BATCH, 10.0, 2))  # queries, ratio, rounds


def sorted_all(held: F32, asked: F32) -> NDArray[Any]:
    """The plain way: all products, all sorted."""
    return np.argsort(-(asked @ held.T), axis=1)[:, :K]


def _exact(index: indexes.Index, held: F32, asked: F32, name: str, goal: float, rounds: int) -> Row:
    ours, other = compare(
        lambda: index.search(asked, K), lambda: sorted_all(held, asked), rounds, wall
    )
    got, want = index.search(asked, K).rows, sorted_all(held, asked)
    hits = sum(len(np.intersect1d(a, b)) for a, b in zip(got, want, strict=True)) / want.size
    is_good = other / ours >= goal and hits > 0.9999
    return told(name, ours, other, f"≥ {goal:g}", f"recall {hits:.4f}", is_good)
