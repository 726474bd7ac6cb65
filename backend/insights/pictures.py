"""Pictures of contents: drawn from recipes, or kept as files in one block; edits of both."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from PIL import Image

from backend.errors import BadRequest
from backend.insights.contents import Bools, Contents, Edit
from backend.insights.drawing import Artist
from backend.protocols import I64, U8

LARGEST_PX: Final = 512
BLANK: Final = 127
"""Grey that a blanked place is filled with."""
MOST_EDITS: Final = 64
Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True, eq=False)
class DrawnPictures:
    """Screenshots drawn from recipes; ``parts`` are the words that stand in them."""

    artist: Artist
    parts: tuple[tuple[str, ...], ...]
    redraws: bool = True

    @property
    def has_image(self) -> Bools:
        """All have one."""
        return np.ones(len(self.parts), bool)

    @property
    def source_pixels(self) -> I64:
        """Of the largest size they are drawn at."""
        return np.full(len(self.parts), LARGEST_PX**2, np.int64)

    def image(self, row: int, px: int = 128) -> U8:
        """One picture, ``(px, px, 3)``."""
        return self.artist.drawn(row, self.parts[row], px)

    def images(self, rows: Sequence[int] | I64, px: int = 128) -> U8:
        """Some pictures, ``(b, px, px, 3)``."""
        return stacked(self.image, rows, px)

    def draft(
        self, row: int, parts: Sequence[str], edits: Sequence[Edit] = (), px: int = 128
    ) -> U8:
        """The picture with these words in it, then with edited places."""
        return edited(self.artist.drawn(row, parts, px), edits, self.image)


@dataclass(frozen=True, slots=True, eq=False)
class KeptPictures:
    """WebP files one after the other; content ``row`` lies in ``data[starts[row]:ends[row]]``.

    Attributes:
        starts, ends: ``(n,)`` int64; equal where a content has no picture.
    """

    data: U8
    starts: I64
    ends: I64
    source_pixels: I64
    redraws: bool = False

    @property
    def has_image(self) -> Bools:
        """Which contents have a picture, ``(n,)``."""
        return np.asarray(self.ends > self.starts)

    def image(self, row: int, px: int = 128) -> U8:
        """One picture, ``(px, px, 3)``; zeros where there is none."""
        start, end = int(self.starts[row]), int(self.ends[row])
        if start == end:
            return np.zeros((px, px, 3), np.uint8)
        with Image.open(io.BytesIO(self.data[start:end].tobytes()), formats=("WEBP",)) as found:
            return np.asarray(boxed(found.convert("RGB"), px), np.uint8)

    def images(self, rows: Sequence[int] | I64, px: int = 128) -> U8:
        """Some pictures, ``(b, px, px, 3)``."""
        return stacked(self.image, rows, px)

    def draft(
        self, row: int, parts: Sequence[str], edits: Sequence[Edit] = (), px: int = 128
    ) -> U8:
        """The picture with edited places; words in it stay, since nobody knows where they are."""
        del parts
        return edited(self.image(row, px), edits, self.image)


def boxed(picture: Image.Image, px: int) -> Image.Image:
    """The whole picture in a square of ``px``, its sides padded with black where they differ."""
    factor = px / max(picture.size)
    size = (max(1, round(picture.width * factor)), max(1, round(picture.height * factor)))
    canvas = Image.new("RGB", (px, px))
    small = picture.resize(size, Image.Resampling.LANCZOS)
    canvas.paste(small, ((px - size[0]) // 2, (px - size[1]) // 2))
    return canvas


def stacked(image: Callable[[int, int], U8], rows: Sequence[int] | I64, px: int) -> U8:
    """The pictures of some rows, ``(b, px, px, 3)``."""
    found = np.zeros((len(rows), px, px, 3), np.uint8)
    for place, row in enumerate(rows):
        found[place] = image(int(row), px)
    return found


def edited(picture: U8, edits: Sequence[Edit], image: Callable[[int, int], U8]) -> U8:
    """A copy of the picture ``(px, px, 3)`` with places blanked or taken from other contents.

    Args:
        image: gives the picture of a row at the same size.

    Raises:
        BadRequest: an edit is not usable; names it.
    """
    if len(edits) > MOST_EDITS:
        raise BadRequest(f"{len(edits)} edits are too many.", f"Allowed are {MOST_EDITS}.")
    changed, px = picture.copy(), len(picture)
    for number, edit in enumerate(edits, 1):
        left, top, right, bottom = _within(box_of(edit.get("box"), f"edit {number}"), px)
        if edit.get("op") == "blank":
            changed[top:bottom, left:right] = BLANK
            continue
        row = edit.get("from")
        if edit.get("op") != "swap" or type(row) is not int:
            raise BadRequest(
                f"Edit {number} is {str(edit.get('op'))[:40]!r}.",
                "Allowed are blank, and swap with the row it is taken from.",
            )
        x, y, x_end, y_end = _within(box_of(edit.get("from_box"), f"edit {number}"), px)
        patch = Image.fromarray(image(row, px)[y:y_end, x:x_end])
        size = (right - left, bottom - top)
        changed[top:bottom, left:right] = np.asarray(patch.resize(size, Image.Resampling.BILINEAR))
    return changed


def checked_edits(held: Contents, edits: object) -> list[dict[str, object]]:
    """Edits as they came from outside, if all can be used on this set.

    Raises:
        BadRequest: one cannot; names it.
    """
    if not isinstance(edits, list) or not all(isinstance(edit, dict) for edit in edits):
        raise BadRequest("Edits must be a list of objects.", "Reload the page.")
    if edits and held.pictures is None:
        raise BadRequest(f"{held.title} has no pictures to edit.")
    for number, edit in enumerate(edits, 1):
        row = edit.get("from")
        if edit.get("op") == "swap" and (type(row) is not int or not 0 <= row < len(held)):
            raise BadRequest(f"Edit {number} takes a patch from content {str(row)[:20]!r}.")
    blank = np.zeros((8, 8, 3), np.uint8)
    edited(blank, edits, lambda row, px: blank)
    return edits


def box_of(value: object, what: str) -> Box:
    """A box ``x, y, w, h`` in shares of the sides, as it came from outside.

    Raises:
        BadRequest: it is none, or not inside the picture; names ``what``.
    """
    if isinstance(value, list | tuple) and len(value) == 4:
        try:
            x, y, w, h = (float(v) for v in value)
        except (TypeError, ValueError):
            x = y = w = h = -1.0
        if 0 <= x < 1 and 0 <= y < 1 and 0 < w <= 1.0001 - x and 0 < h <= 1.0001 - y:
            return x, y, w, h
    raise BadRequest(
        f"The box of {what} is {str(value)[:60]}.",
        "It must be x, y, width and height as shares of the picture, inside it.",
    )


def cut(picture: U8, box: Box, px: int) -> U8:
    """A part of a square picture, ``px`` on its longer side."""
    left, top, right, bottom = _within(box, len(picture))
    part = Image.fromarray(picture[top:bottom, left:right])
    factor = px / max(part.size)
    size = (max(1, round(part.width * factor)), max(1, round(part.height * factor)))
    return np.asarray(part.resize(size, Image.Resampling.LANCZOS), np.uint8)


def _within(box: Box, px: int) -> tuple[int, int, int, int]:
    """Left, top, right, bottom in px; at least one pixel."""
    x, y, w, h = box
    left, top = min(px - 1, round(x * px)), min(px - 1, round(y * px))
    return left, top, max(left + 1, round((x + w) * px)), max(top + 1, round((y + h) * px))
