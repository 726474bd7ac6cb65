"""How fast exact measures and the slider of the modality gap are, against the plain ways."""

from __future__ import annotations

import tempfile
import tracemalloc
from pathlib import Path
from typing import Final

import numpy as np

from backend.gap import slider
from backend.gap.measures import measure
from backend.gap.retrieval import batch_loss, recall_at
from backend.gap.slider import Slider
from backend.protocols import F32
from benchmarks.table import Row, compare, timed

PAIRS: Final = 5_000
WIDTH: Final = 512
MANY, MOST = 50_000, 1_000_000
DRAGGED_S: Final = 4
PATIENCE_MS: Final = 120_000
DRAG: Final = """
async (seconds) => {
    const slide = document.getElementById("modality-gap-delta"), {rate} = loupe.gapSlider;
    const [low, high] = [Number(slide.min), Number(slide.max)], start = performance.now();
    const before = rate.updates;
    while (performance.now() - start < 1000 * seconds) {
        const share = 0.5 + 0.5 * Math.sin((performance.now() - start) / 300);
        slide.value = low + share * (high - low);
        slide.dispatchEvent(new Event("input"));
        await new Promise(requestAnimationFrame);
    }
    return rate.updates - before;
}
"""
UPDATES: Final = 15  # a second, promised while the slider is dragged


def rows() -> list[Row]:
    """All rows."""
    return [dragged(), in_browser(), measured(MANY), measured(MOST)]


def pairs(n: int, d: int = WIDTH) -> tuple[F32, F32]:
    """Images and texts around two centres, unit rows; simulated."""
    rng = np.random.default_rng(0)
    made = np.empty((2, n, d), np.float32)
    for start in range(0, n, 50_000):
        part = made[:, start : start + 50_000]
        shared = rng.standard_normal(part.shape[1:], np.float32)
        for rows_, sign in zip(part, (1, -1), strict=True):
            rows_[:] = shared + 0.5 * rng.standard_normal(shared.shape, np.float32)
            rows_[:, 0] += sign * 8
            rows_ /= np.linalg.norm(rows_, axis=1, keepdims=True)
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


def in_browser() -> Row:
    """What the page shows while its slider is dragged: updates counted in Chromium."""
    from playwright.sync_api import sync_playwright

    from backend.gap import spaces
    from backend.gap.importer import Imported
    from backend.gap.pairs import Pairs
    from backend.work import WORK
    from tests.browser.harness import CHROMIUM, FLAGS, running_app

    with tempfile.TemporaryDirectory() as folder, running_app(Path(folder), WORK) as (url, held):
        key = spaces.put(Imported(Pairs(*pairs(PAIRS))), "simulated", held.store)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
            page = browser.new_page(viewport={"width": 1280, "height": 900})
            page.set_default_timeout(PATIENCE_MS)
            page.goto(f"{url}/modality-gap?spaces={key}&focus={key}")
            page.wait_for_function("() => loupe.gapSlider.at()")
            page.wait_for_function(
                "() => /none running/.test(document.getElementById('jobs-button').title)"
            )
            updates = page.evaluate(DRAG, DRAGGED_S)
            browser.close()
    a_second = updates / DRAGGED_S
    return Row(
        f"slider dragged in Chromium, {PAIRS:,} pairs x {WIDTH}",
        f"{a_second:.1f} updates a second",
        "–",
        float("nan"),
        f"≥ {UPDATES} updates a second",
        f"{updates} in {DRAGGED_S} s, each a request, ranks and a drawn answer",
        a_second >= UPDATES,
    )


def measured(n: int) -> Row:
    """Exact measures in blocks, and the memory they take beside the inputs."""
    images, texts = pairs(n)
    tracemalloc.start()  # numpy tells it of every array; the inputs are there already
    took, report = timed(lambda: measure(images, texts, bootstrap=0))
    more = tracemalloc.get_traced_memory()[1] / 2**20
    tracemalloc.stop()
    how = "all" if report.is_uniformity_exact else "drawn"
    return Row(
        f"measures of {n:,} pairs x {WIDTH}",
        f"{took:.1f} s, {more:.0f} MiB over the inputs",
        f"{n * n * 4 / 2**30:,.0f} GiB for all cosines at once",
        float("nan"),
        "≤ 1 GiB over the inputs",
        f"uniformity from {how} {report.uniformity_pairs:,} unmatched pairs",
        more <= 1024,
    )
