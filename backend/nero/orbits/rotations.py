"""Turns of an image about its centre: the circle."""

from __future__ import annotations

import math
import operator
from dataclasses import dataclass
from typing import Final

import numpy as np

from backend.errors import BadRequest
from backend.nero import resample
from backend.nero.orbits.base import F64, Domain, Layout, checked, checked_all
from backend.protocols import F32, I64, U8

STEP_LOW_DEG: Final = 1.0
STEP_HIGH_DEG: Final = 90.0
STEP_HINT: Final = (
    "Allowed are steps from 1 to 90 that divide 360, such as 1, 2.5, 5, 10, 15, 30 or 90."
)


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
        """Family and sampling."""
        return f"rotation-{360 / self.n:g}"

    @property
    def domain(self) -> Domain:
        """Square images."""
        return "image"

    @property
    def positions(self) -> F64:
        """The turns ``(n, 1)`` in degrees."""
        return self.angles_deg[:, None]

    @property
    def axes(self) -> tuple[str, ...]:
        """The one coordinate."""
        return ("rotation (°)",)

    @property
    def labels(self) -> tuple[str, ...]:
        """The turns with their unit."""
        return tuple(f"{angle:g}°" for angle in self.angles_deg)

    @property
    def size(self) -> int:
        """How many turns there are."""
        return self.n

    @property
    def identity_index(self) -> int:
        """No turn at all."""
        return 0

    @property
    def angles_deg(self) -> F64:
        """The turns ``(n,)`` in degrees, from 0 up to but without 360."""
        return np.arange(self.n) * 360.0 / self.n

    def inverse(self, i: int) -> int:
        """The turn that undoes turn ``i``."""
        return -checked(i, self.n) % self.n

    def compose(self, i: int, j: int) -> int:
        """One turn for turn ``j`` followed by turn ``i``."""
        return (checked(i, self.n) + checked(j, self.n)) % self.n

    def blocks(self, at_most: int) -> list[I64]:
        """Turns that are quarter turns of each other come together, as they share work."""
        quarters, small = resample.split(self.angles_deg)
        order = np.lexsort((quarters, small)) if at_most < self.n else np.arange(self.n)
        step = min(self.n, max(4, at_most - at_most % 4))
        return [order[start : start + step] for start in range(0, self.n, step)]

    def act(self, inputs: U8 | F32, elements: I64, out: F32 | None = None) -> F32:
        """Turned images ``(b, m, c, s, s)``: bilinear, what comes from outside is 0."""
        return self._rotator(inputs, elements, and_back=False).apply(inputs, out=out)

    def act_and_back(self, inputs: U8 | F32, elements: I64, out: F32 | None = None) -> F32:
        """Images turned there and back again: what interpolation alone costs."""
        rotator = self._rotator(inputs, elements, and_back=True)
        return rotator.apply(inputs, and_back=True, out=out)

    def _rotator(self, inputs: U8 | F32, elements: I64, *, and_back: bool) -> resample.Rotator:
        angles = tuple(self.angles_deg[checked_all(elements, self.n)].tolist())
        return resample.rotator(angles, resample.square(inputs), and_back=and_back)


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
