"""One-parameter orbits: a list of values, one of which changes nothing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from backend.errors import BadRequest
from backend.nero.orbits.base import F64, Domain, Layout, checked, outside

CLOSE = 1e-9


@dataclass(frozen=True, slots=True)
class Line:
    """Values along a line; a subclass says what they do, and how two of them combine.

    Attributes:
        key: ``family-level``.
        name: what it does, for people.
        axis: the name of the value, with its unit.
        unit: what stands after the number in a label.
        values: (size,) in rising order.
        identity: the value that changes nothing; it is one of ``values``.
    """

    key: str
    name: str
    axis: str
    unit: str
    values: tuple[float, ...]
    identity: float

    @property
    def layout(self) -> Layout:
        """Values lie on a line."""
        return "line"

    @property
    def domain(self) -> Domain:
        """Images, unless a subclass says otherwise."""
        return "image"

    @property
    def size(self) -> int:
        """How many values there are."""
        return len(self.values)

    @property
    def identity_index(self) -> int:
        """Where the value is that changes nothing."""
        return self.values.index(self.identity)

    @property
    def positions(self) -> F64:
        """The values ``(size, 1)``."""
        return np.array(self.values, np.float64)[:, None]

    @property
    def axes(self) -> tuple[str, ...]:
        """The name of the value."""
        return (self.axis,)

    @property
    def labels(self) -> tuple[str, ...]:
        """The values with their unit."""
        return tuple(f"{value:g}{self.unit}" for value in self.values)

    def index_of(self, value: float, what: str) -> int:
        """Where a value is.

        Raises:
            BadRequest: it is not among the values.
        """
        distance = np.abs(np.array(self.values) - value)
        if distance.min() > CLOSE * max(1.0, abs(value)):
            outside(self.name, what)
        return int(distance.argmin())

    def inverse(self, i: int) -> int:
        """Raises BadRequest: information is lost, nothing brings it back."""
        if checked(i, self.size) == self.identity_index:
            return i
        raise BadRequest(
            f"Nothing undoes {self.labels[i]} of {self.name}.", "Only the identity can be undone."
        )

    def compose(self, i: int, j: int) -> int:
        """Only with the identity, unless a subclass knows better."""
        i, j = checked(i, self.size), checked(j, self.size)
        if self.identity_index in (i, j):
            return i if j == self.identity_index else j
        outside(self.name, f"{self.labels[j]} followed by {self.labels[i]}")
