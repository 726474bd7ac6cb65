"""A confounder for any set of small images: a coloured patch whose colour goes with the class."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from backend.errors import BadRequest
from backend.protocols import F32, I64, U8

PATCH_PX: Final = 6
PX: Final = 28
COLOURS: Final = ((220, 40, 40), (40, 80, 220))  # red, blue


def colours(y: I64, aligned: float, rng: np.random.Generator) -> I64:
    """A colour number for each class number 0 or 1: its own in the share ``aligned``, exactly.

    Rounded to whole images in each class; which ones deviate is drawn at random.

    Raises:
        BadRequest: ``aligned`` is not in [0, 1].
    """
    if not 0 <= aligned <= 1:
        raise BadRequest(f"An aligned share of {aligned} is not usable.", "Allowed are 0 to 1.")
    found = y.copy()
    for kind in (0, 1):
        members = rng.permutation(np.flatnonzero(y == kind))
        deviating = members[: round(len(members) * (1 - aligned))]
        found[deviating] = 1 - kind
    return found


def corners(count: int, rng: np.random.Generator) -> I64:
    """The patches' top left corners ``(n, 2)`` x, y, along the left or right border."""
    x = rng.choice([0, PX - PATCH_PX], count)
    y = rng.integers(0, PX - PATCH_PX + 1, count)
    return np.stack([x, y], axis=1).astype(np.int64)


def drawn(grey: U8, colour: NDArray[Any], corner: NDArray[Any]) -> U8:
    """Grey images with their patches: ``(n, 28, 28)`` to ``(n, 28, 28, 3)`` RGB.

    Args:
        colour: ``(n,)`` 0 or 1; corner: ``(n, 2)`` x, y.
    """
    out = np.repeat(grey[..., None], 3, axis=3)
    for i, (x, y) in enumerate(corner.tolist()):
        out[i, y : y + PATCH_PX, x : x + PATCH_PX] = COLOURS[int(colour[i])]
    return out


def object_masks(grey: U8, corner: NDArray[Any], shape: tuple[int, int]) -> F32:
    """Share of each cell that the garment covers (pixels above 40, off the patch), ``(n, h, w)``.

    The sides of the grid must divide 28.
    """
    inside = (grey > 40).astype(np.float32)
    for i, (x, y) in enumerate(corner.tolist()):
        inside[i, y : y + PATCH_PX, x : x + PATCH_PX] = 0
    h, w = shape
    cells: F32 = inside.reshape(len(grey), h, PX // h, w, PX // w).mean(axis=(2, 4))
    return cells
