"""The items an orbit is computed for: rows of a bundled set, another set, or a caller's own
images.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from backend.errors import BadRequest
from backend.protocols import I64, U8


@dataclass(frozen=True, slots=True, eq=False)
class Items:
    """Inputs of a task, with or without their truth, read in pieces.

    Attributes:
        ids: (n,) stable names of the items in links and tables.
        names: (n,) what people call them.
        labels: (n,) the class or family of each, by which subsets are made; -1 where unknown.
        classes: class names; empty when only the model knows them.
        read: ``read(start, stop)`` gives those inputs, for images (m, c, h, w) uint8.
        truth: ``truth(start, stop)`` gives what the metrics of the task compare with (for classes
            the labels), or None where nobody knows.
    """

    ids: I64
    names: tuple[str, ...]
    labels: I64
    classes: tuple[str, ...]
    read: Callable[[int, int], Any]
    truth: Callable[[int, int], Any]

    def __len__(self) -> int:
        return len(self.ids)


def gather(item_set: str, items: Any) -> Items:
    """The images behind what a caller may give.

    Args:
        item_set: key of the task's own set.
        items: "all" or None (the task's own set), rows of that set, an item set, or
            ``(images (n, h, w[, c]) uint8, labels (n,))``.

    Raises:
        BadRequest: nothing is left, a row is outside the set, or the caller's arrays do not fit.
    """
    if isinstance(items, tuple) and len(items) == 2 and np.ndim(items[0]) >= 3:
        return _own(np.asarray(items[0]), np.asarray(items[1]))
    held, rows = rows_of(item_set, items)
    return _rows_of(held, rows)


def rows_of(item_set: str, items: Any) -> tuple[Any, I64]:
    """The item set and its rows ``(n,)`` behind "all", rows of the task's set, or another set.

    Raises:
        BadRequest: nothing is left, or a row is outside the set.
    """
    if hasattr(items, "images") and hasattr(items, "labels"):
        return items, np.arange(len(items.ids))
    from backend import datasets

    held = datasets.load(item_set)
    if items is None or (isinstance(items, str) and items == "all"):
        return held, np.arange(len(held.ids))
    return held, checked_rows(items, len(held.ids), item_set)


def of_set(item_set: str, items: Any) -> Items:
    """The items of a set that has ``inputs`` and ``truth`` of its own, such as scenes or clouds.

    Args:
        item_set, items: as in :func:`rows_of`.

    Raises:
        BadRequest: nothing is left, a row is outside the set, or the set holds pictures only.
    """
    held, rows = rows_of(item_set, items)
    if not len(rows):
        raise BadRequest("No items are selected.", "Give at least one.")
    if not hasattr(held, "inputs"):
        raise BadRequest(
            f"{held.title} holds pictures only.", f"Choose a set such as {item_set}, or own items."
        )
    return Items(
        ids=np.asarray(held.ids, np.int64)[rows],
        names=tuple(str(held.names[row]) for row in rows),
        labels=np.asarray(held.labels, np.int64)[rows],
        classes=tuple(held.classes),
        read=lambda start, stop: held.inputs(rows[start:stop]),
        truth=lambda start, stop: held.truth(rows[start:stop]),
    )


def checked_rows(rows: Sequence[int] | I64, count: int, name: str) -> I64:
    """Rows ``(n,)`` as int64, each within a set of ``count``.

    Raises:
        BadRequest: there is none, one is not a whole number, or one is outside the set.
    """
    array = np.asarray(rows)
    if array.ndim != 1 or not len(array):
        raise BadRequest(
            "No items are selected.",
            f"Rows of {name} run from 0 to {count - 1}; give at least one.",
        )
    if array.dtype.kind not in "iu":
        raise BadRequest(f"Rows of {name} are whole numbers, not {array.dtype}.")
    outside = array[(array < 0) | (array >= count)]
    if len(outside):
        raise BadRequest(
            f"There is no row {outside[0]} in {name}.", f"Its rows run from 0 to {count - 1}."
        )
    return array.astype(np.int64)


def channels_first(images: U8) -> U8:
    """(n, h, w[, c]) as (n, c, h, w), a view."""
    return images[:, None] if images.ndim == 3 else images.transpose(0, 3, 1, 2)


def _rows_of(held: Any, rows: I64) -> Items:
    if not len(rows):
        raise BadRequest("No items are selected.", "Give at least one.")
    labels = np.asarray(held.labels, np.int64)[rows]
    return Items(
        ids=np.asarray(held.ids, np.int64)[rows],
        names=tuple(str(held.names[row]) for row in rows),
        labels=labels,
        classes=tuple(held.classes),
        read=lambda start, stop: channels_first(held.images(rows[start:stop])),
        truth=lambda start, stop: labels[start:stop],
    )


def _own(images: U8, labels: I64) -> Items:
    if images.dtype != np.uint8:
        raise BadRequest(
            f"Images have the type {images.dtype}.", "They must be uint8, from 0 to 255."
        )
    if images.ndim not in (3, 4) or (images.ndim == 4 and images.shape[3] not in (1, 3)):
        raise BadRequest(
            f"Images have the shape {images.shape}.",
            "It must be (n, height, width) or (n, height, width, 3).",
        )
    if not len(images):
        raise BadRequest("There are no images.", "Give at least one.")
    if labels.shape != (len(images),) or labels.dtype.kind not in "iu":
        raise BadRequest(
            f"Labels have the shape {labels.shape} and the type {labels.dtype}.",
            f"There must be one whole number per image, {len(images)} in all.",
        )
    whole = labels.astype(np.int64)
    return Items(
        ids=np.arange(len(images)),
        names=tuple(f"image {i}" for i in range(len(images))),
        labels=whole,
        classes=(),
        read=lambda start, stop: channels_first(images[start:stop]),
        truth=lambda start, stop: whole[start:stop],
    )
