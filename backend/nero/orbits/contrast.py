"""Contrast about mid grey, cut off at black and white."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from backend.errors import BadRequest
from backend.nero.orbits.base import checked, outside
from backend.nero.orbits.line import Line
from backend.nero.orbits.pixels import moved
from backend.protocols import F32, I64, U8


@dataclass(frozen=True, slots=True)
class Contrast(Line):
    """Factors from ¼ to 4 on the distance of a pixel from mid grey, clipped.

    Factors multiply as long as nothing is reduced after it was raised: raising clips. So a
    reduction can be undone, and raised contrast cannot.
    """

    @property
    def labels(self) -> tuple[str, ...]:
        """Such as ``"×0.5"``."""
        return tuple(f"×{value:.3g}" for value in self.values)

    def inverse(self, i: int) -> int:
        """One over the factor, for factors up to 1.

        Raises:
            BadRequest: contrast was raised, and clipped pixels are lost.
        """
        if self.values[checked(i, self.size)] > 1:
            raise BadRequest(
                f"Nothing undoes {self.labels[i]} of {self.name}.",
                "Raised contrast is clipped at black and white; reduced contrast can be undone.",
            )
        return self.size - 1 - i

    def compose(self, i: int, j: int) -> int:
        """The product of two factors, unless the first clips and the second reduces."""
        i, j = checked(i, self.size), checked(j, self.size)
        first, second = self.values[j], self.values[i]
        what = f"{self.labels[j]} followed by {self.labels[i]}"
        if first > 1 > second:
            outside(self.name, f"{what}, which clips in between,")
        return self.index_of(first * second, what)

    def act(self, inputs: U8 | F32, elements: I64, out: F32 | None = None) -> F32:
        """Images ``(b, m, c, h, w)`` with 0.5 + factor · (x − 0.5), clipped to [0, 1]."""
        return moved(self, inputs, elements, out, self._spread)

    def _spread(self, images: F32, element: int) -> F32:
        half = np.float32(0.5)
        spread: F32 = half + np.float32(self.values[element]) * (images - half)
        return spread.clip(0, 1)


def contrast(per_doubling: int = 4) -> Contrast:
    """Factors from ¼ to 4, ``per_doubling`` of them from 1 to 2.

    Raises:
        BadRequest: it is not a whole number from 1 to 32.
    """
    if type(per_doubling) is not int or not 1 <= per_doubling <= 32:
        raise BadRequest(
            f"{per_doubling!r} is not a number of factors.", "Allowed are whole numbers 1 to 32."
        )
    most = 2 * per_doubling
    values = tuple(2.0 ** (k / per_doubling) for k in range(-most, most + 1))
    name = f"contrast by factors of ¼ to 4, {per_doubling} to a doubling"
    return Contrast(f"contrast-{per_doubling}", name, "contrast factor", "", values, 1.0)
