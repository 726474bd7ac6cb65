"""Cyclic orbits: equal turns of something that comes around again."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from backend.nero.orbits.base import F64, Domain, Layout, checked


@dataclass(frozen=True, slots=True)
class Circle:
    """``n`` equal turns of 360°; a subclass says what they do.

    Attributes:
        key: ``family-level``.
        name: what it does, for people.
        axis: the name of the turn, with its unit.
        n: how many turns there are; element ``i`` turns by ``360 * i / n`` degrees.
    """

    key: str
    name: str
    axis: str
    n: int

    @property
    def layout(self) -> Layout:
        """Turns lie on a circle."""
        return "circle"

    @property
    def domain(self) -> Domain:
        """Images, unless a subclass says otherwise."""
        return "image"

    @property
    def size(self) -> int:
        """How many turns there are."""
        return self.n

    @property
    def identity_index(self) -> int:
        """No turn at all."""
        return 0

    @property
    def positions(self) -> F64:
        """The turns ``(n, 1)`` in degrees."""
        return np.arange(self.n)[:, None] * 360.0 / self.n

    @property
    def axes(self) -> tuple[str, ...]:
        """The name of the turn."""
        return (self.axis,)

    @property
    def labels(self) -> tuple[str, ...]:
        """The turns with their unit."""
        return tuple(f"{turn:g}°" for turn in self.positions[:, 0])

    def inverse(self, i: int) -> int:
        """The turn that undoes turn ``i``."""
        return -checked(i, self.n) % self.n

    def compose(self, i: int, j: int) -> int:
        """Turns add up."""
        return (checked(i, self.n) + checked(j, self.n)) % self.n
