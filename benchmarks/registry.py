"""A registered set of 50,000 small JPEGs: indexing against a bare script, opening and scrolling.

The bare side reads, hashes, decodes, shrinks and encodes with pyvips in two threads, and keeps
nothing. The app runs as users run it; a headless Chromium opens the grid of the set and scrolls it
to places spread over all rows.
"""

from __future__ import annotations

import hashlib
import math
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyvips
from PIL import Image

from backend.registry.index import THREADS, THUMB_PX
from backend.settings import PROJECT
from benchmarks.table import Row

COUNT: Final = 50_000
PART: Final = 5_000  # of the smaller run, for the rate and the memory
PX: Final = (160, 120)
PLACES: Final = 40
LEAST_SHARE: Final = 0.8
OPEN_S, STALL_S, MORE_MB = 1.0, 0.2, 200.0
INDEX: Final = (
    "import resource, sys, time; from backend.registry import adding; start = time.perf_counter();"
    "adding.add_set(sys.argv[1], sys.argv[2], {}); took = time.perf_counter() - start;"
    "print(took, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000)"
)


def rows() -> list[Row]:
    """The table of this benchmark."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        made(root / "many", COUNT)
        few = made(root / "few", PART)
        bare_s, took = [], []
        for name in ("few", "again"):  # in turns
            bare_s.append(bare(few))
            took.append(indexed(root, name, "few"))
        few_s, few_mb = min(took)
        many_s, many_mb = indexed(root, "many", "many")
        found = browsed(root)
    share = min(bare_s) / few_s
    return [
        Row(
            f"indexing {PART:,} JPEGs of 160 × 120 px, against bare pyvips",
            f"{PART / few_s:,.0f} images/s",
            f"{PART / min(bare_s):,.0f} images/s",
            share,
            f"≥ {LEAST_SHARE}×",
            f"of {COUNT:,}: {COUNT / many_s:,.0f} images/s, doubles and writing included",
            share >= LEAST_SHARE,
        ),
        Row(
            f"peak memory of indexing {COUNT:,} images, against {PART:,}",
            f"{many_mb:.0f} MB",
            f"{few_mb:.0f} MB",
            math.nan,
            f"≤ {MORE_MB:.0f} MB more",
            f"{many_mb - few_mb:.0f} MB more",
            many_mb - few_mb <= MORE_MB,
        ),
        Row(
            f"opening the grid of {COUNT:,} images, first thumbnails drawn",
            f"{found['open_s']:.2f} s",
            "",
            math.nan,
            f"≤ {OPEN_S:.0f} s",
            "a tab that has loaded the app before",
            found["open_s"] <= OPEN_S,
        ),
        Row(
            f"scrolling that grid to {PLACES} places: longest answer of the server",
            f"{1000 * found['longest_s']:.0f} ms",
            "",
            math.nan,
            f"≤ {1000 * STALL_S:.0f} ms",
            f"{found['thumbs']} thumbnails, median {1000 * found['median_s']:.1f} ms, "
            f"{found['cells']} cells in the page",
            found["longest_s"] <= STALL_S,
        ),
    ]


def made(root: Path, count: int) -> list[Path]:
    """Class folders of noise in blocks, each picture another one."""
    rng = np.random.default_rng(0)
    paths = []
    for number in range(count):
        place = root / f"kind{number % 10}"
        place.mkdir(parents=True, exist_ok=True)
        small = rng.integers(0, 255, (12, 16, 3), dtype=np.uint8)
        paths.append(place / f"{number:05d}.jpg")
        Image.fromarray(small).resize(PX, Image.Resampling.BILINEAR).save(paths[-1], quality=85)
    return paths


def bare(paths: list[Path]) -> float:
    """Seconds to read, hash, decode, shrink and encode them all."""
    start = time.perf_counter()
    with ThreadPoolExecutor(THREADS) as pool:
        for _ in pool.map(_shrunk, paths, chunksize=64):
            pass
    return time.perf_counter() - start


def _shrunk(path: Path) -> tuple[str, bytes]:
    data = path.read_bytes()
    small = pyvips.Image.thumbnail_buffer(data, THUMB_PX, height=THUMB_PX, size="both")
    encoded: bytes = small.webpsave_buffer(Q=75, effort=0, strip=True)
    return hashlib.sha256(data).hexdigest(), encoded


def indexed(root: Path, name: str, folder: str) -> tuple[float, float]:
    """Seconds and peak MB of a process that registers a folder."""
    env = {**os.environ, "LOUPE_STATE_DIR": str(root / "state")}
    command = [sys.executable, "-c", INDEX, str(root / folder), name]
    told = subprocess.run(command, cwd=PROJECT, env=env, capture_output=True, text=True, check=True)
    took, peak = told.stdout.split()
    return float(took), float(peak)


def browsed(root: Path) -> dict[str, Any]:
    """What a browser sees of the grid, served by the app on that state folder."""
    from playwright.sync_api import sync_playwright

    env = {
        **os.environ,
        "LOUPE_STATE_DIR": str(root / "state"),
        "PORT": "8073",
        "LOUPE_LOG": "ERROR",
    }
    with subprocess.Popen(
        [sys.executable, "app.py"], cwd=PROJECT, env=env, stdout=subprocess.PIPE, text=True
    ) as app:
        try:
            assert app.stdout is not None
            assert "Loupe is at" in app.stdout.readline()
            with sync_playwright() as driver:
                return _scrolled(driver)
        finally:
            app.terminate()


def _scrolled(driver: Any) -> dict[str, Any]:
    browser = driver.chromium.launch(
        executable_path="/usr/bin/chromium", args=["--no-sandbox", "--disable-gpu"]
    )
    page = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
    page.goto("http://127.0.0.1:8073/library")
    page.wait_for_selector("#library-set-many")
    page.evaluate("performance.setResourceTimingBufferSize(100000)")
    start = time.perf_counter()
    page.click("#library-set-many >> text=Look at all of them")
    page.wait_for_function(
        "[...document.querySelectorAll('#images-grid img')]"
        ".filter((image) => image.naturalWidth).length > 40"
    )
    open_s = time.perf_counter() - start
    for k in range(PLACES):
        page.evaluate(
            "(share) => { const g = document.getElementById('images-grid');"
            "g.scrollTop = share * (g.scrollHeight - g.clientHeight); }",
            ((k * 17) % PLACES) / PLACES,
        )
        page.wait_for_timeout(120)
    page.wait_for_load_state("networkidle")
    times = page.evaluate(
        "performance.getEntriesByType('resource')"
        ".filter((e) => e.name.includes('/_library/thumb/'))"
        ".map((e) => (e.responseEnd - e.requestStart) / 1000)"
    )
    cells = page.evaluate("document.querySelectorAll('#images-grid .images-cell').length")
    browser.close()
    return {
        "open_s": open_s,
        "longest_s": max(times),
        "median_s": float(np.median(times)),
        "thumbs": len(times),
        "cells": cells,
    }
