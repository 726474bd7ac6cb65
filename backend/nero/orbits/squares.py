"""The symmetries of the square, with or without time reversal, on pairs of frames.

Numbered by the source's law: even ``i`` turns by 45°·i counter-clockwise, odd ``i`` turns by
45°·(i + 1) after a flip upside down; 8 more reverse time.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from backend.errors import BadRequest
from backend.nero.orbits.base import F64, Domain, Layout, checked, checked_all
from backend.protocols import F32, I64, U8

NAMES = (
    "original",
    "/ flip",
    "turn 90°",
    "left–right",
    "turn 180°",
    "\\ flip",
    "turn 270°",
    "top–bottom",
)
CELLS = ((2, 1), (3, 0), (4, 7), (5, 6))  # rows of the inner two columns; reversed time outside


@dataclass(frozen=True, slots=True)
class SquareSymmetries:
    """Eight orientations of a square, twice where time may be reversed."""

    time_reversal: bool = True

    @property
    def name(self) -> str:
        """What it does, for people."""
        return "symmetries of the square" + (" and of time" if self.time_reversal else "")

    @property
    def key(self) -> str:
        """Family and sampling."""
        return f"squares-{self.size}"

    @property
    def layout(self) -> Layout:
        """A cell for each, in the source's arrangement."""
        return "squares"

    @property
    def domain(self) -> Domain:
        """Two frames of a square region."""
        return "frames"

    @property
    def size(self) -> int:
        """8 or 16."""
        return 16 if self.time_reversal else 8

    @property
    def identity_index(self) -> int:
        """The original orientation and order."""
        return 0

    @property
    def positions(self) -> F64:
        """Column and row ``(size, 2)``: reversed time in the outer columns."""
        places = np.zeros((16, 2))
        for row, (left, right) in enumerate(CELLS):
            places[left], places[right] = (1, row), (2, row)
            places[left + 8], places[right + 8] = (0, row), (3, row)
        return places if self.time_reversal else places[:8] - [1, 0]

    @property
    def axes(self) -> tuple[str, ...]:
        """Cells have no measured axes."""
        return ("column", "row")

    @property
    def labels(self) -> tuple[str, ...]:
        """Orientation, with a prime where time is reversed."""
        return (*NAMES, *(f"{name}, time reversed" for name in NAMES))[: self.size]

    def inverse(self, i: int) -> int:
        """Turns go back; reflections undo themselves."""
        i = checked(i, self.size)
        return i if i % 2 else i - i % 8 + (8 - i % 8) % 8

    def compose(self, i: int, j: int) -> int:
        """The source's index law; time bits add modulo 2."""
        i, j = checked(i, self.size), checked(j, self.size)
        turned = (i % 8 - j % 8 if i % 2 else i % 8 + j % 8) % 8
        return turned + 8 * ((i // 8 + j // 8) % 2)

    def act(self, inputs: U8 | F32, elements: I64, out: F32 | None = None) -> F32:
        """Pairs of frames ``(b, m, 2, s, s)`` float32 in [0, 1]; pixels move, none is mixed."""
        if inputs.ndim != 4 or inputs.shape[2] != inputs.shape[3]:
            raise BadRequest(
                f"Frames of the shape {inputs.shape} are not square.", "Crop them to squares first."
            )
        if out is None:
            out = np.empty((len(inputs), len(elements), *inputs.shape[1:]), np.float32)
        scale = np.float32(255.0 if inputs.dtype == np.uint8 else 1.0)
        for k, element in enumerate(checked_all(elements, self.size)):
            frames = inputs[:, ::-1] if element >= 8 else inputs
            np.divide(oriented(frames, int(element) % 8), scale, out=out[:, k])
        return out


def oriented(images: F32 | U8, i: int) -> F32 | U8:
    """``(..., s, s)`` in orientation ``i`` of 0..7, rows going down the screen: a view."""
    flipped = images[..., ::-1, :] if i % 2 else images
    quarters = (i + 1) // 2 if i % 2 else i // 2
    return np.rot90(flipped, quarters, (-2, -1))


def square_symmetries(time_reversal: bool = True) -> SquareSymmetries:
    """The 16 elements of the source, or the 8 without reversed time."""
    return SquareSymmetries(bool(time_reversal))
