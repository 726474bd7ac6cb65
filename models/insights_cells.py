"""Sizes of the pictures and maps of the success model. No torch, so that pages may know them."""

from __future__ import annotations

from typing import Final

IMAGE_PX: Final = 128
CELLS: Final = 16  # the feature map and every map of attributions are 16 x 16, a cell is 8 px
CELL_PX: Final = IMAGE_PX // CELLS
