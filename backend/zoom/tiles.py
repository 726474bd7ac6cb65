"""Tiles of an image as a viewer asks for them: level, column, row (DeepZoom), as JPEG bytes."""

from __future__ import annotations

import math
import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from backend.errors import BadRequest, NotFound
from backend.zoom.images import as_jpeg
from backend.zoom.source import ImageSource

TILE_PX: Final = 256
LARGEST_CROP_PX: Final = 1024
HELD_BYTES: Final = 32_000_000


@dataclass(frozen=True, slots=True)
class Address:
    """One tile: at ``level`` the image is ``2 ** (levels - level)`` times smaller."""

    level: int
    column: int
    row: int


def top_level(width: int, height: int) -> int:
    """The level at full resolution; level 0 is one pixel."""
    return math.ceil(math.log2(max(width, height, 1)))


def box(source: ImageSource, at: Address) -> tuple[int, int, int, int, int, int]:
    """x, y, width, height in the image, and the tile's own width and height.

    Raises:
        NotFound: there is no such tile.
    """
    top = top_level(source.width, source.height)
    if 0 <= at.level <= top:
        step = 2 ** (top - at.level)
        width, height = -(-source.width // step), -(-source.height // step)
        x, y = at.column * TILE_PX, at.row * TILE_PX
        if 0 <= x < width and 0 <= y < height:
            w, h = min(TILE_PX, width - x), min(TILE_PX, height - y)
            right, bottom = min(source.width, (x + w) * step), min(source.height, (y + h) * step)
            return x * step, y * step, right - x * step, bottom - y * step, w, h
    raise NotFound("The image has no such tile.", f"Levels go from 0 to {top}.")


class TileStore:
    """Tiles as JPEG bytes, the most recent ones kept. Safe for threads."""

    def __init__(self, budget_bytes: int = HELD_BYTES) -> None:
        self.budget_bytes = budget_bytes
        self._held: OrderedDict[tuple[str, Address], bytes] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def tile(self, source: ImageSource, at: Address) -> bytes:
        """One tile.

        Raises:
            NotFound: there is no such tile; nothing is decoded then.
            BadRequest: the file is damaged there, or was replaced.
        """
        x, y, width, height, w, h = box(source, at)
        key = (source.fingerprint, at)
        with self._lock:
            if key in self._held:
                self._held.move_to_end(key)
                return self._held[key]
        data = as_jpeg(source.read(x, y, width, height, w, h))
        with self._lock:
            if key not in self._held:
                self._held[key] = data
                self._bytes += len(data)
            while self._bytes > self.budget_bytes:
                self._bytes -= len(self._held.popitem(last=False)[1])
        return data


def crop(source: ImageSource, x: int, y: int, width: int, height: int) -> bytes:
    """A part at full resolution as JPEG bytes, black outside the image.

    Raises:
        BadRequest: larger than 1,024 px a side, or nowhere in the image.
    """
    if not (1 <= width <= LARGEST_CROP_PX and 1 <= height <= LARGEST_CROP_PX):
        raise BadRequest(
            f"A part of {width} x {height} pixels is not given out.",
            f"Allowed are 1 to {LARGEST_CROP_PX} px on each side.",
        )
    if x >= source.width or y >= source.height or x + width <= 0 or y + height <= 0:
        raise BadRequest(f"Nothing of the image lies at {x}, {y}.")
    return as_jpeg(source.read(x, y, width, height, width, height), quality=92)
