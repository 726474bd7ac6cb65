"""All items of a set on one sheet, so that a page of thumbnails costs one request.

Small images are on the sheet at their own size, pixel for pixel: the browser then needs no other
copy of them. Larger ones are shrunk to ``LARGEST_CELL_PX``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from PIL import Image

from backend.items import ItemSet
from backend.protocols import JSON, U8

LARGEST_CELL_PX: Final = 64
MOST_ITEMS: Final = 4_096  # more would not fit the 16,384 px that browsers accept for one image


@dataclass(frozen=True, slots=True)
class Sheet:
    """``pixels`` uint8 ``(h, w[, 3])`` holds the items row by row, ``columns`` a row.

    ``is_full_size`` says whether a cell holds the item's own pixels.
    """

    pixels: U8
    columns: int
    width_px: int
    height_px: int
    is_full_size: bool

    def facts(self) -> dict[str, JSON]:
        """What the browser needs to cut a cell out."""
        height, width = self.pixels.shape[:2]
        return {
            "columns": self.columns,
            "width_px": self.width_px,
            "height_px": self.height_px,
            "sheet_width_px": width,
            "sheet_height_px": height,
            "is_full_size": self.is_full_size,
        }


def sheet(items: ItemSet) -> Sheet:
    """The sheet of a set's first ``MOST_ITEMS`` items."""
    count = min(len(items), MOST_ITEMS)
    images = items.images(np.arange(count))
    full_size = max(images.shape[1:3]) <= LARGEST_CELL_PX
    if not full_size:
        images = _shrunk(images)
    height, width = images.shape[1:3]
    columns = math.ceil(math.sqrt(count * height / width))
    rows = math.ceil(count / columns)
    padded = np.zeros((rows * columns, *images.shape[1:]), dtype=np.uint8)
    padded[:count] = images
    grid = padded.reshape(rows, columns, *images.shape[1:]).swapaxes(1, 2)
    pixels = grid.reshape(rows * height, columns * width, *images.shape[3:])
    return Sheet(np.ascontiguousarray(pixels), columns, width, height, full_size)


def _shrunk(images: U8) -> U8:
    scale = LARGEST_CELL_PX / max(images.shape[1:3])
    size = (round(images.shape[2] * scale), round(images.shape[1] * scale))
    shrunk = [np.asarray(Image.fromarray(i).resize(size, Image.Resampling.BOX)) for i in images]
    return np.stack(shrunk)
