"""Added light, cut off at black and white."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from backend.errors import BadRequest
from backend.nero.orbits.base import checked, outside
from backend.nero.orbits.line import Line
from backend.nero.orbits.pixels import moved
from backend.protocols import F32, I64, U8

MOST_PERCENT = 50


@dataclass(frozen=True, slots=True)
class Brightness(Line):
    """Offsets in per cent of white, added to every pixel and clipped.

    Two semigroups that meet in the identity: lighter and lighter adds up, and so does darker and
    darker. Lighter, then darker does not, and nothing undoes an offset, as clipped pixels are lost.
    """

    @property
    def labels(self) -> tuple[str, ...]:
        """Such as ``"+5 %"``."""
        return tuple(f"{v:+g} %".replace("-", "−") if v else "0 %" for v in self.values)

    def compose(self, i: int, j: int) -> int:
        """The sum of two offsets of the same sign, where it is among them."""
        i, j = checked(i, self.size), checked(j, self.size)
        first, second = self.values[j], self.values[i]
        what = f"{self.labels[j]} followed by {self.labels[i]}"
        if first * second < 0:
            outside(self.name, f"{what}, which clips in between,")
        return self.index_of(first + second, what)

    def act(self, inputs: U8 | F32, elements: I64, out: F32 | None = None) -> F32:
        """Lighter or darker images ``(b, m, c, h, w)``, clipped to [0, 1]."""
        return moved(self, inputs, elements, out, self._add)

    def _add(self, images: F32, element: int) -> F32:
        lighter: F32 = images + np.float32(self.values[element] / 100)
        return lighter.clip(0, 1)


def brightness(step_percent: int = 5) -> Brightness:
    """Offsets from −50 % to +50 % of white.

    Raises:
        BadRequest: the step is not a whole number that divides 50.
    """
    if type(step_percent) is not int or step_percent < 1 or MOST_PERCENT % step_percent:
        raise BadRequest(
            f"A step of {step_percent!r} % does not divide 50 %.", "Such as 1, 2, 5, 10 or 25."
        )
    count = MOST_PERCENT // step_percent
    values = tuple(float(k * step_percent) for k in range(-count, count + 1))
    name = f"added brightness within ±50 % by {step_percent} %"
    return Brightness(
        f"brightness-{step_percent}", name, "added brightness (% of white)", " %", values, 0.0
    )
