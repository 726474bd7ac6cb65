"""Orbits of named elements, which have an order but no measure."""

from __future__ import annotations

from dataclasses import dataclass

from backend.nero.orbits.line import Line


@dataclass(frozen=True, slots=True)
class Choices(Line):
    """Elements with names; their values count from 0.

    Attributes:
        names: (size,) what people call each element.
    """

    names: tuple[str, ...]

    @property
    def labels(self) -> tuple[str, ...]:
        """The names."""
        return self.names


def numbers(names: tuple[str, ...]) -> tuple[float, ...]:
    """The values of named elements."""
    return tuple(float(i) for i in range(len(names)))
