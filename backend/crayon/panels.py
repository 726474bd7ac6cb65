"""What an annotator sees of a map: the image, the highlight laid bare, the highlight in red."""

from __future__ import annotations

import hashlib
from typing import Final

import numpy as np
from PIL import Image

from backend.protocols import F32, U8

PANELS: Final = ("original", "overlay", "red")
SHOWN_PX: Final = 256
VEIL: Final = 0.12  # how much of the image shows where the map is 0
HASH_STEPS: Final = 32
RED: Final = (230, 30, 30)


def map_hash(shown: F32) -> str:
    """16 hex digits of the sha256 of a map ``(h, w)`` in [0, 1], rounded to steps of 1/32.

    Another machine computes the same map to about 1e-6; the rounding keeps its name.
    """
    steps = np.round(np.asarray(shown, np.float64) * HASH_STEPS).astype(np.uint8)
    return hashlib.sha256(steps.tobytes()).hexdigest()[:16]


def opacity(shown: F32) -> F32:
    """How much of the image shows for each map value in [0, 1]; it never falls as the map rises."""
    level: F32 = VEIL + (1 - VEIL) * np.clip(shown, 0, 1)
    return level


def panel(name: str, image: U8, shown: F32) -> U8:
    """One panel.

    Args:
        name: original, overlay (RGBA: the alpha channel is :func:`opacity`) or red.
        image: ``(h, w, 3)`` uint8.
        shown: ``(gh, gw)`` the map in [0, 1], scaled up bicubically.

    Returns:
        ``(H, W, 3)`` or, for overlay, ``(H, W, 4)`` uint8, the longer side at least SHOWN_PX.
    """
    large = _large(image)
    if name == "original":
        return large
    size = (large.shape[1], large.shape[0])
    level = np.asarray(
        Image.fromarray(shown.astype(np.float32)).resize(size, Image.Resampling.BICUBIC)
    ).clip(0, 1)
    if name == "overlay":
        alpha = np.round(opacity(level) * 255).astype(np.uint8)
        return np.dstack([large, alpha])
    share = 0.75 * level[..., None]
    mixed = large * (1 - share) + np.array(RED) * share
    return np.round(mixed).astype(np.uint8)


def patch(image: U8, cell: tuple[int, int], grid: tuple[int, int]) -> U8:
    """The image with a red rectangle around one cell ``(y, x)`` of the grid, ``(H, W, 3)``."""
    large = _large(image).copy()
    h, w = large.shape[:2]
    y0, y1 = (round((cell[0] + i) * h / grid[0]) for i in (0, 1))
    x0, x1 = (round((cell[1] + i) * w / grid[1]) for i in (0, 1))
    line = max(2, h // 85)
    large[y0:y1, x0 : x0 + line] = large[y0:y1, x1 - line : x1] = RED
    large[y0 : y0 + line, x0:x1] = large[y1 - line : y1, x0:x1] = RED
    return large


def _large(image: U8) -> U8:
    factor = -(-SHOWN_PX // max(image.shape[:2]))
    if factor <= 1:
        return image
    size = (image.shape[1] * factor, image.shape[0] * factor)
    return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BICUBIC), np.uint8)
