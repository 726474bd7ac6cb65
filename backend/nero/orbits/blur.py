"""Gaussian blur: variances add, so blurs can be joined and never undone."""

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

MOST_PX = 4.0


@dataclass(frozen=True, slots=True)
class Blurs(Line):
    """Standard deviations in px, from none to 4, of the discrete Gaussian (Lindeberg 1990).

    A semigroup that holds exactly on pixels, borders included, which a sampled Gaussian would not:
    the picture is continued by its mirror image, and the variance in px² is how long the heat
    equation of the pixel grid runs.
    """

    def compose(self, i: int, j: int) -> int:
        """The root of the summed squares, where it is among the elements."""
        i, j = checked(i, self.size), checked(j, self.size)
        what = f"{self.labels[j]} followed by {self.labels[i]}"
        return self.index_of(math.hypot(self.values[i], self.values[j]), what)

    def act(self, inputs: U8 | F32, elements: I64, out: F32 | None = None) -> F32:
        """Blurred images ``(b, m, c, h, w)``; the mean of an image stays."""
        return moved(self, inputs, elements, out, self._blur)

    def _blur(self, images: F32, element: int) -> F32:
        height, width = images.shape[2:]
        sigma = self.values[element]
        mixed = separable(images, heat_weights(height, sigma), heat_weights(width, sigma))
        return np.clip(mixed, 0, 1)  # rounding may leave 1.0000001


@lru_cache(maxsize=256)
def heat_weights(n: int, sigma_px: float) -> F32:
    """Weights ``(n, n)`` along one axis: exp of the mirrored second difference times σ²/2."""
    k = np.arange(n)
    waves = np.cos(np.pi * k[:, None] * (k + 0.5) / n) * math.sqrt(2 / n)
    waves[0] /= math.sqrt(2)
    decay = np.exp(-(sigma_px**2) * (1 - np.cos(np.pi * k / n)))
    return ((waves.T * decay) @ waves).astype(np.float32)


def blurs(step_px: float = 0.5) -> Blurs:
    """Standard deviations from 0 to 4 px.

    Raises:
        BadRequest: the step is not a number of px that divides 4.
    """
    count = round(MOST_PX / step_px) if step_px > 0 else 0
    if not 1 <= count <= 64 or abs(count * step_px - MOST_PX) > 1e-9:
        raise BadRequest(f"A step of {step_px!r} px does not divide 4 px.", "Such as 0.25 or 0.5.")
    values = tuple(k * MOST_PX / count for k in range(count + 1))
    name = f"Gaussian blur up to 4 px by {step_px:g} px"
    return Blurs(f"blur-{step_px:g}", name, "blur σ (px)", " px", values, 0.0)
