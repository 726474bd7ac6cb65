"""Decoding of uploaded images, which are untrusted bytes."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from backend.errors import BadRequest
from backend.protocols import U8

MAX_PIXELS = 40_000_000
"""About the largest photograph a phone takes; decoded as RGB it needs 120 MB."""
MIN_SIDE_PX = 8
FORMATS = ("PNG", "JPEG", "WEBP", "BMP")
MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA")

# What Pillow's decoders raise on bytes that are not what they claim to be.
BROKEN = (OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error)


class BadImage(BadRequest):
    """An uploaded file cannot be used as an image."""


def read_image(data: bytes, shape: tuple[int, int, int]) -> U8:
    """The upload as an item of that shape: ``(h, w)`` for one channel, else ``(h, w, 3)``.

    The format is told from the content, never from a file name. Camera rotation is applied,
    transparent parts become black, colour becomes grey where one channel is asked for, and the
    largest centred part with the right aspect is resized (Lanczos). Size and mode are checked from
    the header, before anything is decoded.

    Args:
        data: the file's bytes.
        shape: height, width, channels (1 or 3).

    Raises:
        BadImage: not a PNG, JPEG, WebP or BMP; damaged or cut short; animated; more than 40
            million pixels or a side under 8 px; CMYK, or more than 8 bits per channel.
    """
    height, width, channels = shape
    flat = decoded(data, "L" if channels == 1 else "RGB")
    fitted = ImageOps.fit(flat, (width, height), Image.Resampling.LANCZOS)
    return np.array(fitted, dtype=np.uint8)


def decoded(data: bytes, mode: str) -> Image.Image:
    """The upload at its own size, in the mode "L" or "RGB", with the care of :func:`read_image`.

    Raises:
        BadImage: as :func:`read_image` does.
    """
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as picture:
            _check_header(picture)
            picture.load()
            upright = ImageOps.exif_transpose(picture)
            return flattened(upright, mode)
    except UnidentifiedImageError as error:
        raise BadImage(
            "The file is not an image that can be read here.", "Use PNG, JPEG, WebP or BMP."
        ) from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise BadImage("The image has far too many pixels.", _size_hint()) from error
    except BROKEN as error:
        raise BadImage(
            "The image file is damaged or was cut short.", "Save it again and upload the new file."
        ) from error


def _check_header(picture: Image.Image) -> None:
    """Refuses what must not or cannot be decoded, before decoding."""
    width, height = picture.size
    if width * height > MAX_PIXELS:
        raise BadImage(f"The image has {width} x {height} pixels.", _size_hint())
    if min(width, height) < MIN_SIDE_PX:
        raise BadImage(f"The image is only {width} x {height} pixels.", _size_hint())
    # Some phones put a second, smaller picture into a JPEG; that is not an animation.
    if picture.format in ("PNG", "WEBP") and getattr(picture, "n_frames", 1) > 1:
        raise BadImage("The image is animated.", "Upload a single picture.")
    if picture.mode not in MODES:
        raise BadImage(
            f"The image has the colour mode {picture.mode}.",
            "Save it as RGB or grey with 8 bits per channel.",
        )


def _size_hint() -> str:
    return f"Allowed are {MIN_SIDE_PX} px on each side to {MAX_PIXELS // 1_000_000} million pixels."


def flattened(picture: Image.Image, mode: str) -> Image.Image:
    """The picture over black, in the mode "L" or "RGB"."""
    if picture.has_transparency_data:
        rgba = picture.convert("RGBA")
        black = Image.new("RGBA", rgba.size, (0, 0, 0, 255))
        picture = Image.alpha_composite(black, rgba)
    return picture.convert(mode)
