"""How fast exact measures and the slider of the modality gap are, against the plain ways."""

from __future__ import annotations

import resource
import time
from typing import Final

import numpy as np

from backend.gap import slider
from backend.gap.measures import measure
from backend.gap.retrieval import batch_loss, recall_at
from backend.gap.slider import Slider
from backend.protocols import F32
from benchmarks.table import Row, compare

PAIRS: Final = 5_000
WIDTH: Final = 512
MANY: Final = 100_000
UPDATES: Final = 15  # a second, promised while the slider is dragged


def rows() -> list[Row]:
    """All rows."""
    return [dragged(), measured()]


def pairs(n: int, d: int = WIDTH) -> tuple[F32, F32]:
    """Images and texts around two centres, unit rows."""
    rng = np.random.default_rng(0)
    shared = rng.normal(size=(n, d)).astype(np.float32)
    made = []
    for sign in (1, -1):
        rows_ = shared + 0.5 * rng.normal(size=(n, d)).astype(np.float32)
        rows_[:, 0] += sign * 8
        made.append(rows_ / np.linalg.norm(rows_, axis=1, keepdims=True))
    return made[0], made[1]


def dragged() -> Row:
    """One update of the slider against shifting and ranking anew."""
    images, texts = pairs(PAIRS)
    held = Slider(images, texts, temperature=0.01)
    gap = held.at(0.0).gap

    def plain() -> float:
        moved = slider.shift(images, texts, gap / 2)
        found = recall_at(moved[1], moved[0], (1,)).at[1]
        recall_at(moved[0], moved[1], (1,))
        for start in range(0, PAIRS - 511, 512):
            part = slice(start, start + 512)
            batch_loss(moved[0][part] @ moved[1][part].T, 0.01)
        return found

    ours, other = compare(lambda: held.at(gap / 2), plain, rounds=3)
    apart = abs(held.at(gap / 2).recall["text_to_image"][1] - plain())
    return Row(
        f"slider: one update, {PAIRS:,} pairs x {WIDTH}",
        f"{1000 * ours:.0f} ms",
        f"{1000 * other:.0f} ms, shift and rank anew",
        other / ours,
        f"≥ {UPDATES} updates a second",
        f"R@1 differs by {apart:.4f}",
        ours <= 1 / UPDATES and apart <= 0.001,
    )


def measured() -> Row:
    """Exact measures in blocks, and the memory they take beside the inputs."""
    images, texts = pairs(MANY)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.perf_counter()
    report = measure(images, texts, bootstrap=0)
    seconds = time.perf_counter() - start
    more = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    return Row(
        f"measures of {MANY:,} pairs x {WIDTH}",
        f"{seconds:.1f} s, {more:.0f} MiB over the inputs",
        f"{MANY * MANY * 4 / 2**30:.0f} GiB for all cosines at once",
        float("nan"),
        "≤ 1 GiB over the inputs",
        f"uniformity from {report.uniformity_pairs:,} unmatched pairs",
        more <= 1024,
    )
