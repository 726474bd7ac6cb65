"""Shifts of an object within a crop, realised by moving the crop over a larger scene."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np

from backend.errors import BadRequest
from backend.nero.orbits.base import F64, Domain, Layout, checked, checked_all, outside
from backend.protocols import F32, I64, U8

CROP_PX = 128
BLOCK: Final = 256  # crops made together: 50 MB


@dataclass(frozen=True, slots=True)
class Translations:
    """Shifts of the *object* in a crop of 128 px, from ``-max_px`` up to but without ``max_px``.

    Row-major: y (down) is slow, x (right) is fast. An object moves by ``(x, y)`` in the crop when
    the crop's window moves by ``(-x, -y)`` over the scene, so nothing is resampled or invented.
    """

    max_px: int
    step_px: int

    @property
    def name(self) -> str:
        """What it does, for people."""
        return f"shifts within ±{self.max_px} px by {self.step_px} px"

    @property
    def key(self) -> str:
        """Family and sampling."""
        return f"translations-{self.step_px}"

    @property
    def layout(self) -> Layout:
        """A shift is a cell of a square map."""
        return "heatmap"

    @property
    def domain(self) -> Domain:
        """Scenes larger than the crop."""
        return "scene"

    @property
    def side(self) -> int:
        """Shifts along each axis."""
        return 2 * self.max_px // self.step_px

    @property
    def size(self) -> int:
        """How many shifts there are."""
        return self.side**2

    @property
    def identity_index(self) -> int:
        """The crop at the middle of the scene."""
        return (self.side + 1) * (self.max_px // self.step_px)

    @property
    def positions(self) -> F64:
        """Shift of the object ``(size, 2)``: x to the right, y down, in px."""
        return _positions(self.max_px, self.step_px)

    @property
    def axes(self) -> tuple[str, ...]:
        """Names of the coordinates."""
        return ("object's shift to the right (px)", "object's shift down (px)")

    @property
    def labels(self) -> tuple[str, ...]:
        """Such as ``"+8, −4 px"``."""
        return _labels(self.max_px, self.step_px)

    def inverse(self, i: int) -> int:
        """The opposite shift; those of ``-max_px`` have none among the elements."""
        x, y = self.positions[checked(i, self.size)]
        return self._at(-x, -y, f"the opposite of {self.labels[i]}")

    def compose(self, i: int, j: int) -> int:
        """The sum of two shifts, where it is among the elements."""
        x, y = self.positions[checked(i, self.size)] + self.positions[checked(j, self.size)]
        return self._at(x, y, f"{self.labels[j]} followed by {self.labels[i]}")

    def corners(self, height_px: int, width_px: int) -> I64:
        """Top left corner ``(size, 2)`` of each crop in the scene: row, column.

        Raises:
            BadRequest: a crop would leave the scene.
        """
        needed = CROP_PX + 2 * self.max_px
        if min(height_px, width_px) < needed:
            raise BadRequest(
                f"A scene of {width_px} × {height_px} px is too small for {self.name}.",
                f"It must be at least {needed} px in both directions.",
            )
        middle = np.array([(height_px - CROP_PX) // 2, (width_px - CROP_PX) // 2])
        return middle - self.positions[:, ::-1].astype(np.int64)

    def blocks(self, at_most: int) -> list[I64]:
        """All elements in large groups: crops are views of one scene, which is moved only once."""
        step = max(BLOCK, at_most)
        return [np.arange(i, min(self.size, i + step)) for i in range(0, self.size, step)]

    def act(self, inputs: U8 | F32, elements: I64, out: F32 | None = None) -> F32:
        """Crops ``(b, m, c, 128, 128)`` float32 in [0, 1] of scenes ``(b, c, h, w)``."""
        b, c, height, width = inputs.shape
        corners = self.corners(height, width)[checked_all(elements, self.size)]
        if out is None:
            out = np.empty((b, len(elements), c, CROP_PX, CROP_PX), np.float32)
        scale = np.float32(255.0 if inputs.dtype == np.uint8 else 1.0)
        for k, (top, left) in enumerate(corners):
            window = inputs[:, :, top : top + CROP_PX, left : left + CROP_PX]
            np.divide(window, scale, out=out[:, k])
        return out

    def _at(self, x: float, y: float, what: str) -> int:
        column, row = (int(v + self.max_px) // self.step_px for v in (x, y))
        if not (0 <= column < self.side and 0 <= row < self.side):
            outside(self.name, what)
        return row * self.side + column


@lru_cache(maxsize=32)
def _positions(max_px: int, step_px: int) -> F64:
    """Every shift ``(size, 2)``, read-only: all orbits of one sampling share it."""
    line = np.arange(-max_px, max_px, step_px, dtype=np.float64)
    y, x = np.meshgrid(line, line, indexing="ij")
    found = np.stack([x.ravel(), y.ravel()], axis=1)
    found.flags.writeable = False
    return found


@lru_cache(maxsize=32)
def _labels(max_px: int, step_px: int) -> tuple[str, ...]:
    line = range(-max_px, max_px, step_px)
    signed = [f"{v:+d}".replace("-", "−").replace("+0", "0") for v in line]
    return tuple(f"{x}, {y} px" for y in signed for x in signed)


def translations(max_px: int = 64, step_px: int = 4) -> Translations:
    """Shifts from ``-max_px`` to ``max_px - step_px``, both ways; 32 × 32 of them unless told.

    Raises:
        BadRequest: the step does not divide ``max_px``, or one is not a whole number of px.
    """
    is_whole = type(max_px) is int and type(step_px) is int
    if not is_whole or not 1 <= step_px <= max_px <= 512 or max_px % step_px:
        raise BadRequest(
            f"Shifts of up to {max_px!r} px by {step_px!r} px cannot be made.",
            "Allowed are whole numbers of px, up to 512, where the step divides the largest shift.",
        )
    return Translations(int(max_px), int(step_px))
