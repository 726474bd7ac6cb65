"""Draws the screenshots of the simulated campaigns from their recipes, at any size.

A recipe says which palette, arrangement, photograph, product, ribbon, button and small pictures a
content has, and where; lengths are in 128ths of the side. See ``data/build_campaigns.py``.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from backend.protocols import U8

SIDE: Final = 128
MOST_ICONS: Final = 3
PALETTE, LAYOUT, PHOTO, PRODUCT, RIBBON, BUTTON = range(6)
ICONS: Final = 6
"""From this column on: sprite, x, y and size of each small picture; sprite -1 is none."""
COLUMNS: Final = ICONS + 4 * MOST_ICONS
RIBBONS: Final = ("", "NEW", "-20%")
BUTTONS: Final = ((37, 99, 235), (22, 138, 90), (190, 70, 20), (96, 64, 160))
BUTTON_NAMES: Final = ("blue", "green", "orange", "purple")
PALETTES: Final = (  # ground, panel, words
    ((250, 250, 248), (235, 238, 242), (28, 32, 40)),
    ((245, 240, 230), (232, 222, 204), (58, 42, 30)),
    ((232, 240, 250), (212, 226, 244), (20, 38, 70)),
    ((234, 245, 236), (214, 234, 218), (20, 56, 36)),
    ((34, 38, 48), (52, 58, 72), (240, 242, 246)),
    ((252, 236, 238), (246, 216, 222), (80, 20, 38)),
)
PALETTE_NAMES: Final = ("white", "sand", "sky", "mint", "night", "rose")
Box = tuple[float, float, float, float]
WORDS: Final = 3
REFERENCE_PX: Final = 512


@dataclass(frozen=True, slots=True)
class Arrangement:
    """Boxes ``x, y, w, h`` of the fixed parts, and corners of places for small pictures."""

    name: str
    photo: Box
    product: Box
    words: tuple[Box, Box, Box]  # headline, body, button
    places: tuple[tuple[float, float], ...]


ARRANGEMENTS: Final = (
    Arrangement(
        "photo above",
        (0, 0, 128, 46),
        (86, 6, 34, 34),
        ((6, 49, 116, 24), (6, 76, 70, 26), (6, 107, 52, 15)),
        ((80, 77), (103, 77), (80, 101), (103, 101), (8, 14), (36, 14)),
    ),
    Arrangement(
        "photo left",
        (0, 0, 46, 128),
        (6, 10, 34, 34),
        ((51, 6, 72, 38), (51, 48, 72, 30), (51, 107, 52, 15)),
        ((52, 82), (77, 82), (102, 82), (13, 54), (13, 78), (13, 102)),
    ),
    Arrangement(
        "photo right",
        (82, 0, 46, 128),
        (88, 10, 34, 34),
        ((5, 6, 72, 38), (5, 48, 72, 30), (5, 107, 52, 15)),
        ((6, 82), (31, 82), (56, 82), (95, 54), (95, 78), (95, 102)),
    ),
    Arrangement(
        "words above",
        (0, 50, 128, 48),
        (47, 56, 36, 36),
        ((6, 4, 116, 24), (6, 30, 116, 17), (38, 108, 52, 15)),
        ((4, 54), (103, 54), (6, 103), (102, 103), (24, 74), (84, 74)),
    ),
)


@dataclass(frozen=True, slots=True)
class Artist:
    """Sprites and photographs, and the recipes ``(n, COLUMNS)`` int16 they are used in.

    Attributes:
        kinds: name of the kind of each sprite.
    """

    sprites: tuple[Image.Image, ...]
    kinds: tuple[str, ...]
    photos: tuple[Image.Image, ...]
    recipes: NDArray[np.int16]

    @classmethod
    def of(cls, arrays: Mapping[str, NDArray[Any]]) -> Artist:
        """From ``campaigns.npz``. Raises KeyError, ValueError or OSError where it is damaged."""
        return cls(
            _pictures(arrays["sprites"], arrays["sprite_ends"], "RGBA"),
            tuple(arrays["sprite_kinds"].tolist()),
            _pictures(arrays["photos"], arrays["photo_ends"], "RGB"),
            arrays["recipes"],
        )

    def drawn(self, row: int, parts: Sequence[str], px: int) -> U8:
        """The screenshot of a row with these words, ``(px, px, 3)``.

        Up to 256 px it is drawn at twice the size and halved, so that small words stay legible.
        """
        fine = 2 * px if px <= 256 else px
        recipe = self.recipes[row].tolist()
        canvas = self._ground(recipe, fine)
        scale = fine / SIDE
        for sprite, box in self._placed(recipe):
            _paste(canvas, self.sprites[sprite], box, scale)
        _ribbon(canvas, recipe, scale)
        _words(canvas, recipe, parts, scale)
        return np.asarray(canvas.reduce(2) if fine != px else canvas, np.uint8)

    def boxes(self, row: int) -> list[tuple[str, Box]]:
        """Kind and box of every picture of a row, product first; shares of the side."""
        recipe = self.recipes[row].tolist()
        found = [(self.kinds[sprite], box) for sprite, box in self._placed(recipe)]
        if recipe[RIBBON]:
            found.append((f"ribbon {RIBBONS[recipe[RIBBON]]}", ribbon_box(recipe)))
        return [(name, _share(box)) for name, box in found]

    def _placed(self, recipe: Sequence[int]) -> list[tuple[int, Box]]:
        found = [(recipe[PRODUCT], ARRANGEMENTS[recipe[LAYOUT]].product)]
        for start in range(ICONS, COLUMNS, 4):
            sprite, x, y, size = recipe[start : start + 4]
            if sprite >= 0:
                found.append((sprite, (x, y, size, size)))
        return found

    def _ground(self, recipe: Sequence[int], px: int) -> Image.Image:
        ground, panel, _ = PALETTES[recipe[PALETTE]]
        canvas = Image.new("RGB", (px, px), ground)
        scale = px / SIDE
        x, y, w, h = (round(v * scale) for v in ARRANGEMENTS[recipe[LAYOUT]].photo)
        photo = self.photos[recipe[PHOTO]]
        side = max(w, h)
        left, top = (side - w) // 2, (side - h) // 2
        square = photo.resize((side, side), Image.Resampling.BILINEAR)
        veil = Image.new("RGB", (w, h), panel)
        cut = square.crop((left, top, left + w, top + h))
        canvas.paste(Image.blend(cut, veil, 0.25), (x, y))
        return canvas


def ribbon_box(recipe: Sequence[int]) -> Box:
    """Where the ribbon hangs: the lower right corner of the product."""
    x, y, w, h = ARRANGEMENTS[recipe[LAYOUT]].product
    return (x + w - 24, y + h - 9, 26, 11)


def _share(box: Box) -> Box:
    x, y, w, h = box
    return (x / SIDE, y / SIDE, w / SIDE, h / SIDE)


def _paste(canvas: Image.Image, sprite: Image.Image, box: Box, scale: float) -> None:
    x, y, w, h = (round(v * scale) for v in box)
    small = sprite.resize((w, h), Image.Resampling.BILINEAR)
    canvas.paste(small, (x, y), small)


def _ribbon(canvas: Image.Image, recipe: Sequence[int], scale: float) -> None:
    if not recipe[RIBBON]:
        return
    x, y, w, h = (v * scale for v in ribbon_box(recipe))
    draw = ImageDraw.Draw(canvas)
    draw.rounded_rectangle((x, y, x + w, y + h), 3 * scale, fill=(198, 30, 60))
    font = _font(round(7.5 * scale))
    text = RIBBONS[recipe[RIBBON]]
    draw.text((x + w / 2, y + h / 2), text, (255, 255, 255), font, anchor="mm")


def _words(canvas: Image.Image, recipe: Sequence[int], parts: Sequence[str], scale: float) -> None:
    arrangement, ink = ARRANGEMENTS[recipe[LAYOUT]], PALETTES[recipe[PALETTE]][2]
    draw = ImageDraw.Draw(canvas)
    boxes = arrangement.words
    for part, box, sizes in zip(parts[:2], boxes[:2], (HEADLINE, BODY), strict=True):
        lines, size = laid_out(part, box[2], box[3], sizes)
        font = _font(round(size * scale))
        for number, line in enumerate(lines):
            at = (box[0] * scale, (box[1] + number * size * LEADING) * scale)
            draw.text(at, line, ink, font)
    if len(parts) > 2 and parts[2]:
        x, y, w, h = (v * scale for v in boxes[2])
        draw.rounded_rectangle((x, y, x + w, y + h), 4 * scale, fill=BUTTONS[recipe[BUTTON]])
        (line, *_), size = laid_out(parts[2], boxes[2][2] - 4, 9, LABEL)
        font = _font(round(size * scale))
        draw.text((x + w / 2, y + h / 2), line, (255, 255, 255), font, anchor="mm")


HEADLINE: Final = (13.0, 12.0, 11.0, 10.0, 9.0, 8.0, 7.0)
BODY: Final = (7.5, 7.0, 6.5, 6.0, 5.5, 5.0, 4.5)
LABEL: Final = (8.0, 7.5, 7.0, 6.5, 6.0, 5.5, 5.0)
LEADING: Final = 1.15


@lru_cache(maxsize=20_000)
def laid_out(
    text: str, width: float, height: float, sizes: tuple[float, ...]
) -> tuple[tuple[str, ...], float]:
    """Lines and size of a text in a box, at the largest size at which it fits.

    What does not fit at the smallest size is cut, with an ellipsis. Measured at one size of the
    picture, so that every size has the same lines.
    """
    scale = REFERENCE_PX / SIDE
    lines: list[str] = [""]
    for size in sizes:
        lines = _wrapped(text, width * scale, round(size * scale))
        if len(lines) * size * LEADING <= height + 1e-9:
            return tuple(lines), size
    kept = lines[: max(1, int(height / (sizes[-1] * LEADING)))]
    return (*kept[:-1], kept[-1][:-1] + "…"), sizes[-1]


def _wrapped(text: str, width: float, size: int) -> list[str]:
    """Lines of at most that width in px; a longer word is cut."""
    lines, line, length = [], "", 0.0
    for word in text[:400].split():
        longer = length + _length(f" {word}", size)
        if line and longer <= width:
            line, length = f"{line} {word}", longer
            continue
        if line:
            lines.append(line)
        while len(word) > 1 and _length(word, size) > width:
            word = word[:-1]
        line, length = word, _length(word, size)
    return [*lines, line]


@lru_cache(maxsize=20_000)
def _length(word: str, size: int) -> float:
    return _font(size).getlength(word)


@lru_cache(maxsize=64)
def _font(size: int) -> ImageFont.FreeTypeFont:
    """Pillow's own font, so that every machine draws the same."""
    found = ImageFont.load_default(max(size, 1))
    assert isinstance(found, ImageFont.FreeTypeFont)
    return found.font_variant(layout_engine=ImageFont.Layout.BASIC)


def _pictures(data: U8, ends: NDArray[Any], mode: str) -> tuple[Image.Image, ...]:
    starts = [0, *ends[:-1].tolist()]
    return tuple(
        Image.open(io.BytesIO(data[a:b].tobytes())).convert(mode)
        for a, b in zip(starts, ends.tolist(), strict=True)
    )
