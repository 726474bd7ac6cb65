"""Nearest rows of large pools, maps from landmarks, and very many points, against the plain ways.

Sizes are LOUPE_BENCH_ROWS (1,000,000 rows of 512) and LOUPE_BENCH_MAP (100,000 rows of 64): smaller
ones fit a small machine, and each row says what it ran on.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from backend.gap import graph as graphs
from backend.gap import index as indexes
from backend.gap import landmark
from benchmarks import scatter
from benchmarks.table import Row, compare, wall

ROWS: Final = int(os.environ.get("LOUPE_BENCH_ROWS", "1000000"))
MAPPED: Final = int(os.environ.get("LOUPE_BENCH_MAP", "100000"))
WIDTH, MAP_WIDTH, K, BATCH, PROBES = 512, 64, 100, 64, 16
TOPICS: Final = 2_000
F32 = NDArray[np.float32]


def rows() -> list[Row]:
    """All rows."""
    return [*nearest(), *mapped(), *scatter.rows()]


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
    found = [_exact(index, held, asked[:n], f"{size}, {n} queries", goal) for n, goal in GOALS]
    index.near(asked[:1], K, PROBES)
    recall = index.recall(K, PROBES)
    ours, other = compare(
        lambda: index.near(asked[:1], K, PROBES), lambda: sorted_all(held, asked[:1]), 3, wall
    )
    name, proof = f"{size}, 1 query, by lists", f"recall {recall:.3f}, measured on the pool"
    is_good = other / ours >= 50 and recall >= 0.97
    found.append(_row(name, ours, other, "≥ 50", proof, is_good))
    return found


GOALS: Final = ((1, 6.0), (BATCH, 10.0))


def sorted_all(held: F32, asked: F32) -> NDArray[Any]:
    """The plain way: all products, all sorted."""
    return np.argsort(-(asked @ held.T), axis=1)[:, :K]


def _exact(index: indexes.Index, held: F32, asked: F32, name: str, goal: float) -> Row:
    ours, other = compare(lambda: index.search(asked, K), lambda: sorted_all(held, asked), 2, wall)
    got, want = index.search(asked, K).rows, sorted_all(held, asked)
    hits = sum(len(np.intersect1d(a, b)) for a, b in zip(got, want, strict=True)) / want.size
    is_good = other / ours >= goal and hits > 0.9999
    return _row(name, ours, other, f"≥ {goal:g}", f"recall {hits:.4f}", is_good)


def mapped() -> list[Row]:
    """A first picture from landmarks against umap-learn on all rows."""
    held = pool(MAPPED, MAP_WIDTH, 200)
    # The first call compiles; and equal seeds give equal pictures.
    one, two = (landmark.first_picture(held[:500], 200) for _ in range(2))
    is_same = (one == two).all()
    ours, first = timed(lambda: landmark.first_picture(held))
    graph_s, graph = timed(lambda: graphs.neighbours_of(held))
    layout_s, full = timed(lambda: landmark.layout(held, graph))
    kept = [landmark.preservation(held, xy) for xy in (first, full)]
    size = f"{MAPPED:,} x {MAP_WIDTH}"
    proof = f"neighbours kept {kept[0]:.3f}, by umap-learn {kept[1]:.3f}"
    proof += "; same seed, same picture" if is_same else "; the same seed gave another picture"
    other = graph_s + layout_s
    is_good = bool(is_same) and other / ours >= 20 and kept[0] >= 0.8 * kept[1]
    again = f"graph {graph_s:.1f} s, layout {layout_s:.1f} s"
    return [
        _row(f"UMAP of {size}, first picture", ours, other, "≥ 20, ≥ 0.8 kept", proof, is_good),
        _row(f"UMAP of {size}, another min_dist", layout_s, other, "≥ 1", again, True),
    ]


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds of one run, and what it returns."""
    start = time.perf_counter()
    found = work()
    return time.perf_counter() - start, found


def _row(name: str, ours: float, other: float, goal: str, proof: str, ok: bool) -> Row:
    told = [f"{s:.2f} s" if s >= 1 else f"{1e3 * s:.0f} ms" for s in (ours, other)]
    return Row(name, told[0], told[1], other / ours, goal, proof, ok)
