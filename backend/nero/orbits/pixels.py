"""What transforms of image batches share: one way in, one way out, one loop over elements."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backend.errors import BadRequest
from backend.nero.orbits.base import Orbit, checked_all
from backend.protocols import F32, I64, U8


def unit(images: U8 | F32) -> F32:
    """Images ``(b, c, h, w)`` as float32 in [0, 1].

    Raises:
        BadRequest: they are not a batch of images, or hold nothing.
    """
    found: NDArray[Any] = np.asarray(images)
    if found.ndim != 4 or 0 in found.shape[1:] or found.dtype.kind not in "uf":
        raise BadRequest(
            f"Images of the shape {found.shape} and the type {found.dtype} cannot be transformed.",
            "They must be uint8 or float32 of (images, channels, height, width).",
        )
    scaled: F32 = np.asarray(found, np.float32)
    return scaled / np.float32(255.0) if found.dtype == np.uint8 else scaled


def moved(
    orbit: Orbit,
    images: U8 | F32,
    elements: I64,
    out: F32 | None,
    move: Callable[[F32, int], F32],
) -> F32:
    """Every image under some elements, ``(b, m, c, h, w)`` float32; the identity copies.

    Args:
        move: images ``(b, c, h, w)`` under one element. It must treat each image by itself.

    Raises:
        BadRequest: the images are none, or an element is not on the orbit.
    """
    pixels, chosen = unit(images), checked_all(elements, orbit.size)
    if out is None:
        out = np.empty((len(pixels), len(chosen), *pixels.shape[1:]), np.float32)
    for k, element in enumerate(chosen.tolist()):
        out[:, k] = pixels if element == orbit.identity_index else move(pixels, element)
    return out


def separable(images: F32, rows: F32, columns: F32) -> F32:
    """Images ``(b, c, h, w)`` through weights of rows ``(h', h)`` and of columns ``(w', w)``."""
    mixed: F32 = np.matmul(np.matmul(rows, images), columns.T)
    return mixed
