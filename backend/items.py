"""Sets of labelled images: what one offers, and one held in memory."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from backend.errors import BadRequest
from backend.protocols import F32, I64, U8, Arrays
from models.cards import Task

UNKNOWN: Final = "unknown"  # label of an item whose class nobody knows


class BadItems(BadRequest):
    """Arrays do not make up a set of labelled images, or a row is not in it."""


class ItemSet(Protocol):
    """A fixed set of labelled images. Rows count from 0; ids name an item for good."""

    @property
    def key(self) -> str:
        """Short name used in links."""
        ...

    @property
    def title(self) -> str:
        """Name shown to people."""
        ...

    @property
    def task(self) -> Task:
        """Which models can answer about it."""
        ...

    @property
    def fingerprint(self) -> str:
        """16 hex digits of the sha256 of images, labels and ids."""
        ...

    @property
    def ids(self) -> I64:
        """``(n,)``, each one once."""
        ...

    @property
    def names(self) -> tuple[str, ...]:
        """A name for each item."""
        ...

    @property
    def labels(self) -> I64:
        """``(n,)``, an index into ``classes``."""
        ...

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names in the order of a model's outputs."""
        ...

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width and channels (1 or 3) of every image."""
        ...

    @property
    def source(self) -> str:
        """One sentence: where the images come from."""
        ...

    @property
    def licence(self) -> str:
        """Licence of the images."""
        ...

    @property
    def columns(self) -> Arrays:
        """What a table shows of each item: ``label``, ``source`` and what the set has besides."""
        ...

    def __len__(self) -> int: ...

    def image(self, row: int) -> U8:
        """One image, ``(h, w)`` or ``(h, w, 3)``.

        Raises:
            BadItems: there is no such row.
        """
        ...

    def images(self, rows: Sequence[int] | I64) -> U8:
        """The images of some rows, in that order, ``(b, h, w)`` or ``(b, h, w, 3)``.

        Raises:
            BadItems: there is no such row.
        """
        ...


class TaskItems(ItemSet, Protocol):
    """A set whose models take other inputs than its pictures: scenes, frames, clouds, texts."""

    def inputs(self, rows: Sequence[int] | I64) -> NDArray[Any]:
        """What a model is given, ``(b, ...)``, in the order of the rows."""
        ...

    def truth(self, rows: Sequence[int] | I64) -> NDArray[Any] | None:
        """What a right answer is measured by, ``(b, ...)``; None where nobody knows it."""
        ...


@dataclass(frozen=True, slots=True)
class ArrayItems:
    """A set of items held in memory; an ``ItemSet``.

    Attributes:
        pixels: ``(n, h, w)`` grey or ``(n, h, w, 3)`` RGB, uint8.
        extra: further columns for tables, each ``(n,)``.

    Raises:
        BadItems: on construction, if arrays, names or labels do not fit together.
    """

    key: str
    title: str
    task: Task
    pixels: U8
    labels: I64
    ids: I64
    names: tuple[str, ...]
    classes: tuple[str, ...]
    source: str
    licence: str
    extra: Arrays = field(default_factory=dict)
    fingerprint: str = field(init=False)

    def __post_init__(self) -> None:
        _check_pixels(self.pixels)
        n = len(self.pixels)
        _check_numbers("labels", self.labels, n)
        _check_numbers("ids", self.ids, n)
        _check_members(self.labels, self.ids, self.names, self.classes, n)
        for name, column in self.extra.items():
            if column.shape != (n,):
                raise BadItems(f"Column {name!r} has the shape {column.shape}; {(n,)} is needed.")
        object.__setattr__(self, "fingerprint", seal(self, "pixels", "labels", "ids"))

    def __len__(self) -> int:
        return len(self.pixels)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width and channels (1 or 3) of every image."""
        _, height, width = self.pixels.shape[:3]
        return height, width, 3 if self.pixels.ndim == 4 else 1

    @property
    def columns(self) -> Arrays:
        """``label`` and ``source`` as text, and the extra columns."""
        return told_columns(self, self.extra)

    def image(self, row: int) -> U8:
        """One image, ``(h, w)`` or ``(h, w, 3)``, not writable.

        Raises:
            BadItems: there is no such row.
        """
        (index,) = rows_within([row], self)
        pixels: U8 = self.pixels[index]
        return pixels

    def images(self, rows: Sequence[int] | I64) -> U8:
        """The images of some rows, in that order, ``(b, h, w)`` or ``(b, h, w, 3)``; a copy.

        Raises:
            BadItems: there is no such row.
        """
        return self.pixels[rows_within(rows, self)]


def rows_within(rows: Sequence[int] | I64, items: ItemSet) -> I64:
    """Some rows as ``(b,)`` int64, each of them in the set.

    Raises:
        BadItems: one is not. (numpy would count negative rows from the end and show another item.)
    """
    index = np.asarray(rows, dtype=np.int64).reshape(-1)
    outside = index[(index < 0) | (index >= len(items))]
    if len(outside):
        raise BadItems(
            f"There is no row {outside[0]} in {items.title}.",
            f"Rows go from 0 to {len(items) - 1}.",
        )
    return index


def told_columns(items: ItemSet, extra: Arrays) -> Arrays:
    """``label`` and ``source`` of every item as text, and further columns; -1 is "unknown"."""
    known = np.array([*items.classes, UNKNOWN])
    own: dict[str, NDArray[Any]] = {
        "label": known[items.labels],  # -1 is the last
        "source": np.full(len(items), items.source),
    }
    return MappingProxyType(own | dict(extra))


def seal(items: ItemSet, *names: str) -> str:
    """Makes some arrays of a frozen set read-only and gives 16 hex digits of their sha256."""
    digest = hashlib.sha256()
    for name in names:
        array = getattr(items, name)
        if array is None:
            continue
        digest.update(f"{array.dtype.str}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).data)
        view = array.view()  # so that the caller's own array stays writable
        view.flags.writeable = False
        object.__setattr__(items, name, view)
    return digest.hexdigest()[:16]


def _check_pixels(pixels: NDArray[Any]) -> None:
    is_colour = pixels.ndim == 4 and pixels.shape[-1] == 3
    if pixels.dtype != np.uint8 or not (pixels.ndim == 3 or is_colour):
        raise BadItems(
            f"The images have the shape {pixels.shape} and the type {pixels.dtype}.",
            "Needed is uint8 of (n, height, width) for grey or (n, height, width, 3) for colour.",
        )
    if 0 in pixels.shape:
        raise BadItems(f"The images have the shape {pixels.shape}: there is nothing in them.")


def _check_numbers(name: str, values: NDArray[Any], n: int) -> None:
    if values.dtype != np.int64 or values.shape != (n,):
        raise BadItems(
            f"The {name} have the shape {values.shape} and the type {values.dtype}.",
            f"Needed is int64 of ({n},): one for each image.",
        )


def _check_members(
    labels: I64, ids: I64, names: tuple[str, ...], classes: tuple[str, ...], n: int
) -> None:
    if len(names) != n:
        raise BadItems(f"There are {len(names)} names for {n} images.")
    if not classes or len(set(classes)) != len(classes):
        raise BadItems("The class names must be at least one, and all different.")
    outside = labels[(labels < 0) | (labels >= len(classes))]
    if len(outside):
        raise BadItems(
            f"Label {outside[0]} is none of the classes.",
            f"Labels go from 0 to {len(classes) - 1}.",
        )
    values, counts = np.unique(ids, return_counts=True)
    if counts.max() > 1:
        raise BadItems(
            f"Id {values[counts.argmax()]} appears twice.", "Each item needs its own id."
        )


def to_batch(images: U8) -> F32:
    """Images as a model takes them: ``(b, c, h, w)`` float32 in [0, 1], contiguous.

    Args:
        images: ``(b, h, w)`` grey or ``(b, h, w, 3)`` RGB, uint8.

    Raises:
        BadItems: the array is neither.
    """
    _check_pixels(images)
    planes = images[:, None] if images.ndim == 3 else images.transpose(0, 3, 1, 2)
    return np.ascontiguousarray(planes, dtype=np.float32) / np.float32(255.0)
