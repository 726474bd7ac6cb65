"""The network over an image that is never in memory: views of strips and of tiles, and pieces."""

from __future__ import annotations

import math
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from torch import Tensor

from backend.errors import BadRequest
from backend.protocols import I64
from backend.zoom.meter import Meter
from backend.zoom.source import ImageSource
from models.zoom_net import ZoomNet
from models.zoom_training import places_px

STRIP_PX: Final = 100_000  # view pixels of one strip: bounds the memory of the first stage
REACH_PX: Final = 4  # as many 3 x 3 convolutions at most are in a row
PIECES_AT_ONCE: Final = 16
MOST_BETAS: Final = 512
LARGEST_VIEW_PX: Final = 256
Box = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class Scales:
    """Pixels of the views, one tile each.

    Attributes:
        tile_px: side of a tile in the image.
        cell_px: side of a tile in the first view, so that s1 is ``cell_px / tile_px``.
        view_px: side of the view of one tile, so that s2 is ``view_px / tile_px``.
        subtile_px: side of a piece at full resolution.
    """

    tile_px: int
    cell_px: int
    view_px: int
    subtile_px: int


def scales(net: ZoomNet, s1: float | None = None, s2: float | None = None) -> Scales:
    """Those of the network's training, or the nearest to what is asked for.

    Raises:
        BadRequest: a scale that leaves no pixel of a tile, or enlarges it.
    """
    held = net.geometry
    cell, view = held.cell_px, held.view_px
    if s1 is not None:
        cell = _pixels("s1", s1, held.tile_px)
    if s2 is not None:
        view = _pixels("s2", s2, held.tile_px)
    return Scales(held.tile_px, cell, view, held.subtile_px)


def _pixels(name: str, scale: float, tile_px: int) -> int:
    if not 2 / tile_px <= scale <= 1:  # also NaN
        raise BadRequest(
            f"{name}={scale:g} is not usable.", f"Allowed are {2 / tile_px:g} to 1 of full size."
        )
    return round(scale * tile_px)


class Views:
    """What the network sees of one image, at given scales. Not for several threads at once.

    Attributes:
        rows, columns: tiles of the first stage; the last ones may reach past the border, where
            the image is black.
    """

    def __init__(self, net: ZoomNet, source: ImageSource, sizes: Scales, meter: Meter) -> None:
        self.net, self.source, self.sizes, self.meter = net, source, sizes, meter
        self.rows = -(-source.height // sizes.tile_px)
        self.columns = -(-source.width // sizes.tile_px)
        self.device = net.sharpness.device
        self._betas: OrderedDict[Box, Tensor] = OrderedDict()
        self._features: OrderedDict[tuple[int, int], Tensor] = OrderedDict()

    def alpha(self) -> Tensor:
        """The first map, ``(rows, columns)``, sums to 1. Computed strip by strip, exactly as if
        the whole view were there."""
        cell = self.sizes.cell_px
        per_row = self.columns * cell * cell
        at_once = max(1, STRIP_PX // per_row)
        logits = [
            self._strip(row, min(self.rows, row + at_once)) for row in range(0, self.rows, at_once)
        ]
        whole = torch.cat(logits)
        return whole.flatten().double().softmax(0).float().view_as(whole)

    def _strip(self, first: int, last: int) -> Tensor:
        cell, tile = self.sizes.cell_px, self.sizes.tile_px
        # Beyond the strip, enough rows for the convolutions; whole pixels of the image.
        unit = cell // math.gcd(cell, tile)
        halo = -(-REACH_PX // unit) * unit
        top = max(0, first * cell - halo)
        bottom = min(self.rows * cell, last * cell + halo)
        y0, y1 = top * tile // cell, bottom * tile // cell
        view = self.read((0, y0, self.columns * tile, y1 - y0), self.columns * cell, bottom - top)
        scores = self.net.place_scores(view)
        scores = scores[:, :, first * cell - top : last * cell - top]
        return self.net.pooled(scores, cell)[0]

    def tile_box(self, index: int) -> Box:
        """x, y, width, height of a tile by its flat index."""
        side = self.sizes.tile_px
        return index % self.columns * side, index // self.columns * side, side, side

    def beta(self, box: Box) -> Tensor:
        """The second map of a tile, ``(v, w)``, sums to 1 over places inside the image."""
        held = self._betas.get(box)
        if held is None:
            view = self.view_size(box)
            logits = self.net.sub_logits(self.read(box, view[1], view[0]))[0]
            logits = logits.masked_fill(~self.allowed(box), -torch.inf)
            held = logits.flatten().softmax(0).view_as(logits)
            self._betas[box] = held
            while len(self._betas) > MOST_BETAS:
                self._betas.popitem(last=False)
        return held

    def view_size(self, box: Box) -> tuple[int, int]:
        """Rows and columns of the view of a tile or of a rectangle the user drew: at scale s2,
        but no more than 256 pixels a side."""
        scale = self.sizes.view_px / self.sizes.tile_px
        width, height = (min(LARGEST_VIEW_PX, max(2, int(scale * side + 1e-9))) for side in box[2:])
        return height, width

    def allowed(self, box: Box) -> Tensor:
        """Which places of a tile lie inside the image, bool, like its map."""
        y, x = self._at(box)
        rows = torch.from_numpy((y >= 0) & (y < self.source.height)).to(self.device)
        columns = torch.from_numpy((x >= 0) & (x < self.source.width)).to(self.device)
        return rows[:, None] & columns[None]

    def centre(self, box: Box, place: int) -> tuple[int, int]:
        """Row and column in the image that a place of a tile's map stands for."""
        y, x = self._at(box)
        return int(y[place // len(x)]), int(x[place % len(x)])

    def _at(self, box: Box) -> tuple[I64, I64]:
        rows, columns = self.view_size(box)
        y = box[1] + places_px(rows, box[3]).numpy()
        x = box[0] + places_px(columns, box[2]).numpy()
        return y, x

    def piece_box(self, centre: tuple[int, int]) -> Box:
        """x, y, width, height of the piece around a row and column; may reach past the border."""
        side = self.sizes.subtile_px
        return centre[1] - side // 2, centre[0] - side // 2, side, side

    def features(self, centres: list[tuple[int, int]]) -> Tensor:
        """``(n, 32)`` of the pieces around rows and columns; each place is read once."""
        missing = [at for at in dict.fromkeys(centres) if at not in self._features]
        for start in range(0, len(missing), PIECES_AT_ONCE):
            some = missing[start : start + PIECES_AT_ONCE]
            pieces = torch.cat(
                [self.read(box, box[2], box[3]) for box in map(self.piece_box, some)]
            )
            for at, row in zip(some, self.net.features(pieces), strict=True):
                self._features[at] = row
        found = torch.stack([self._features[at] for at in centres])
        while len(self._features) > 16 * MOST_BETAS:
            self._features.popitem(last=False)
        return found

    def read(self, box: Box, width: int, height: int) -> Tensor:
        """A rectangle at a size as (1, 3, h, w) float32 in [0, 1]."""
        pixels = self.source.read(*box, width, height)
        whole = torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1)))
        self.meter.read(width * height, whole)
        return whole[None].to(self.device).float() / 255.0
