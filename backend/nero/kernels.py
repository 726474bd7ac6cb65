"""The inner loops of image resampling, compiled by numba. Import this only where images are really
turned.

Compiled code is kept beside this file (``__pycache__``), so that only the first run on a machine
pays for it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]
I32 = NDArray[np.int32]


def _gather(image: F32, taps: I32, weights: F32, stride: int, out: F32) -> None:
    """Bilinear sampling of one padded image: ``out[p]`` mixes the four pixels around
    ``taps[p]``.
    """
    w0, w1, w2, w3 = weights[0], weights[1], weights[2], weights[3]
    # Unsigned indices: numba would test signed ones for "count from the end" at every read.
    one, down = np.uint64(1), np.uint64(stride)
    for p in range(taps.size):
        k = np.uint64(taps[p])
        below = k + down
        out[p] = (
            w0[p] * image[k]
            + w1[p] * image[k + one]
            + w2[p] * image[below]
            + w3[p] * image[below + one]
        )


def _quarter_turn(image: F32, side: int, out: F32) -> None:
    """One image turned by 90 degrees counter-clockwise: pixels are moved, never mixed."""
    for row in range(side):
        for column in range(side):
            out[row * side + column] = image[column * side + side - 1 - row]


def _half_turn(image: F32, out: F32) -> None:
    """One image turned by 180 degrees: read backwards."""
    last = image.size - 1
    for p in range(image.size):
        out[p] = image[last - p]


_JIT: dict[str, Any] = {"cache": True, "nogil": True}
gather: Callable[..., None] = numba.njit(**_JIT)(_gather)
quarter_turn: Callable[..., None] = numba.njit(**_JIT)(_quarter_turn)
half_turn: Callable[..., None] = numba.njit(**_JIT)(_half_turn)


def _turn(padded: F32, taps: I32, weights: F32, slots: I32, side: int, out: F32) -> None:
    """Writes every image at every angle.

    Args:
        padded: (b, c, (side + 2)²) images with one ring of zeros around them.
        taps: (m, side²) upper left of the four pixels, per small angle.
        weights: (m, 4, side²) of these pixels.
        slots: (m, 4) the element of the orbit that is small angle ``m`` plus ``q`` quarter turns,
            or -1.
        out: (b, e, c, side²).
    """
    turned = np.empty((4, side * side), np.float32)
    for i in range(padded.shape[0]):
        for m in range(taps.shape[0]):
            for c in range(padded.shape[1]):
                gather(padded[i, c], taps[m], weights[m], side + 2, turned[0])
                if slots[m, 0] >= 0:
                    out[i, slots[m, 0], c] = turned[0]
                if slots[m, 2] >= 0:
                    half_turn(turned[0], out[i, slots[m, 2], c])
                if slots[m, 1] >= 0 or slots[m, 3] >= 0:
                    quarter_turn(turned[0], side, turned[1])
                    if slots[m, 1] >= 0:
                        out[i, slots[m, 1], c] = turned[1]
                    if slots[m, 3] >= 0:
                        half_turn(turned[1], out[i, slots[m, 3], c])


def _turn_and_back(
    padded: F32,
    taps: I32,
    weights: F32,
    back_taps: I32,
    back_weights: F32,
    slots: I32,
    side: int,
    out: F32,
) -> None:
    """As :func:`turn`, then every image is turned back: what remains is the cost of interpolating
    twice.

    Turning back undoes the quarter turns without trace, so the four elements of one small angle
    agree.
    """
    there = np.zeros((side + 2, side + 2), np.float32)
    flat = there.reshape((side + 2) * (side + 2))
    turned = np.empty(side * side, np.float32)
    for i in range(padded.shape[0]):
        for m in range(taps.shape[0]):
            for c in range(padded.shape[1]):
                gather(padded[i, c], taps[m], weights[m], side + 2, turned)
                for row in range(side):
                    for column in range(side):
                        there[row + 1, column + 1] = turned[row * side + column]
                gather(flat, back_taps[m], back_weights[m], side + 2, turned)
                for q in range(4):
                    if slots[m, q] >= 0:
                        out[i, slots[m, q], c] = turned


turn: Callable[..., None] = numba.njit(**_JIT)(_turn)
turn_and_back: Callable[..., None] = numba.njit(**_JIT)(_turn_and_back)
