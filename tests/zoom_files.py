"""Images in files of every kind, for the tests of what Zoom-In opens."""

from __future__ import annotations

import struct
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyvips

from backend.protocols import U8
from backend.settings import Settings
from backend.zoom import images
from backend.zoom.images import PyramidSource
from backend.zoom.library import Library

MEMORY = 256_000_000


def smooth(height: int, width: int) -> U8:
    """A picture without noise, so that JPEG keeps it within a few grey values."""
    y, x = np.mgrid[:height, :width]
    planes = (x * 255 // width, y * 255 // height, (x + y) * 127 // (width + height))
    return np.stack(planes, 2).astype(np.uint8)


def pyramid_file(path: Path, pixels: U8, **options: object) -> Path:
    given = {"compression": "none", "pyramid": True, "tile_width": 64, "tile_height": 64}
    pyvips.Image.new_from_array(pixels).tiffsave(
        str(path), tile=True, bigtiff=True, region_shrink="mean", **(given | options)
    )
    return path


def opened(path: Path, memory_bytes: int = MEMORY) -> PyramidSource:
    return PyramidSource(*images.open_file(path, memory_bytes))


def library(tmp_path: Path, **changes: object) -> Library:
    settings = Settings.from_env({"LOUPE_STATE_DIR": str(tmp_path / "state")})
    (tmp_path / "state" / "images").mkdir(parents=True, exist_ok=True)
    return Library(replace(settings, **changes))  # type: ignore[arg-type]


def png_header(width: int, height: int) -> bytes:
    """A PNG file that claims a size and holds almost nothing."""
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = ((b"IHDR", head), (b"IDAT", zlib.compress(b"\0" * 9000)), (b"IEND", b""))
    chunks = [
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in parts
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)
