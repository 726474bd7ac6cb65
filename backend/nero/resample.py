"""Fast, exact rotation of image batches, counter-clockwise as seen on screen, zeros outside,
bilinear.

Two facts make an orbit cheap. The bilinear weights depend on the angle only, so one table per
angle serves every image. And a turn by 90° moves pixels without mixing them, so ``R(a + 90°q) =
Q^q R(a)``: only the angles in [0°, 90°) are interpolated (18 of 72), the others are copies with
the axes swapped or reversed. Right angles come out exact for the same reason. The result equals
``grid_sample(align_corners=False)`` to rounding.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from backend.errors import BadRequest
from backend.protocols import F32, U8

I32 = NDArray[np.int32]
FEW: Final = 4  # so few images are turned faster by numpy than numba loads
SNAP: Final = 1e-9  # degrees; sums of steps such as 2.5 may miss a right angle by rounding


@dataclass(frozen=True, slots=True, eq=False)
class Rotator:
    """A fixed list of angles at a fixed image size, ready to be applied to any number of images.

    Attributes:
        side: height and width of the images in pixels.
        size: number of angles.
        taps: (m, side²) int32, where in the zero-ringed image each output pixel reads, per small
            angle.
        weights: (m, 4, side²) of the four pixels read.
        back_taps, back_weights: the same for the opposite small angles.
        slots: (m, 4) int32, the position in the list of small angle ``m`` plus ``q`` quarter
            turns, or -1.
    """

    side: int
    size: int
    taps: I32
    weights: F32
    back_taps: I32
    back_weights: F32
    slots: I32

    def apply(self, images: U8 | F32, *, and_back: bool = False, out: F32 | None = None) -> F32:
        """Every image at every angle, float32 in [0, 1], ``(b, size, c, side, side)``.

        Args:
            images: (b, c, side, side), uint8 (scaled by 1/255 here) or float32.
            and_back: turn each image back again afterwards, to see what interpolation alone costs.
            out: where to write, C-contiguous; a new array otherwise.
        """
        b, c = images.shape[:2]
        shape = (b, self.size, c, self.side, self.side)
        if out is None:
            out = np.empty(shape, np.float32)
        ringed = _ringed(images, self.side)
        flat = out.reshape(b, self.size, c, self.side**2)
        if b * self.size <= FEW and not and_back:
            self._apply_to_few(ringed, flat)
            return out
        from backend.nero import kernels  # numba takes seconds to load, and more the first time

        there = (self.taps, self.weights)
        if and_back:
            back = (self.back_taps, self.back_weights)
            kernels.turn_and_back(ringed, *there, *back, self.slots, self.side, flat)
        else:
            kernels.turn(ringed, *there, self.slots, self.side, flat)
        return out

    def _apply_to_few(self, ringed: F32, out: F32) -> None:
        """The same sums in the same order by numpy: turning one image waits for no compiler."""
        corners = (0, 1, self.side + 2, self.side + 3)
        for taps, weights, slots in zip(self.taps, self.weights, self.slots, strict=True):
            first, *rest = (
                weight * ringed[:, :, taps + corner]
                for weight, corner in zip(weights, corners, strict=True)
            )
            turned = sum(rest, start=first).reshape(*ringed.shape[:2], self.side, self.side)
            for quarter, slot in enumerate(slots):
                if slot >= 0:
                    moved = np.rot90(turned, quarter, (2, 3))
                    out[:, slot] = moved.reshape(*ringed.shape[:2], -1)


@lru_cache(maxsize=64)
def rotator(angles_deg: tuple[float, ...], side: int, *, and_back: bool = False) -> Rotator:
    """The tables for these angles and this size; kept, so that equal requests share them.

    Args:
        angles_deg: any finite angles, different from each other on the circle.
        side: height and width of the images, in pixels.
        and_back: also make the tables for turning back.

    Raises:
        BadRequest: an angle is not finite or comes twice.
    """
    if not np.isfinite(angles_deg).all():
        raise BadRequest("An angle is not a number.", "Angles are given in degrees, such as 170.")
    quarters, small = split(np.asarray(angles_deg, dtype=np.float64))
    distinct, member = np.unique(small, return_inverse=True)
    slots = np.full((len(distinct), 4), -1, np.int32)
    slots[member, quarters] = np.arange(len(angles_deg))
    if np.count_nonzero(slots >= 0) != len(angles_deg):
        raise BadRequest("An angle comes twice.", "0 and 360 degrees are the same turn.")
    taps, weights = _tables(distinct, side)
    back_taps, back_weights = _tables(-distinct if and_back else distinct[:0], side)
    return Rotator(side, len(angles_deg), taps, weights, back_taps, back_weights, slots)


def split(angles_deg: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Quarter turns ``(n,)`` in 0..3 and the rest ``(n,)`` in [0, 90) degrees of each angle."""
    whole = np.floor(angles_deg / 90.0 + SNAP)
    rest = np.round(angles_deg - 90.0 * whole, 9)
    return whole.astype(np.int64) % 4, np.maximum(rest, 0.0)


def square(images: NDArray[np.generic]) -> int:
    """The side of ``(b, c, side, side)`` images.

    Raises:
        BadRequest: they are not square.
    """
    height, width = images.shape[-2:]
    if height != width:
        raise BadRequest(
            f"Images of {height} × {width} pixels cannot be turned on their own grid.",
            "Crop or pad them to squares first.",
        )
    return int(height)


def _ringed(images: U8 | F32, side: int) -> F32:
    """The images as float32 with one ring of zeros, ``(b, c, (side + 2)²)``."""
    b, c = images.shape[:2]
    ringed = np.zeros((b, c, side + 2, side + 2), np.float32)
    inner = ringed[:, :, 1:-1, 1:-1]
    if images.dtype == np.uint8:
        np.divide(images, np.float32(255.0), out=inner)
    else:
        inner[:] = images
    return ringed.reshape(b, c, (side + 2) ** 2)


def _tables(angles_deg: NDArray[np.float64], side: int) -> tuple[I32, F32]:
    """Where each output pixel reads in a ringed image and with which weights: (m, p) and (m, 4,
    p).
    """
    centred = np.arange(side) - (side - 1) / 2
    taps = np.empty((len(angles_deg), side * side), np.int32)
    weights = np.empty((len(angles_deg), 4, side * side), np.float32)
    for i, angle in enumerate(np.deg2rad(angles_deg)):
        # An output pixel reads where the inverse turn takes it. Rows grow downwards on the screen,
        # which turns the sign of the sine around.
        x = np.cos(angle) * centred[None, :] - np.sin(angle) * centred[:, None]
        y = np.sin(angle) * centred[None, :] + np.cos(angle) * centred[:, None]
        # In the ringed image the picture starts at 1; beyond the ring everything is zero like the
        # ring itself.
        x, y = (np.clip(v + (side - 1) / 2 + 1, 0, side + 1) for v in (x, y))
        left, top = (np.minimum(np.floor(v), side) for v in (x, y))
        right_share, bottom_share = x - left, y - top
        taps[i] = (top * (side + 2) + left).ravel()
        for k, share_y in enumerate((1 - bottom_share, bottom_share)):
            for j, share_x in enumerate((1 - right_share, right_share)):
                weights[i, 2 * k + j] = (share_y * share_x).ravel()
    return taps, weights
