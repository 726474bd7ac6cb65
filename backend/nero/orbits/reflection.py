"""Mirror images: the four-group of left–right and top–bottom."""

from __future__ import annotations

from dataclasses import dataclass

from backend.nero.orbits.base import checked
from backend.nero.orbits.choices import Choices, numbers
from backend.nero.orbits.pixels import moved
from backend.protocols import F32, I64, U8

NAMES = ("as is", "left–right", "top–bottom", "both")


@dataclass(frozen=True, slots=True)
class Reflections(Choices):
    """Bit 0 of an element mirrors left and right, bit 1 top and bottom; pixels only move."""

    def inverse(self, i: int) -> int:
        """Every mirror undoes itself."""
        return checked(i, self.size)

    def compose(self, i: int, j: int) -> int:
        """Equal mirrors cancel."""
        return checked(i, self.size) ^ checked(j, self.size)

    def act(self, inputs: U8 | F32, elements: I64, out: F32 | None = None) -> F32:
        """Mirrored images ``(b, m, c, h, w)``."""
        return moved(self, inputs, elements, out, _mirror)


def _mirror(images: F32, element: int) -> F32:
    mirrored = images[..., ::-1] if element & 1 else images
    return mirrored[:, :, ::-1] if element & 2 else mirrored


def reflections() -> Reflections:
    """As is, mirrored left–right, mirrored top–bottom, and both (a half turn)."""
    return Reflections("reflection-4", "reflections", "mirror", "", numbers(NAMES), 0.0, NAMES)
