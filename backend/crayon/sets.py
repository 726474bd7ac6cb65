"""Sets of images with a confounder: classes, groups, splits, questions, masks where known.

Groups are ``2 * class + confounder``. No torch here: pages and routes read the sets too.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from backend.crayon import birds, patched
from backend.datasets import DATA, DamagedDataset
from backend.errors import BadRequest, NotFound
from backend.once import alone
from backend.protocols import F32, I64, U8

SPLITS: Final = ("training", "validation", "test")
Images = Callable[[Sequence[int]], U8]
Masks = Callable[[Sequence[int], tuple[int, int]], F32]


@dataclass(frozen=True, slots=True)
class GuidedSet:
    """One set. Rows count from 0 and are the items' ids too.

    Attributes:
        question, patch_question: what annotators are asked; ``{class}`` stands for the class name.
        panels: which of original, overlay and red are shown for a map.
        labels, groups, split: ``(n,)`` int64; split is an index into SPLITS.
        group_names: in the order of the group numbers.
        shape: height and width of the images in px.
        read: rows to ``(b, h, w, 3)`` uint8.
        cover: rows and grid to ``(b, gh, gw)``; None where no masks are known.
        root, files: where the images of an own set lie, relative to the folder; none for bundled.
    """

    key: str
    title: str
    classes: tuple[str, ...]
    question: str
    patch_question: str
    panels: tuple[str, ...]
    labels: I64
    groups: I64
    split: I64
    group_names: tuple[str, ...]
    shape: tuple[int, int]
    source: str
    licence: str
    fingerprint: str
    read: Images
    cover: Masks | None = None
    names: tuple[str, ...] = field(default=())
    root: Path | None = None
    files: tuple[str, ...] = field(default=(), repr=False)
    _hashes: dict[int, str] = field(default_factory=dict, repr=False, compare=False)

    def __len__(self) -> int:
        return len(self.labels)

    def rows(self, split: str) -> I64:
        """The rows of a split.

        Raises:
            NotFound: there is no such split.
        """
        if split not in SPLITS:
            raise NotFound(f"There is no split {split[:40]!r}.", f"Splits are {', '.join(SPLITS)}.")
        return np.flatnonzero(self.split == SPLITS.index(split))

    def image(self, row: int) -> U8:
        """One image ``(h, w, 3)`` uint8.

        Raises:
            NotFound: there is no such item.
        """
        if not 0 <= row < len(self):
            raise NotFound(
                f"There is no item {row} in {self.title}.", f"Items are 0 to {len(self) - 1}."
            )
        image: U8 = self.read([row])[0]
        return image

    def item_hash(self, row: int) -> str:
        """16 hex digits of the sha256 of the item's pixels."""
        if row not in self._hashes:  # composing an image takes a millisecond
            pixels = np.ascontiguousarray(self.image(row)).tobytes()
            self._hashes[row] = hashlib.sha256(pixels).hexdigest()[:16]
        return self._hashes[row]

    def asked(self, row: int, kind: str = "map") -> str:
        """The question about one item."""
        text = self.question if kind == "map" else self.patch_question
        return text.replace("{class}", self.classes[int(self.labels[row])])


def bundled() -> dict[str, str]:
    """Titles of the bundled sets by key."""
    return {"birds": "Birds on backgrounds", "garments": "Garments with a coloured patch"}


def known() -> dict[str, str]:
    """Titles of the bundled sets and of the user's own by key."""
    from backend.crayon import library  # it builds on this module

    return {**bundled(), **library.titles()}


def load(key: str) -> GuidedSet:
    """A set, bundled or of the user's own, read once and kept.

    Raises:
        NotFound: there is none of that key.
        DamagedDataset: its file is missing or broken.
        BadRequest: the files of an own set have changed since it was added.
    """
    if key.startswith("own-"):
        from backend.crayon import library  # it builds on this module

        return library.load(key)
    return _bundled(key)


@alone
@cache
def _bundled(key: str) -> GuidedSet:
    makers = {"birds": _birds, "garments": _garments}
    if key not in makers:
        raise NotFound(f"There is no set {key[:80]!r}.", f"There are {', '.join(makers)}.")
    try:
        content = (DATA / "crayon" / f"{key}.npz").read_bytes()
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        return makers[key](arrays, hashlib.sha256(content).hexdigest()[:16])
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise DamagedDataset(
            f"The files of the set {bundled()[key]!r} are missing or broken.",
            f"Restore data/crayon from the repository, or run python -m data.build_{key}.",
        ) from error


def _birds(arrays: dict[str, NDArray[Any]], fingerprint: str) -> GuidedSet:
    composer = birds.Composer.of(arrays)
    recipes = composer.recipes.astype(np.int64)
    labels, ground = recipes[:, birds.KIND], recipes[:, birds.GROUND]
    told, below = arrays["bird_names"], arrays["ground_names"]
    return GuidedSet(
        key="birds",
        title=bundled()["birds"],
        classes=("land bird", "water bird"),
        question="Is the strong highlight mainly on the bird?",
        patch_question="Is the red highlight on the bird's body?",
        panels=("original", "overlay", "red"),
        labels=labels,
        groups=2 * labels + ground,
        split=recipes[:, birds.SPLIT],
        group_names=(
            "land bird on land",
            "land bird on water",
            "water bird on land",
            "water bird on water",
        ),
        shape=(birds.PX, birds.PX),
        source="Composed: photographed and drawn birds (Tux Paint, Noto Emoji) on photographs and "
        "a few drawings of land and water; every part is named in data/crayon/birds.toml.",
        licence="GPL-3.0-or-later as a whole; see each part",
        fingerprint=fingerprint,
        read=lambda rows: np.stack([composer.image(int(row)) for row in rows]),
        cover=lambda rows, shape: np.stack([composer.mask(int(row), shape) for row in rows]),
        names=tuple(
            f"{told[bird]} on {below[crop]}" for bird, crop in recipes[:, [birds.BIRD, birds.CROP]]
        ),
    )


def _garments(arrays: dict[str, NDArray[Any]], fingerprint: str) -> GuidedSet:
    grey, table = arrays["images"], arrays["recipes"].astype(np.int64)
    labels, colour, corner = table[:, 1], table[:, 2], table[:, 4:6]
    classes = ("pullover", "coat")
    return GuidedSet(
        key="garments",
        title=bundled()["garments"],
        classes=classes,
        question="Is the strong highlight mainly on the garment, not on the coloured patch?",
        patch_question="Is the red highlight on the garment?",
        panels=("original", "overlay", "red"),
        labels=labels,
        groups=2 * labels + colour,
        split=table[:, 0],
        group_names=tuple(f"{name}, {tint} patch" for name in classes for tint in ("red", "blue")),
        shape=(patched.PX, patched.PX),
        source="Pullovers and coats of Fashion-MNIST with a drawn patch, red or blue.",
        licence="MIT (Zalando SE)",
        fingerprint=fingerprint,
        read=lambda rows: patched.drawn(grey[rows], colour[rows], corner[rows]),
        cover=lambda rows, shape: patched.object_masks(grey[rows], corner[rows], shape),
        names=tuple(f"{classes[y]} #{row}" for y, row in table[:, [1, 3]]),
    )


def checked_counts(found: GuidedSet) -> GuidedSet:
    """The set itself, if it can be trained on.

    Raises:
        BadRequest: one class only, or no training item.
    """
    rows = found.rows("training")
    if not len(rows) or len(np.unique(found.labels[rows])) < 2:
        raise BadRequest(
            f"{found.title} has {len(rows)} training items of fewer than two classes.",
            "Give training items of at least two classes.",
        )
    return found
