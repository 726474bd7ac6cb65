"""Zoom about the image centre: factors multiply, so equal steps are equal ratios."""

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
class Scales(Line):
    """Zoom factors from ½ to 2; what comes from outside is 0.

    A group in the factor. On pixels the law holds up to resampling, and only for what never left
    the picture: enlarging loses the border for good.
    """

    @property
    def labels(self) -> tuple[str, ...]:
        """Such as ``"×0.5"``."""
        return tuple(f"×{value:.3g}" for value in self.values)

    def inverse(self, i: int) -> int:
        """One over the factor."""
        return self.size - 1 - checked(i, self.size)

    def compose(self, i: int, j: int) -> int:
        """The product of two factors, where it is among them."""
        i, j = checked(i, self.size), checked(j, self.size)
        what = f"{self.labels[j]} followed by {self.labels[i]}"
        return self.index_of(self.values[i] * self.values[j], what)

    def act(self, inputs: U8 | F32, elements: I64, out: F32 | None = None) -> F32:
        """Zoomed images ``(b, m, c, h, w)``: bilinear, over the whole area when shrinking."""
        return moved(self, inputs, elements, out, self._zoom)

    def _zoom(self, images: F32, element: int) -> F32:
        rows, columns = (zoom_weights(side, self.values[element]) for side in images.shape[2:])
        return separable(images, rows, columns)


@lru_cache(maxsize=256)
def zoom_weights(n: int, factor: float) -> F32:
    """Weights ``(n, n)`` of the read pixels for each written one along one axis.

    A tent as wide as the step between the places read, at least one pixel to each side, whose
    weights sum to 1 over the endless grid; what lies outside the picture is 0 and drops out.
    """
    places = (np.arange(n) + 0.5 - n / 2) / factor + n / 2 - 0.5
    reach = max(1.0, 1.0 / factor)
    first, last = math.floor(places[0] - reach), math.ceil(places[-1] + reach)
    distance = np.abs(np.arange(min(first, 0), max(last, n - 1) + 1) - places[:, None])
    tent = np.maximum(0.0, 1.0 - distance / reach)
    inside: F32 = (tent / tent.sum(axis=1, keepdims=True))[:, -min(first, 0) :][:, :n].astype(
        np.float32
    )
    return inside


def scales(per_doubling: int = 8) -> Scales:
    """Factors from ½ to 2, ``per_doubling`` of them from 1 to 2.

    Raises:
        BadRequest: it is not a whole number from 1 to 64.
    """
    if type(per_doubling) is not int or not 1 <= per_doubling <= 64:
        raise BadRequest(
            f"{per_doubling!r} is not a number of factors.", "Allowed are whole numbers 1 to 64."
        )
    values = tuple(2.0 ** (k / per_doubling) for k in range(-per_doubling, per_doubling + 1))
    name = f"zoom by factors of ½ to 2, {per_doubling} to a doubling"
    return Scales(f"scale-{per_doubling}", name, "scale factor", "", values, 1.0)
