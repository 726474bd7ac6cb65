"""Rows of the benchmark table, and how two ways of doing the same are timed."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Row:
    """One measured comparison.

    Attributes:
        name: what is compared, with its size.
        ours, other: the two measurements, with units.
        ratio: how many times better ours is (``nan`` where only ours counts).
        goal: what was promised.
        companion: proof that both do the same: a measured difference, a count.
        ok: whether goal and companion hold.
    """

    name: str
    ours: str
    other: str
    ratio: float
    goal: str
    companion: str
    ok: bool


def seconds(work: Callable[[], object]) -> float:
    """Time of one run: the smaller of wall and processor time.

    On a machine that others use too, the wall time of a single thread counts their work; the
    processor time of several threads counts each of them. The smaller one is right for both, as
    long as ``work`` does not wait for another process.
    """
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return min(time.perf_counter() - wall, time.process_time() - cpu)


def compare(
    ours: Callable[[], object],
    other: Callable[[], object],
    rounds: int = 5,
    clock: Callable[[Callable[[], object]], float] = seconds,
) -> tuple[float, float]:
    """Best times of both in seconds, taken in turns so that a busy moment hits both.

    Each is run once before, uncounted. Give ``clock=wall`` when the work is done elsewhere.
    """
    ours(), other()
    best = [float("inf"), float("inf")]
    gc.collect()
    for _ in range(rounds):
        for i, work in enumerate((ours, other)):
            best[i] = min(best[i], clock(work))
    return best[0], best[1]


def wall(work: Callable[[], object]) -> float:
    """Wall time of one run in seconds."""
    start_s = time.perf_counter()
    work()
    return time.perf_counter() - start_s


def timed(work: Callable[[], T]) -> tuple[float, T]:
    """Wall time of one run in seconds, and what it returns."""
    start_s = time.perf_counter()
    found = work()
    return time.perf_counter() - start_s, found


def told(name: str, ours: float, other: float, goal: str, proof: str, ok: bool) -> Row:
    """A row of two times in seconds."""
    texts = [f"{s:.2f} s" if s >= 1 else f"{1e3 * s:.0f} ms" for s in (ours, other)]
    return Row(name, *texts, other / ours, goal, proof, ok)


def rendered(rows: Sequence[Row]) -> str:
    """The table as Markdown."""
    head = ("", "what", "ours", "other", "ratio", "goal", "proof")
    lines = [
        (
            "yes" if row.ok else "NO",
            row.name,
            row.ours,
            row.other,
            f"{row.ratio:.3g}×" if row.ratio == row.ratio else "",
            row.goal,
            row.companion,
        )
        for row in rows
    ]
    widths = [max(len(line[i]) for line in (head, *lines)) for i in range(len(head))]
    cells = [head, tuple("-" * width for width in widths), *lines]
    padded = [
        [cell.ljust(width) for cell, width in zip(line, widths, strict=True)] for line in cells
    ]
    return "\n".join(f"| {' | '.join(line)} |" for line in padded)
