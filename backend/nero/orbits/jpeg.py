"""What JPEG leaves of an image."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
from PIL import Image

from backend.errors import BadRequest
from backend.nero.orbits.line import Line
from backend.nero.orbits.pixels import moved, unit
from backend.protocols import F32, I64, U8

NONE = 105.0  # where the picture that was never compressed stands, right of quality 100


@dataclass(frozen=True, slots=True)
class Jpegs(Line):
    """Qualities of Pillow's encoder (libjpeg scale, colour at half resolution), and none at all.

    A set without a law: compressing twice is no single quality, and what is lost stays lost.
    """

    @property
    def labels(self) -> tuple[str, ...]:
        """Such as ``"quality 50"``."""
        return tuple(f"quality {v:g}" if v < NONE else "none" for v in self.values)

    def act(self, inputs: U8 | F32, elements: I64, out: F32 | None = None) -> F32:
        """Images ``(b, m, c, h, w)``, rounded to 8 bits, compressed and read again.

        Raises:
            BadRequest: they have neither 1 nor 3 channels.
        """
        return moved(self, inputs, elements, out, self._compress)

    def _compress(self, images: F32, element: int) -> F32:
        if images.shape[1] not in (1, 3):
            raise BadRequest(
                f"Images of {images.shape[1]} channels have no JPEG form.", "Give grey or RGB."
            )
        quality = int(self.values[element])
        pixels = np.round(images * 255).astype(np.uint8).transpose(0, 2, 3, 1)
        read = np.stack([_read_back(image, quality) for image in pixels])
        return unit(read.transpose(0, 3, 1, 2))


def _read_back(image: U8, quality: int) -> U8:
    """One image ``(h, w, c)`` there and back."""
    file = io.BytesIO()
    shown = Image.fromarray(image[:, :, 0] if image.shape[2] == 1 else image)
    shown.save(file, "JPEG", quality=quality, subsampling=2)
    with Image.open(file) as again:
        return np.asarray(again).reshape(image.shape)


def jpegs(step: int = 5) -> Jpegs:
    """Qualities from ``step`` to 100, and no compression.

    Raises:
        BadRequest: the step is not a whole number from 5 that divides 100.
    """
    if type(step) is not int or not 5 <= step <= 50 or 100 % step:
        raise BadRequest(f"{step!r} is not a step of quality.", "Such as 5, 10, 20 or 25.")
    values = (*(float(q) for q in range(step, 101, step)), NONE)
    name = f"JPEG compression, quality by {step}"
    return Jpegs(f"jpeg-{step}", name, "JPEG quality (rightmost: none)", "", values, NONE)
