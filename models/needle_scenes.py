"""The needle images: a handwritten digit, or none, hidden in a large photograph. Simulated.

A positive image holds one real digit (28 px, enlarged to 48 to 72 px, so 0.2 % to 0.5 % of a
1,024 px square); a negative one holds none. Both hold pieces of clothing of the same size as
decoys, so that whatever stands out at low resolution has to be looked at closely. Digits, clothes
and photographs of training and evaluation are disjoint. Everything follows from a seed; numpy and
Pillow only.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

DATA: Final = Path(__file__).resolve().parent.parent / "data"
Split = Literal["train", "eval"]
CLASSES: Final = ("no digit", "a digit")
SIZES_PX: Final = (48, 72)
MOST_DECOYS: Final = 3
EVAL_COUNT: Final = 200
EVAL_PX: Final = 1024
EVAL_SEED: Final = 1024
U8 = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Parts:
    """What images of one split are made of.

    Attributes:
        backgrounds: photographs ``(h, w, 3)``.
        names: a name for each of them.
        needles: digits ``(n, 28, 28)``; ``decoys``: clothes ``(m, 28, 28)``; 255 is opaque.
    """

    backgrounds: tuple[U8, ...]
    names: tuple[str, ...]
    needles: U8
    decoys: U8


@dataclass(frozen=True, slots=True)
class Item:
    """One thing pasted into an image.

    Attributes:
        is_needle: a digit, not a piece of clothing.
        row: which one of the split.
        box: left, top, side in pixels.
        ink: RGB; opacity: 0 to 1.
    """

    is_needle: bool
    row: int
    box: tuple[int, int, int]
    ink: tuple[int, int, int]
    opacity: float


@dataclass(frozen=True, slots=True)
class Scene:
    """How one image is made.

    Attributes:
        size_px: its side.
        background: which photograph; left, top: where the square is cut out of it, after ``turn``
            (0 to 7: quarter turns, 4 and above mirrored). Past its border it is mirrored.
        items: what is pasted, in this order.
    """

    size_px: int
    background: int
    left: int
    top: int
    turn: int
    items: tuple[Item, ...]

    @property
    def label(self) -> int:
        """1 if a digit is in it."""
        return int(any(item.is_needle for item in self.items))


@cache
def parts(split: Split) -> Parts:
    """The parts of a split, read once.

    Raises:
        OSError, ValueError, KeyError: a bundled file is missing or broken.
    """
    folder = DATA / "needles"
    entries = tomllib.loads((folder / "backgrounds.toml").read_text(encoding="utf-8"))
    chosen = [entry for entry in entries["background"] if entry["split"] == split]
    photographs = []
    for entry in chosen:
        with Image.open(folder / f"{entry['name']}.jpg") as picture:
            photographs.append(np.asarray(picture.convert("RGB")))
    with np.load(DATA / "digits" / f"{split}.npz", allow_pickle=False) as file:
        needles: U8 = file["images"]
    with np.load(folder / "decoys.npz", allow_pickle=False) as file:
        rows: NDArray[np.int64] = file[split]
    with np.load(DATA / "fashion" / "eval.npz", allow_pickle=False) as file:
        clothes: U8 = file["images"][rows]
    names = tuple(str(entry["name"]) for entry in chosen)
    return Parts(tuple(photographs), names, needles, clothes)


def draw(
    held: Parts, size_px: int, has_needle: bool, rng: np.random.Generator, decoys: int | None = None
) -> Scene:
    """A scene at random.

    Args:
        decoys: how many pieces of clothing; 0 to 3 at random unless given.
    """
    background = int(rng.integers(len(held.backgrounds)))
    height, width = held.backgrounds[background].shape[:2]
    turn = int(rng.integers(8))
    if turn % 2:
        height, width = width, height
    left = int(rng.integers(max(1, width - size_px + 1)))
    top = int(rng.integers(max(1, height - size_px + 1)))
    count = int(rng.integers(MOST_DECOYS + 1)) if decoys is None else decoys
    kinds = [True] * has_needle + [False] * count
    items: list[Item] = []
    for is_needle in kinds:
        items.append(_item(held, size_px, is_needle, rng, items))
    return Scene(size_px, background, left, top, turn, tuple(items))


def held_out(row: int) -> Scene:
    """The scene of evaluation image ``row``, 1,024 px; odd rows hold a digit."""
    rng = np.random.default_rng((EVAL_SEED, row))
    return draw(parts("eval"), EVAL_PX, row % 2 == 1, rng)


def _item(
    held: Parts, size_px: int, is_needle: bool, rng: np.random.Generator, others: list[Item]
) -> Item:
    row = int(rng.integers(len(held.needles if is_needle else held.decoys)))
    side = min(int(rng.integers(SIZES_PX[0], SIZES_PX[1] + 1)), size_px)
    for _ in range(20):  # apart from what is there already, if there is room
        left, top = (int(v) for v in rng.integers(0, size_px - side + 1, 2))
        if all(_apart((left, top, side), other.box) for other in others):
            break
    level = int(rng.integers(205, 256))
    ink = tuple(int(np.clip(level + rng.integers(-30, 31), 0, 255)) for _ in range(3))
    opacity = float(rng.uniform(0.85, 1.0))
    return Item(is_needle, row, (left, top, side), (ink[0], ink[1], ink[2]), opacity)


def _apart(one: tuple[int, int, int], other: tuple[int, int, int]) -> bool:
    (x, y, side), (u, v, size) = one, other
    return x + side <= u or u + size <= x or y + side <= v or v + size <= y


def render(held: Parts, scene: Scene) -> U8:
    """The image ``(size, size, 3)``."""
    image = _cut(held.backgrounds[scene.background], scene)
    for item in scene.items:
        left, top, side = item.box
        source = held.needles if item.is_needle else held.decoys
        cover = _enlarged(source[item.row], side) * np.float32(item.opacity)
        region = image[top : top + side, left : left + side]
        ink = _contrasting(item.ink, region)
        mixed = region + (ink - region) * cover[:, :, None]
        image[top : top + side, left : left + side] = np.round(mixed).astype(np.uint8)
    return image


def mask(held: Parts, scene: Scene) -> NDArray[np.bool_]:
    """Where the digit's strokes are, ``(size, size)``: half opaque or more."""
    found = np.zeros((scene.size_px, scene.size_px), np.bool_)
    for item in scene.items:
        if item.is_needle:
            left, top, side = item.box
            inside = _enlarged(held.needles[item.row], side) >= 0.5
            found[top : top + side, left : left + side] |= inside
    return found


def _contrasting(ink: tuple[int, int, int], region: U8) -> NDArray[np.float32]:
    """The ink as it is on dark ground, its complement on light ground."""
    colour = np.asarray(ink, np.float32)
    return 255 - colour if region.mean() > 110 else colour


def _enlarged(image: U8, side: int) -> NDArray[np.float32]:
    """The image at ``side`` pixels, in [0, 1]."""
    picture = Image.fromarray(image).resize((side, side), Image.Resampling.BILINEAR)
    return np.asarray(picture, np.float32) / np.float32(255)


def _cut(photograph: U8, scene: Scene) -> U8:
    """The square of the turned photograph, mirrored past its border; a copy."""
    turned: NDArray[Any] = photograph[:, ::-1] if scene.turn >= 4 else photograph
    turned = np.rot90(turned, scene.turn % 4)
    size = scene.size_px
    piece = turned[scene.top : scene.top + size, scene.left : scene.left + size]
    missing = [(0, size - piece.shape[0]), (0, size - piece.shape[1]), (0, 0)]
    return np.pad(piece, missing, mode="symmetric") if any(m[1] for m in missing) else piece.copy()
