"""What looking into a large image costs, against what one would write instead. One thread.

The 20,000 px needle image is built first if it is not there (about 15 s of processor time).
``python -m benchmarks zoom`` prints the table.
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

import numpy as np
import pyvips
import torch
from PIL import Image

from backend.zoom import images, infer, tiles
from backend.zoom.images import PyramidSource
from backend.zoom.inference import network
from backend.zoom.library import Library, library
from backend.zoom.making import make_large
from backend.zoom.meter import Meter
from backend.zoom.views import Views, scales
from benchmarks.table import Row, compare, seconds, wall

MODEL = "needle-zoom"
TILES = 16
SMALL_PX, MIDDLE_PX, LARGE_PX = 2500, 4096, 20000
SCREEN = (1600, 1000)


def rows() -> list[Row]:
    """All rows."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    held = library()
    for side in (MIDDLE_PX, LARGE_PX):
        make_large(held, side, lambda done, total: None)
    try:
        with tempfile.TemporaryDirectory() as folder:
            small = _cut_out(held, Path(folder))
            return [
                fine_stage(held, small),
                whole_inference(held),
                one_tile(held),
                bytes_per_view(held),
                first_view(held),
                warm_tiles(held),
                *memory(),
            ]
    finally:
        torch.set_num_threads(threads)


def _open(held: Library, side: int) -> PyramidSource:
    source = held.open(f"large:{side}")
    assert isinstance(source, PyramidSource)
    return source


def _cut_out(held: Library, folder: Path) -> PyramidSource:
    """The middle of the large image as a pyramid of its own, 2,500 px."""
    start = (LARGE_PX - SMALL_PX) // 2
    pixels = _open(held, LARGE_PX).read(start, start, SMALL_PX, SMALL_PX, SMALL_PX, SMALL_PX)
    path = folder / "small.tif"
    pyvips.Image.new_from_array(pixels).tiffsave(
        str(path), tile=True, pyramid=True, tile_width=256, tile_height=256, compression="jpeg",
        Q=85, bigtiff=True, region_shrink="mean",
    )  # fmt: skip
    return PyramidSource(*images.open_file(path, held.settings.image_bytes))


def fine_stage(held: Library, small: PyramidSource) -> Row:
    """The second stage and the pieces of 16 tiles spread over the image, 64 times the pixels."""
    net = network(MODEL)

    def work(source: PyramidSource) -> None:
        with torch.inference_mode():
            views = Views(net, source, scales(net), Meter())
            rng = np.random.default_rng(0)
            chosen = rng.choice(views.rows * views.columns, TILES, replace=False)
            boxes = [views.tile_box(int(tile)) for tile in chosen]
            for box in boxes:
                views.beta(box)
            views.features([views.centre(box, 528) for box in boxes])

    large = _open(held, LARGE_PX)
    large_s, small_s = compare(lambda: work(large), lambda: work(small), 7)
    return Row(
        f"fine stage of {TILES} tiles at 20,000 px, against 2,500 px (64 times fewer pixels)",
        f"{large_s * 1e3:.0f} ms",
        f"{small_s * 1e3:.0f} ms",
        small_s / large_s,
        "cost ≤ 1.3×",
        f"{large_s / small_s:.2f} times the cost, {TILES} pieces each",
        large_s / small_s <= 1.3,
    )


def whole_inference(held: Library) -> Row:
    """A whole look at the 20,000 px image, against the features over every pixel."""
    net = network(MODEL)
    source = _open(held, LARGE_PX)
    piece = torch.rand(1, 3, 512, 512)

    def full() -> None:
        with torch.inference_mode():
            net.f(piece)

    infer(net, source, TILES)
    ours_s = min(seconds(lambda: infer(net, source, TILES)) for _ in range(3))
    full()
    full_s = min(seconds(full) for _ in range(3)) * (LARGE_PX / 512) ** 2
    found = infer(net, source, TILES)
    return Row(
        "whole look at 20,000 px, against the features of every pixel (512 px measured, by area)",
        f"{ours_s * 1e3:.0f} ms",
        f"{full_s:.0f} s",
        full_s / ours_s,
        "≥ 100×",
        f"{found.pixels_read / LARGE_PX**2:.2%} of the pixels read",
        full_s / ours_s >= 100,
    )


def one_tile(held: Library) -> Row:
    """256 px from the middle, against Pillow, which has to decode up to there."""
    source, path = _open(held, LARGE_PX), held.large_path(LARGE_PX)
    place = LARGE_PX // 2 // 256 * 256
    box = (place, place, 256, 256, 256, 256)
    limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
    theirs: list[np.ndarray] = []

    def pillow() -> None:
        with Image.open(path) as picture:
            part = picture.crop((place, place, place + 256, place + 256))
            theirs.append(np.asarray(part.convert("RGB")))

    try:
        pillow_s = seconds(pillow)
    finally:
        Image.MAX_IMAGE_PIXELS = limit
    source.read(*box)
    rng = np.random.default_rng(0)
    spots = rng.integers(0, LARGE_PX // 256, (100, 2)) * 256
    start_s = time.process_time()
    for x, y in spots.tolist():
        source.read(x, y, 256, 256, 256, 256)
    ours_s = (time.process_time() - start_s) / len(spots)
    apart = int(np.abs(source.read(*box).astype(int) - theirs[0]).max())
    return Row(
        "a tile of 256 px of the 20,000 px image, against Pillow's open and crop",
        f"{ours_s * 1e3:.2f} ms",
        f"{pillow_s:.1f} s",
        pillow_s / ours_s,
        "≥ 500×",
        f"largest difference {apart} of 255",
        pillow_s / ours_s >= 500 and apart <= 4,
    )


def bytes_per_view(held: Library) -> Row:
    """Tiles of a screenful at full resolution, against the image as base64 in a page: as PNG,
    which is what Plotly makes of an array (2,048 px measured, by area)."""
    source = _open(held, LARGE_PX)
    store = tiles.TileStore()
    top = tiles.top_level(LARGE_PX, LARGE_PX)
    across, down = (-(-side // 256) + 1 for side in SCREEN)
    sent = sum(
        len(store.tile(source, tiles.Address(top, 30 + x, 30 + y)))
        for x in range(across)
        for y in range(down)
    )
    start, side = 5120, 2048
    png = io.BytesIO()
    Image.fromarray(source.read(start, start, side, side, side, side)).save(png, "PNG")
    whole = png.tell() * (LARGE_PX / side) ** 2 * 4 / 3
    as_jpeg = held.large_path(LARGE_PX).stat().st_size * 4 / 3
    return Row(
        f"bytes of a screenful ({across * down} tiles), against the image as base64 PNG",
        f"{sent / 1e6:.2f} MB",
        f"{whole / 1e6:.0f} MB",
        whole / sent,
        "≥ 400×",
        f"{SCREEN[0]} × {SCREEN[1]} px; against its JPEG pyramid {as_jpeg / sent:.0f}×",
        whole / sent >= 400,
    )


def first_view(held: Library) -> Row:
    """Opening the file and the tiles that fill a screen, nothing kept from before."""
    top = tiles.top_level(LARGE_PX, LARGE_PX)
    at = [tiles.Address(top - 4, x, y) for x in range(5) for y in range(5)]

    def work() -> None:
        fresh, store = Library(held.settings), tiles.TileStore()
        source = fresh.open(f"large:{LARGE_PX}")
        for address in at:
            store.tile(source, address)

    work()
    best_s = min(wall(work) for _ in range(5))
    return Row(
        f"first view of the 20,000 px image: open and {len(at)} tiles",
        f"{best_s:.2f} s",
        "",
        float("nan"),
        "≤ 2 s",
        "without server and browser",
        best_s <= 2,
    )


def warm_tiles(held: Library) -> Row:
    """Tiles that nobody asked for before, from an opened file, as JPEG bytes."""
    source, store = _open(held, LARGE_PX), tiles.TileStore()
    rng, times = np.random.default_rng(1), []
    top = tiles.top_level(LARGE_PX, LARGE_PX)
    for _ in range(300):
        level = int(rng.integers(top - 5, top + 1))
        count = -(-LARGE_PX // 2 ** (top - level)) // 256
        x, y = (int(v) for v in rng.integers(0, max(1, count), 2))
        times.append(seconds(partial(store.tile, source, tiles.Address(level, x, y))))
    p95_s = float(np.quantile(times, 0.95))
    return Row(
        "a new tile as JPEG from the opened 20,000 px image, p95 of 300 over six levels",
        f"{p95_s * 1e3:.1f} ms",
        f"median {np.median(times) * 1e3:.1f} ms",
        float("nan"),
        "≤ 30 ms",
        "without HTTP",
        p95_s <= 0.03,
    )


def memory() -> list[Row]:
    """Fresh processes that look at the 20,000 px image and at the 4,096 px one."""
    large, middle = measured(LARGE_PX), measured(MIDDLE_PX)
    whole_mb = LARGE_PX**2 * 3 / 1e6
    apart = large["look_mb"] / middle["look_mb"]
    return [
        Row(
            "memory of a look at 20,000 px (peak above rest), against reading it whole",
            f"{large['look_mb']:.1f} MB",
            f"{whole_mb:.0f} MB",
            whole_mb / large["look_mb"],
            "≥ 50×",
            f"tensors {large['tensors_mb']:.1f} MB",
            whole_mb / large["look_mb"] >= 50,
        ),
        Row(
            "memory of a look at 20,000 px, against 4,096 px",
            f"{large['look_mb']:.1f} MB",
            f"{middle['look_mb']:.1f} MB",
            1 / apart,
            "within 20 %",
            f"{apart - 1:+.0%}; tensors {large['tensors_mb'] / middle['tensors_mb'] - 1:+.0%}",
            apart <= 1.2,
        ),
        Row(
            "a fresh process that shows 60 views and looks at 20,000 px, above its libraries",
            f"{large['all_mb']:.0f} MB",
            "",
            float("nan"),
            "≤ 300 MB",
            f"libraries {large['libraries_mb']:.0f} MB",
            large["all_mb"] <= 300,
        ),
    ]


def measured(side: int) -> dict[str, float]:
    """Memory in MB of a child that looks at a large needle image.

    The child gives freed memory back at once: what the allocator would keep of it for later depends
    on the order of threads (runs of one image differed by a factor of two), not on the look.
    """
    command = [sys.executable, "-m", "benchmarks.zoom", str(side)]
    env = os.environ | {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_ARENA_MAX": "1"}
    told = subprocess.run(command, check=True, capture_output=True, text=True, env=env).stdout
    found: dict[str, float] = json.loads(told)
    return found


def _child(side: int) -> None:
    torch.set_num_threads(1)
    net, held = network(MODEL), library()
    libraries_mb = _status_mb("VmRSS")
    infer(net, np.zeros((256, 256, 3), np.uint8), TILES)  # kernels and threads are there now
    source = held.open(f"large:{side}")
    source.read(0, 0, 512, 512, 512, 512)
    source.read(0, 0, side, 1024, side // 8, 128)
    before_mb = _status_mb("VmRSS")
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the peak starts anew
    done = infer(net, source, TILES)
    look_mb = _status_mb("VmHWM") - before_mb
    store, top = tiles.TileStore(), tiles.top_level(side, side)
    for step in range(60):
        for x in range(6):
            for y in range(4):
                at = tiles.Address(top - 1, (step + x) % (side // 512), y)
                store.tile(source, at)
    sys.stdout.write(
        json.dumps(
            {
                "libraries_mb": libraries_mb,
                "look_mb": max(look_mb, 0.1),
                "tensors_mb": done.peak_bytes / 1e6,
                "all_mb": _status_mb("VmHWM") - libraries_mb,
            }
        )
    )


def _status_mb(name: str) -> float:
    status = Path("/proc/self/status").read_text(encoding="ascii")
    line = next(line for line in status.splitlines() if line.startswith(name))
    return int(line.split()[1]) / 1000


if __name__ == "__main__":
    _child(int(sys.argv[1]))
