"""The middle of a picture, enlarged to its full size."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from backend.errors import BadRequest
from backend.nero.orbits.base import checked
from backend.nero.orbits.line import Line
from backend.nero.orbits.pixels import moved, separable
from backend.protocols import F32, I64, U8


@dataclass(frozen=True, slots=True)
class Crops(Line):
    """Kept fractions of both sides, from 1 down to ¼, about the centre.

    A semigroup: fractions multiply (on pixels up to resampling), and what is cut off stays lost.
    Unlike zooming in, a crop does not look beyond the pixels that its edge cuts.
    """

    @property
    def labels(self) -> tuple[str, ...]:
        """Such as ``"50 % kept"``."""
        return tuple(f"{100 * value:.3g} % kept" for value in self.values)

    def compose(self, i: int, j: int) -> int:
        """The product of two fractions, where it is among them."""
        i, j = checked(i, self.size), checked(j, self.size)
        what = f"{self.labels[j]} followed by {self.labels[i]}"
        return self.index_of(self.values[i] * self.values[j], what)

    def act(self, inputs: U8 | F32, elements: I64, out: F32 | None = None) -> F32:
        """Cropped and enlarged images ``(b, m, c, h, w)``, bilinear."""
        return moved(self, inputs, elements, out, self._crop)

    def _crop(self, images: F32, element: int) -> F32:
        height, width = images.shape[2:]
        kept = self.values[element]
        return separable(images, crop_weights(height, kept), crop_weights(width, kept))


@lru_cache(maxsize=256)
def crop_weights(n: int, kept: float) -> F32:
    """Weights ``(n, n)`` of the read pixels for each written one along one axis."""
    low = n * (1 - kept) / 2
    places = low + (np.arange(n) + 0.5) * kept - 0.5
    first = min(math.floor(low + 1e-9), (n - 1) // 2)  # the first pixel that lies partly inside
    inside = np.clip(places, first, n - 1 - first)
    weights: F32 = np.maximum(0, 1 - np.abs(np.arange(n) - inside[:, None])).astype(np.float32)
    return weights


def crops(per_halving: int = 8) -> Crops:
    """Fractions from ¼ to 1, ``per_halving`` of them from ½ to 1.

    Raises:
        BadRequest: it is not a whole number from 1 to 32.
    """
    if type(per_halving) is not int or not 1 <= per_halving <= 32:
        raise BadRequest(
            f"{per_halving!r} is not a number of fractions.", "Allowed are whole numbers 1 to 32."
        )
    values = tuple(2.0 ** (k / per_halving) for k in range(-2 * per_halving, 1))
    name = f"centre crops down to ¼, {per_halving} to a halving"
    return Crops(f"crop-{per_halving}", name, "kept fraction of each side", "", values, 1.0)
