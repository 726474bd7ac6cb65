"""An image of any size as the Zoom-In methods see it: rectangles at any scale, nothing else."""

from __future__ import annotations

import hashlib
from typing import Protocol

import numpy as np
from PIL import Image

from backend.errors import BadRequest
from backend.protocols import U8

LARGEST_READ_PX = 64_000_000
"""Pixels of one answer; anything above is a mistake of the caller, not a need."""


class ImageSource(Protocol):
    """A fixed image, RGB, of which only parts are ever in memory."""

    @property
    def width(self) -> int: ...

    @property
    def height(self) -> int: ...

    @property
    def fingerprint(self) -> str:
        """16 hex digits that change with the content."""
        ...

    def read(self, x: int, y: int, width: int, height: int, out_width: int, out_height: int) -> U8:
        """A rectangle of the image at a size, ``(out_height, out_width, 3)`` uint8.

        Smaller sizes are means over the pixels behind each; what lies outside the image is 0.

        Args:
            x, y, width, height: in pixels of the image; may reach past its border.

        Raises:
            BadRequest: a size is not positive, or the file cannot be read (any more).
        """
        ...


class ArraySource:
    """An image held in memory; an ``ImageSource``.

    Args:
        pixels: ``(h, w)`` grey or ``(h, w, 3)`` RGB, uint8.

    Raises:
        BadRequest: it is neither.
    """

    def __init__(self, pixels: U8) -> None:
        is_colour = pixels.ndim == 3 and pixels.shape[2] == 3
        if pixels.dtype != np.uint8 or not (pixels.ndim == 2 or is_colour) or not pixels.size:
            raise BadRequest(
                f"An image of shape {pixels.shape} and type {pixels.dtype} cannot be looked at.",
                "It must be (h, w) or (h, w, 3) of uint8.",
            )
        self.pixels = pixels if is_colour else np.repeat(pixels[:, :, None], 3, axis=2)
        digest = hashlib.sha256(f"{pixels.shape}".encode())
        digest.update(np.ascontiguousarray(pixels).data)
        self.fingerprint = digest.hexdigest()[:16]

    @property
    def width(self) -> int:
        return int(self.pixels.shape[1])

    @property
    def height(self) -> int:
        return int(self.pixels.shape[0])

    def read(self, x: int, y: int, width: int, height: int, out_width: int, out_height: int) -> U8:
        check_read(width, height, out_width, out_height)
        whole = np.zeros((height, width, 3), np.uint8)
        left, top, right, bottom = inside(self, x, y, width, height)
        if right > left and bottom > top:
            piece = self.pixels[top:bottom, left:right]
            whole[top - y : bottom - y, left - x : right - x] = piece
        return resized(whole, out_width, out_height)


def check_read(width: int, height: int, out_width: int, out_height: int) -> None:
    """Returns if the sizes of a read are usable.

    Raises:
        BadRequest: they are not.
    """
    if min(width, height, out_width, out_height) < 1 or out_width * out_height > LARGEST_READ_PX:
        raise BadRequest(
            f"A part of {width} x {height} pixels cannot be read at {out_width} x {out_height}.",
            f"Sizes start at 1 pixel and end at {LARGEST_READ_PX // 1_000_000} million pixels.",
        )


def inside(
    source: ImageSource, x: int, y: int, width: int, height: int
) -> tuple[int, int, int, int]:
    """Left, top, right, bottom of the part of a rectangle that lies in the image."""
    return (
        min(max(x, 0), source.width),
        min(max(y, 0), source.height),
        max(min(x + width, source.width), 0),
        max(min(y + height, source.height), 0),
    )


def resized(pixels: U8, width: int, height: int) -> U8:
    """``(h, w, 3)`` at another size: means over squares where the sizes divide, else box filtered
    down or bilinear up."""
    rows, columns = pixels.shape[:2]
    if (rows, columns) == (height, width):
        return pixels
    if rows % height == 0 and columns % width == 0:
        down, across = rows // height, columns // width
        blocks = pixels.reshape(height, down, width, across, 3)
        summed = blocks.sum(axis=(1, 3), dtype=np.uint32)
        count = down * across
        means: U8 = ((summed + count // 2) // count).astype(np.uint8)
        return means
    is_smaller = height <= rows and width <= columns
    how = Image.Resampling.BOX if is_smaller else Image.Resampling.BILINEAR
    picture = Image.fromarray(np.ascontiguousarray(pixels))
    return np.asarray(picture.resize((width, height), how), np.uint8)
