"""Sets of labelled point clouds: what a view lists, and the pictures it lists them by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from backend.items import BadItems, rows_within, seal, told_columns
from backend.protocols import F32, I64, U8, Arrays
from models.cards import Task

LEAST_POINTS: Final = 256
PICTURE_PX: Final = 64
AZIMUTH_DEG, ELEVATION_DEG = 35.0, 25.0  # of the camera, from the front (-y) and the ground
FILL: Final = 0.47  # radius of the unit ball in a picture, as a share of its side
DARKEST, BRIGHTEST = 70, 255  # grey of the farthest and the nearest point there can be
UNKNOWN: Final = "unknown"


@dataclass(frozen=True, slots=True)
class CloudItems:
    """Clouds of equally many points held in memory; an ``ItemSet`` with ``inputs`` and ``truth``.

    Attributes:
        points: ``(n, p, 3)`` float32, x to the right, y to the back, z up, within the unit ball.
        labels: ``(n,)`` int64, an index into ``classes``; -1 where nobody knows.
        extra: further columns for tables, each ``(n,)``.

    Raises:
        BadItems: on construction, if a cloud is unusable or the parts do not fit together.
    """

    key: str
    title: str
    points: F32
    labels: I64
    ids: I64
    names: tuple[str, ...]
    classes: tuple[str, ...]
    source: str
    licence: str
    extra: Arrays = field(default_factory=dict)
    fingerprint: str = field(init=False)
    task: ClassVar[Task] = "points"
    shape: ClassVar[tuple[int, int, int]] = (PICTURE_PX, PICTURE_PX, 1)

    def __post_init__(self) -> None:
        check_clouds(self.points)
        n = len(self.points)
        _check_columns(self, n)
        object.__setattr__(self, "fingerprint", seal(self, "points", "labels", "ids"))

    def __len__(self) -> int:
        return len(self.points)

    @property
    def columns(self) -> Arrays:
        """``label`` and ``source`` as text, and the extra columns."""
        return told_columns(self, self.extra)

    def image(self, row: int) -> U8:
        """The picture of one cloud, ``(64, 64)``.

        Raises:
            BadItems: there is no such row.
        """
        picture_of_one: U8 = self.images([row])[0]
        return picture_of_one

    def images(self, rows: Sequence[int] | I64) -> U8:
        """The pictures of some clouds, in that order, ``(b, 64, 64)``.

        Raises:
            BadItems: there is no such row.
        """
        clouds = self.inputs(rows)
        drawn = [picture(cloud) for cloud in clouds]
        return np.stack(drawn) if drawn else np.empty((0, PICTURE_PX, PICTURE_PX), np.uint8)

    def inputs(self, rows: Sequence[int] | I64) -> F32:
        """The clouds of some rows, in that order, ``(b, p, 3)``; a copy.

        Raises:
            BadItems: there is no such row.
        """
        clouds: F32 = self.points[rows_within(rows, self)]
        return clouds

    def truth(self, rows: Sequence[int] | I64) -> I64:
        """The classes of some rows, in that order, ``(b,)``; -1 where nobody knows.

        Raises:
            BadItems: there is no such row.
        """
        labels: I64 = self.labels[rows_within(rows, self)]
        return labels


def bundled(
    arrays: Mapping[str, NDArray[Any]],
    notes: Sequence[Mapping[str, str]],
    classes: tuple[str, ...],
    **about: str,
) -> CloudItems:
    """The set that comes with the app; the id is the row.

    Args:
        arrays: ``points`` (n, p, 3) float16 and ``labels`` (n,) of the file.
        notes: of each row its ``name``, ``key``, ``creator`` and ``licence``.
        about: key, title, source and licence of the set.
    """
    n = len(arrays["points"])
    if len(notes) != n:
        raise ValueError(f"{len(notes)} notes for {n} clouds")
    return CloudItems(
        points=arrays["points"].astype(np.float32),
        labels=arrays["labels"].astype(np.int64),
        ids=np.arange(n, dtype=np.int64),
        names=tuple(f"{note['name']}, {note['key']}" for note in notes),
        classes=classes,
        extra={
            "source": np.array([f"{note['creator']}, in Sweet Home 3D" for note in notes]),
            "licence": np.array([note["licence"] for note in notes]),
        },
        key=about["key"],
        title=about["title"],
        source=about["source"],
        licence=about["licence"],
    )


def check_clouds(points: NDArray[Any]) -> None:
    """Returns if ``points`` are clouds ``(n, p, 3)`` float32 that a model can be asked about.

    Raises:
        BadItems: they have another shape or type, too few points, or a coordinate is not finite.
    """
    if points.ndim != 3 or points.shape[2] != 3 or points.dtype != np.float32:
        raise BadItems(
            f"The clouds have the shape {points.shape} and the type {points.dtype}.",
            "Needed is float32 of (clouds, points, 3): x, y and z.",
        )
    if not len(points):
        raise BadItems("There is no cloud.", "Give at least one.")
    if points.shape[1] < LEAST_POINTS:
        raise BadItems(
            f"A cloud of {points.shape[1]} points is too small.",
            f"At least {LEAST_POINTS} points are needed.",
        )
    is_bad = ~np.isfinite(points).all(axis=2)
    if is_bad.any():
        cloud, point = np.argwhere(is_bad)[0]
        raise BadItems(
            f"Point {point} of cloud {cloud} is not finite: {points[cloud, point].tolist()}; "
            f"{is_bad.sum()} points are like that.",
            "Remove points without coordinates.",
        )
    # ptp of exactly 0 in every direction: all points are one.
    is_flat = (points.max(1) == points.min(1)).all(axis=1)
    if is_flat.any():
        raise BadItems(
            f"All points of cloud {int(is_flat.argmax())} are the same.",
            "A cloud needs an extent.",
        )


def normalised(points: NDArray[Any]) -> F32:
    """Clouds ``(n, p, 3)`` moved to their mean and scaled into the unit ball, float32.

    The farthest point of each has distance 1: how the bundled clouds were made.
    """
    centred = points - points.mean(axis=1, keepdims=True, dtype=np.float64)
    radius = np.linalg.norm(centred, axis=2).max(axis=1)[:, None, None]
    scaled: F32 = (centred / np.maximum(radius, 1e-12)).astype(np.float32)
    return scaled


def picture(points: F32, side_px: int = PICTURE_PX) -> U8:
    """A cloud ``(p, 3)`` in the unit ball seen from the front right and above, ``(side, side)``.

    Parallel projection; the nearest point of a pixel wins, and near points are brighter. A point
    covers 2 x 2 pixels, so that surfaces close.
    """
    azimuth, elevation = np.deg2rad(AZIMUTH_DEG), np.deg2rad(ELEVATION_DEG)
    right = np.array([np.cos(azimuth), np.sin(azimuth), 0.0])
    towards = np.array([np.sin(azimuth), -np.cos(azimuth), 0.0]) * np.cos(elevation)
    towards[2] = np.sin(elevation)
    up = np.cross(towards, right)
    column = np.rint(points @ right * side_px * FILL + side_px / 2).astype(np.int64)
    row = np.rint(-(points @ up) * side_px * FILL + side_px / 2).astype(np.int64)
    depth = points @ towards
    nearest = np.full(side_px * side_px, -np.inf)
    for down, across in ((0, 0), (0, 1), (1, 0), (1, 1)):
        y = np.clip(row - down, 0, side_px - 1)
        x = np.clip(column - across, 0, side_px - 1)
        np.maximum.at(nearest, y * side_px + x, depth)
    shade = DARKEST + (BRIGHTEST - DARKEST) * (np.maximum(nearest, -1.0) + 1) / 2
    grey = np.where(np.isfinite(nearest), np.clip(shade, DARKEST, BRIGHTEST), 0.0)
    drawn: U8 = np.rint(grey).astype(np.uint8).reshape(side_px, side_px)
    return drawn


def _check_columns(items: CloudItems, n: int) -> None:
    for name in ("labels", "ids"):
        values = getattr(items, name)
        if values.dtype != np.int64 or values.shape != (n,):
            raise BadItems(
                f"The {name} have the shape {values.shape} and the type {values.dtype}.",
                f"Needed is int64 of ({n},): one for each cloud.",
            )
    if len(items.names) != n:
        raise BadItems(f"There are {len(items.names)} names for {n} clouds.")
    if len(set(items.classes)) != len(items.classes):
        raise BadItems("The class names must be all different.")
    outside = items.labels[(items.labels < -1) | (items.labels >= len(items.classes))]
    if len(outside):
        raise BadItems(
            f"Label {outside[0]} is none of the classes.",
            f"Labels go from 0 to {len(items.classes) - 1}; -1 stands for unknown.",
        )
    if len(np.unique(items.ids)) != n:
        raise BadItems("An id appears twice.", "Each item needs its own id.")
    for name, column in items.extra.items():
        if column.shape != (n,):
            raise BadItems(f"Column {name!r} has the shape {column.shape}; {(n,)} is needed.")
