"""Orbits: the transforms a view walks over, as pure data. No tensors, no torch.

An orbit knows its elements, which one is the identity, how to undo and combine them, and how they
are laid out on the screen. What an element does to an input is the business of a task
(:mod:`backend.nero.tasks`), because one group acts differently on an image, a box or a field.
"""

from __future__ import annotations

import math
import operator
from dataclasses import dataclass
from typing import Final, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from backend.errors import BadRequest

Layout = Literal["circle"]
STEP_LOW_DEG: Final = 1.0
STEP_HIGH_DEG: Final = 90.0
STEP_HINT: Final = (
    "Allowed are steps from 1 to 90 that divide 360, such as 1, 2.5, 5, 10, 15, 30 or 90."
)


class Orbit(Protocol):
    """What every group offers a view; indices run from 0 to ``size - 1``."""

    @property
    def name(self) -> str:
        """What it does, for people."""
        ...

    @property
    def layout(self) -> Layout:
        """The shape its elements are drawn on."""
        ...

    @property
    def key(self) -> str:
        """Equal keys mean equal elements in equal order; part of every cache key."""
        ...

    @property
    def size(self) -> int:
        """How many elements there are."""
        ...

    @property
    def identity_index(self) -> int:
        """The element that changes nothing."""
        ...

    def inverse(self, i: int) -> int:
        """The element that undoes ``i``."""
        ...

    def compose(self, i: int, j: int) -> int:
        """The element that does what ``j`` and then ``i`` do."""
        ...


@dataclass(frozen=True, slots=True)
class Rotations:
    """The cyclic group of ``n`` equal turns about the image centre, counter-clockwise as seen on
    screen.

    Element ``i`` turns by ``360 * i / n`` degrees. 360 itself is left out: it is element 0 again,
    and would count twice in every mean over the orbit.
    """

    n: int

    @property
    def name(self) -> str:
        """What it does, for people."""
        return f"rotations by {360 / self.n:g}°"

    @property
    def layout(self) -> Layout:
        """A turn is a point of the circle."""
        return "circle"

    @property
    def key(self) -> str:
        """Short name of the group and its sampling."""
        return f"so2-{self.n}"

    @property
    def size(self) -> int:
        """How many turns there are."""
        return self.n

    @property
    def identity_index(self) -> int:
        """No turn at all."""
        return 0

    @property
    def angles_deg(self) -> NDArray[np.float64]:
        """The turns ``(n,)`` in degrees, from 0 up to but without 360."""
        return np.arange(self.n) * 360.0 / self.n

    def inverse(self, i: int) -> int:
        """The turn that undoes turn ``i``."""
        return -self._checked(i) % self.n

    def compose(self, i: int, j: int) -> int:
        """One turn for turn ``j`` followed by turn ``i``."""
        return (self._checked(i) + self._checked(j)) % self.n

    def _checked(self, i: int) -> int:
        if not 0 <= i < self.n:
            raise BadRequest(
                f"Element {i} is not on an orbit of {self.n}.",
                f"Elements run from 0 to {self.n - 1}.",
            )
        return int(i)


def rotations(n: int | None = None, *, step_deg: float | None = None) -> Rotations:
    """Equal turns around the circle, given by their number (72 unless told) or by their step.

    Args:
        n: how many, 1 to 360.
        step_deg: degrees between neighbours, 1 to 90, dividing 360.

    Raises:
        BadRequest: both or neither fit; the sentence says what is allowed.
    """
    if n is not None and step_deg is not None:
        raise BadRequest("Give the number of rotations or the step between them, not both.")
    if step_deg is not None:
        return Rotations(_count(step_deg))
    count = 72 if n is None else n
    try:
        whole = operator.index(count)  # refuses 72.0 and "72", takes numpy's integers
    except TypeError:
        whole = 0
    if not 1 <= whole <= 360:
        raise BadRequest(
            f"n={n!r} is not a number of rotations.", "Allowed are whole numbers from 1 to 360."
        )
    return Rotations(whole)


def _count(step_deg: float) -> int:
    """How many steps go around, if a whole number does."""
    try:
        step = float(step_deg)
    except (TypeError, ValueError):
        step = math.nan
    if STEP_LOW_DEG <= step <= STEP_HIGH_DEG:  # NaN fails both comparisons
        count = round(360.0 / step)
        if abs(count * step - 360.0) < 1e-9:
            return count
    raise BadRequest(f"A step of {step_deg!r} degrees does not divide the circle.", STEP_HINT)
