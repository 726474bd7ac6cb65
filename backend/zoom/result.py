"""What looking at one image gave: maps, draws, weights, answer, cost. No torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backend.errors import BadRequest
from backend.protocols import F32, I64, Arrays


@dataclass(frozen=True, slots=True)
class ZoomResult:
    """One look. Boxes are x, y, width, height in pixels of the image, and may reach past it.

    Attributes:
        alpha: ``(rows, columns)``, the first map, sums to 1; ``(1, 1)`` for a rectangle of the
            user's.
        tiles: ``(t, 4)`` int64, the distinct tiles drawn, in the order of their first draw.
        hits: ``(t,)`` int64, how often each was drawn.
        tile_probabilities: ``(t,)``, alpha of each.
        betas: ``(t, v, w)``, the second map of each, sums to 1.
        subtiles: ``(n, 4)`` int64, the pieces drawn, in the order of the draw within their tile.
        tile_of: ``(n,)`` int64, row of ``tiles``.
        places: ``(n, 2)`` int64, row and column in the tile's map.
        probabilities: ``(n,)``, alpha times beta: the weight of the place in the exact mean.
        weights: ``(n,)``, what each piece weighs in the mean of what was drawn; sums to 1.
        contributions: ``(n, k)``, weight times effect on the logit of a class against the mean of
            the other classes. Together with ``bias`` they sum to that difference.
        bias: ``(k,)``; logits: ``(k,)``; answer: ``(k,)``, probabilities of the classes.
        cost: ``(4,)`` float64: peak bytes, multiply-adds, seconds, pixels read.
    """

    alpha: F32
    tiles: I64
    hits: I64
    tile_probabilities: F32
    betas: F32
    subtiles: I64
    tile_of: I64
    places: I64
    probabilities: F32
    weights: F32
    contributions: F32
    bias: F32
    logits: F32
    answer: F32
    cost: NDArray[np.float64]

    @property
    def peak_bytes(self) -> int:
        """The most that tensors and image parts held at one moment, counted by operation."""
        return int(self.cost[0])

    @property
    def flops(self) -> int:
        """Multiply-adds of convolutions and linear layers, equation (2.10) of the source."""
        return int(self.cost[1])

    @property
    def seconds(self) -> float:
        return float(self.cost[2])

    @property
    def pixels_read(self) -> int:
        """Pixels that the image handed over, at whatever scale."""
        return int(self.cost[3])

    @property
    def predicted(self) -> int:
        """The class with the highest probability."""
        return int(self.answer.argmax())

    @property
    def distinct(self) -> int:
        """How many different tiles were looked into (N' of the source)."""
        return len(self.tiles)

    def by_contribution(self, label: int | None = None) -> I64:
        """Rows of ``subtiles``, ``(n,)``, the strongest effect on a class first, either way."""
        of = self.predicted if label is None else label
        return np.argsort(-np.abs(self.contributions[:, of]), kind="stable").astype(np.int64)

    def cumulative_share(self, label: int | None = None) -> F32:
        """``(n,)``: the share of all absolute contributions that the top 1, 2, ... n hold.

        All 0 where nothing contributes.
        """
        of = self.predicted if label is None else label
        sizes = np.sort(np.abs(self.contributions[:, of].astype(np.float64)))[::-1]
        total = sizes.sum()
        return (np.cumsum(sizes) / total if total > 0 else np.zeros_like(sizes)).astype(np.float32)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """All of it by name, as stored and sent."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> ZoomResult:
        """The result behind :meth:`arrays`; other names are ignored.

        Raises:
            BadRequest: a name is missing.
        """
        missing = [field.name for field in fields(cls) if field.name not in arrays]
        if missing:
            raise BadRequest(f"This is no result of looking at an image: no {missing[0]}.")
        return cls(**{field.name: _typed(field.name, arrays) for field in fields(cls)})


def _typed(name: str, arrays: Mapping[str, NDArray[np.generic]]) -> NDArray[Any]:
    whole = ("tiles", "hits", "subtiles", "tile_of", "places")
    kind = np.int64 if name in whole else np.float64 if name == "cost" else np.float32
    return np.asarray(arrays[name]).astype(kind, copy=False)


def share_in_view(alpha: F32, box: tuple[float, float, float, float], tile_px: int) -> float:
    """The share of the first map's weight that a rectangle of the image covers, 0 to 1.

    A tile half inside counts half.

    Args:
        box: x, y, width, height in pixels of the image.
    """
    rows, columns = alpha.shape
    down = _overlap(box[1], box[1] + box[3], rows, tile_px)
    across = _overlap(box[0], box[0] + box[2], columns, tile_px)
    return float(down @ alpha.astype(np.float64) @ across)


def _overlap(start: float, end: float, count: int, step: int) -> NDArray[np.float64]:
    left = np.arange(count) * step
    covered = np.minimum(end, left + step) - np.maximum(start, left)
    return np.clip(covered / step, 0.0, 1.0)
