"""Shifts of a picture that comes in again on the other side: a group on the torus."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from backend.errors import BadRequest
from backend.nero.orbits.base import F64, checked
from backend.nero.orbits.pixels import moved
from backend.nero.orbits.plane import Plane
from backend.protocols import F32, I64, U8


@dataclass(frozen=True, slots=True)
class CircularShifts(Plane):
    """``n`` × ``n`` shifts by whole multiples of 1/n of the sides, right and down, all around."""

    @property
    def n(self) -> int:
        """Shifts along each side."""
        return len(self.xs)

    def inverse(self, i: int) -> int:
        """The opposite shift; half way around it is the same one."""
        return self._at(-self.positions[checked(i, self.size)])

    def compose(self, i: int, j: int) -> int:
        """The sum, around the torus."""
        i, j = checked(i, self.size), checked(j, self.size)
        return self._at(self.positions[i] + self.positions[j])

    def act(self, inputs: U8 | F32, elements: I64, out: F32 | None = None) -> F32:
        """Shifted images ``(b, m, c, h, w)``; pixels move, none is mixed or lost.

        Raises:
            BadRequest: a side is not a multiple of ``n``.
        """
        return moved(self, inputs, elements, out, self._roll)

    def _roll(self, images: F32, element: int) -> F32:
        height, width = images.shape[2:]
        if height % self.n or width % self.n:
            raise BadRequest(
                f"Images of {width} × {height} px cannot be shifted by 1/{self.n} of their sides.",
                f"Both sides must be multiples of {self.n} px; choose another sampling.",
            )
        x, y = self.positions[element].astype(int).tolist()
        return np.roll(images, (y * height // self.n, x * width // self.n), (2, 3))

    def _at(self, steps: F64) -> int:
        column, row = ((steps + self.n // 2) % self.n).astype(int).tolist()
        return int(row * self.n + column)


def circular_shifts(n: int = 14) -> CircularShifts:
    """``n`` shifts along each side.

    Raises:
        BadRequest: it is not a whole number from 2 to 64.
    """
    if type(n) is not int or not 2 <= n <= 64:
        raise BadRequest(f"{n!r} is not a number of shifts.", "Allowed are whole numbers 2 to 64.")
    steps = tuple(float(k - n // 2) for k in range(n))
    axes = (f"to the right (1/{n} of the width)", f"down (1/{n} of the height)")
    name = f"circular shifts by 1/{n} of the picture"
    return CircularShifts(f"shift-{n}", name, axes, steps, steps, f" of {n}")
