"""Scenes for detectors: pictures larger than the crop that moves over them, with their boxes.

Needs numpy and Pillow only. The bundled scenes are composed (``data/build_scenes.py``); a user's
photographs come in through :mod:`backend.coco`.
"""

from __future__ import annotations

import hashlib
import io
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from backend.items import BadItems, rows_within, told_columns
from backend.protocols import F32, I64, U8, Arrays
from models.cards import Task
from models.class_names import class_names

CROP_PX: Final = 128
SCENE_PX: Final = 256
"""Side of a scene: a crop of 128 px that moves by up to 64 px both ways."""
TRUE_BOXES: Final = 10
"""True boxes kept of a scene: the key object and the nine nearest of the others."""


@dataclass(frozen=True, slots=True)
class SceneItems:
    """Scenes with the boxes of what is in them; an ``ItemSet`` whose images are the scenes.

    Attributes:
        pixels: ``(n, h, w, 3)`` uint8 RGB.
        boxes: ``(n, t, 5)`` float32 rows of x0, y0, x1, y1 in px of the scene and class. The first
            row is the key object, which the crop without shift has in its middle; NaN rows where
            there are fewer, and throughout where nobody knows what is in the scene.
        labels: ``(n,)`` class of the key object, -1 where nobody knows.
        extra: further columns for tables, each ``(n,)``.

    Raises:
        BadItems: on construction, if arrays, names or labels do not fit together.
    """

    key: str
    title: str
    pixels: U8
    boxes: F32
    labels: I64
    ids: I64
    names: tuple[str, ...]
    classes: tuple[str, ...]
    source: str
    licence: str
    extra: Arrays = field(default_factory=dict)
    fingerprint: str = ""

    def __post_init__(self) -> None:
        check_scenes(self.pixels, self.boxes, self.classes)
        n = len(self.pixels)
        for name in ("labels", "ids", "names"):
            if len(getattr(self, name)) != n:
                raise BadItems(f"There are {len(getattr(self, name))} {name} for {n} scenes.")
        if not self.fingerprint:
            object.__setattr__(self, "fingerprint", print_of(self.pixels, self.boxes))

    def __len__(self) -> int:
        return len(self.pixels)

    @property
    def task(self) -> Task:
        """Detectors answer about scenes."""
        return "detection"

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width and channels of every scene."""
        height, width = self.pixels.shape[1:3]
        return height, width, 3

    @property
    def columns(self) -> Arrays:
        """``label`` and ``source`` as text, and the extra columns."""
        return told_columns(self, self.extra)

    def chosen(self, rows: Sequence[int] | I64) -> SceneItems:
        """Some of the scenes as a set of their own, under the same ids and names.

        Raises:
            BadItems: there is no such row.
        """
        index = rows_within(rows, self)
        return replace(
            self,
            pixels=self.pixels[index],
            boxes=self.boxes[index],
            labels=self.labels[index],
            ids=self.ids[index],
            names=tuple(self.names[row] for row in index),
            extra={name: column[index] for name, column in self.extra.items()},
            fingerprint="",
        )

    def image(self, row: int) -> U8:
        """One scene ``(h, w, 3)``.

        Raises:
            BadItems: there is no such row.
        """
        scene: U8 = self.images([row])[0]
        return scene

    def images(self, rows: Sequence[int] | I64) -> U8:
        """Some scenes ``(b, h, w, 3)``, in that order; a copy.

        Raises:
            BadItems: there is no such row.
        """
        return self.pixels[rows_within(rows, self)]

    def inputs(self, rows: Sequence[int] | I64) -> U8:
        """What the crop moves over: scenes ``(b, 3, h, w)`` uint8.

        Raises:
            BadItems: there is no such row.
        """
        return self.images(rows).transpose(0, 3, 1, 2)

    def truth(self, rows: Sequence[int] | I64) -> F32 | None:
        """Boxes ``(b, t, 5)`` in px of the crop without shift; None where no scene has any.

        Raises:
            BadItems: there is no such row.
        """
        boxes = self.boxes[rows_within(rows, self)].copy()
        if not np.isfinite(boxes).any():
            return None
        height, width = self.pixels.shape[1:3]
        corner = [(width - CROP_PX) // 2, (height - CROP_PX) // 2]
        boxes[..., :4] -= np.array(corner * 2, np.float32)
        return boxes


def print_of(pixels: NDArray[Any], boxes: F32) -> str:
    """16 hex digits of the sha256 of scenes, packed or not, and boxes."""
    digest = hashlib.sha256()
    for array in (pixels, boxes):
        digest.update(f"{array.dtype.str}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()[:16]


def check_scenes(pixels: U8, boxes: F32, classes: tuple[str, ...]) -> None:
    """Returns if scenes and boxes fit together.

    Raises:
        BadItems: a shape or type is wrong, a scene is smaller than a crop, or a box lies outside
            its scene, is empty or is of no class.
    """
    if pixels.ndim != 4 or pixels.shape[3] != 3 or pixels.dtype != np.uint8 or not len(pixels):
        raise BadItems(
            f"The scenes have the shape {pixels.shape} and the type {pixels.dtype}.",
            "Needed is uint8 of (n, height, width, 3), with at least one scene.",
        )
    height, width = pixels.shape[1:3]
    if min(height, width) < CROP_PX:
        raise BadItems(
            f"Scenes of {width} × {height} px are smaller than the crop of {CROP_PX} px.",
            f"{SCENE_PX} px on each side leave room for shifts of 64 px.",
        )
    if boxes.ndim != 3 or boxes.shape[2] != 5 or len(boxes) != len(pixels):
        raise BadItems(
            f"The boxes of {len(pixels)} scenes have the shape {boxes.shape}.",
            "Needed is (scenes, boxes, 5): x0, y0, x1, y1 and class.",
        )
    for row, k in np.argwhere(np.isfinite(boxes).any(axis=2)):
        check_box(boxes[row, k], width, height, f"Box {k} of scene {row}")
        if not 0 <= boxes[row, k, 4] < len(classes):
            raise BadItems(
                f"Box {k} of scene {row} has the class {boxes[row, k, 4]:g}.",
                f"Classes run from 0 to {len(classes) - 1}.",
            )


def check_box(box: NDArray[Any], width: float, height: float, what: str) -> None:
    """Returns if a box ``(4 or more,)`` lies in a picture and holds something.

    Raises:
        BadItems: it does not; named by ``what``.
    """
    x0, y0, x1, y1 = (float(v) for v in box[:4])
    shown = f"({x0:g}, {y0:g}, {x1:g}, {y1:g})"
    if not np.isfinite(box[:4]).all():
        raise BadItems(f"{what} is {shown}.", "All four sides must be numbers.")
    if x1 <= x0 or y1 <= y0:
        raise BadItems(f"{what} is {shown}: there is nothing in it.", "x1 > x0 and y1 > y0.")
    if x0 < 0 or y0 < 0 or x1 > width or y1 > height:
        raise BadItems(
            f"{what} is {shown}, outside of a picture of {width:g} × {height:g} px.",
            "Boxes must lie in their picture.",
        )


def bundled(
    arrays: Mapping[str, NDArray[Any]], *, key: str, title: str, source: str, licence: str
) -> SceneItems:
    """The composed scenes of ``data/scenes/eval.npz``; the id is the row.

    Raises:
        ValueError, KeyError: the arrays are not those that the build script writes.
    """
    own = tuple(str(name) for name in arrays["classes"])
    classes = class_names("detection")
    kinds = np.array([classes.index(own[k]) for k in arrays["labels"]], np.int64)
    boxes = np.concatenate([arrays["boxes"], kinds[:, None]], 1)[:, None].astype(np.float32)
    count = [int((kinds[:i] == k).sum()) + 1 for i, k in enumerate(kinds)]
    return SceneItems(
        key=key,
        title=title,
        pixels=unpacked(arrays),
        boxes=boxes,
        labels=kinds,
        ids=np.arange(len(kinds), dtype=np.int64),
        names=tuple(f"{classes[k]} {c}" for k, c in zip(kinds, count, strict=True)),
        classes=classes,
        source=source,
        licence=licence,
        extra={"composed of": arrays["recipes"]},
        # Of the packed pictures: another version of the decoder must not make all results void.
        fingerprint=print_of(arrays["webp"], boxes),
    )


def unpacked(arrays: Mapping[str, NDArray[Any]]) -> U8:
    """Scenes ``(n, h, w, 3)`` out of WebP files laid end to end.

    Raises:
        ValueError: they are not pictures of one size.
    """
    packed, ends = arrays["webp"].tobytes(), [0, *arrays["ends"].tolist()]
    try:
        pictures = [
            np.asarray(Image.open(io.BytesIO(packed[a:b])).convert("RGB"))
            for a, b in itertools.pairwise(ends)
        ]
    except (UnidentifiedImageError, OSError) as error:
        raise ValueError("a scene cannot be decoded") from error
    return np.stack(pictures)
