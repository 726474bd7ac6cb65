"""Composes the images and masks of "Birds on backgrounds" from their recipes."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from backend.protocols import F32, U8

PX: Final = 128
SPLIT, KIND, GROUND, BIRD, CROP, FLIPS, SIZE, X, Y = range(9)


@dataclass(frozen=True, slots=True)
class Composer:
    """Cut-outs, crops and recipes; see ``data/build_birds.py``."""

    birds: tuple[Image.Image, ...]
    grounds: tuple[Image.Image, ...]
    recipes: NDArray[np.int32]

    @classmethod
    def of(cls, arrays: Mapping[str, NDArray[Any]]) -> Composer:
        """From ``birds.npz``. Raises KeyError, ValueError or OSError where it is damaged."""
        birds = _pictures(arrays["birds"], arrays["bird_ends"], "RGBA")
        grounds = _pictures(arrays["grounds"], arrays["ground_ends"], "RGB")
        return cls(birds, grounds, arrays["recipes"])

    def image(self, row: int) -> U8:
        """``(128, 128, 3)`` uint8 RGB."""
        recipe = self.recipes[row]
        ground = self.grounds[recipe[CROP]]
        if recipe[FLIPS] & 2:
            ground = ground.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        canvas = ground.resize((PX, PX), Image.Resampling.BILINEAR)
        bird, corner = self._bird(recipe)
        canvas.paste(bird, corner, bird)
        return np.asarray(canvas, np.uint8)

    def mask(self, row: int, shape: tuple[int, int]) -> F32:
        """Share of each cell of a ``shape`` grid that the bird covers, ``(h, w)`` in [0, 1].

        The sides of the grid must divide 128.
        """
        alpha = Image.new("L", (PX, PX))
        bird, corner = self._bird(self.recipes[row])
        alpha.paste(bird.getchannel("A"), corner)
        cells = np.asarray(alpha, np.float32) / 255.0
        h, w = shape
        share: F32 = cells.reshape(h, PX // h, w, PX // w).mean(axis=(1, 3))
        return share

    def _bird(self, recipe: NDArray[np.int32]) -> tuple[Image.Image, tuple[int, int]]:
        bird = self.birds[recipe[BIRD]]
        long_px = recipe[SIZE] * PX / 1000
        factor = long_px / max(bird.size)
        size = (max(1, round(bird.width * factor)), max(1, round(bird.height * factor)))
        bird = bird.resize(size, Image.Resampling.BILINEAR)
        if recipe[FLIPS] & 1:
            bird = bird.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        x, y = (int(recipe[place]) * PX // 1000 for place in (X, Y))
        # The corner is that of a square around the bird, in whose middle it lies.
        square = round(long_px)
        return bird, (x + (square - size[0]) // 2, y + (square - size[1]) // 2)


def _pictures(data: U8, ends: NDArray[Any], mode: str) -> tuple[Image.Image, ...]:
    starts = [0, *ends[:-1].tolist()]
    return tuple(
        Image.open(io.BytesIO(data[a:b].tobytes())).convert(mode)
        for a, b in zip(starts, ends.tolist(), strict=True)
    )
