"""Two-parameter orbits: a grid of values, drawn as a map."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from backend.nero.orbits.base import F64, Domain, Layout


@dataclass(frozen=True, slots=True)
class Plane:
    """Every pair of a value to the right and a value down, row by row; a subclass says what they
    do, and how two of them combine.

    Attributes:
        key: ``family-level``.
        name: what it does, for people.
        axes: the names of the two values, with units.
        xs, ys: the values in rising order; 0 is among both and changes nothing.
        unit: what stands after the numbers in a label.
    """

    key: str
    name: str
    axes: tuple[str, ...]
    xs: tuple[float, ...]
    ys: tuple[float, ...]
    unit: str

    @property
    def layout(self) -> Layout:
        """A pair is a cell of a map."""
        return "heatmap"

    @property
    def domain(self) -> Domain:
        """Images, unless a subclass says otherwise."""
        return "image"

    @property
    def size(self) -> int:
        """How many pairs there are."""
        return len(self.xs) * len(self.ys)

    @property
    def identity_index(self) -> int:
        """Where both values are 0."""
        return self.ys.index(0) * len(self.xs) + self.xs.index(0)

    @property
    def positions(self) -> F64:
        """The pairs ``(size, 2)``: x, y."""
        y, x = np.meshgrid(self.ys, self.xs, indexing="ij")
        return np.stack([x.ravel(), y.ravel()], axis=1).astype(np.float64)

    @property
    def labels(self) -> tuple[str, ...]:
        """Such as ``"+2, −1"`` and the unit."""
        signed = [[f"{v:+g}" if v else "0" for v in pair] for pair in self.positions]
        return tuple(f"{x}, {y}{self.unit}".replace("-", "−") for x, y in signed)
