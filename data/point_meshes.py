"""Reads the furniture models of Sweet Home 3D: catalogue, surface and points on the surface.

Only build scripts use this; the app reads the finished clouds.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from data.sources import SourceError

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

CATALOGUE = "PluginFurnitureCatalog.properties"
PROPERTY = re.compile(r"(\w+)#(\d+)=(.*)")
# By the LICENSE.TXT in each archive and Debian's copyright file.
LICENCES = {
    "BlendSwap-CC-0": "CC0-1.0",
    "BlendSwap-CC-BY": "CC-BY-3.0",
    "KatorLegaz": "CC-BY-3.0-US",
    "Reallusion": "CC-BY-3.0-US",
    "Scopia": "CC-BY-3.0",
}
Y_UP_TO_Z_UP = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])


@dataclass(frozen=True, slots=True)
class Entry:
    """One model of the catalogue.

    Attributes:
        key: archive and number in it, such as ``Scopia-23``; the same in every build.
        size_cm: width, depth and height (3,) that the catalogue gives it.
        turn: (3, 3), applied to the file's coordinates before anything else.
    """

    key: str
    name: str
    category: str
    creator: str
    licence: str
    path: Path
    member: str
    size_cm: F64
    turn: F64


def entries(folder: Path) -> Iterator[Entry]:
    """Every model of the archives under a folder, in the order of the catalogues.

    Raises:
        SourceError: an archive is not one of the five known ones.
    """
    for path in sorted(folder.rglob("*.sh3f")):
        if path.stem not in LICENCES:
            raise SourceError(f"{path.name} is not an archive whose licence is known.")
        with zipfile.ZipFile(path) as archive:
            text = archive.read(CATALOGUE).decode("latin-1")
        found: dict[int, dict[str, str]] = {}
        for name, number, value in PROPERTY.findall(text):
            found.setdefault(int(number), {})[name] = value.strip()
        for number, values in sorted(found.items()):
            yield _entry(path, number, values)


def _entry(path: Path, number: int, values: dict[str, str]) -> Entry:
    turn = np.eye(3)
    if "modelRotation" in values:
        turn = np.array([float(v) for v in values["modelRotation"].split()]).reshape(3, 3)
    return Entry(
        key=f"{path.stem}-{number}",
        name=values["name"].encode("latin-1").decode("unicode_escape"),
        category=values["category"],
        creator=values["creator"],
        licence=LICENCES[path.stem],
        path=path,
        member=values["model"].lstrip("/"),
        size_cm=np.array([float(values[side]) for side in ("width", "depth", "height")]),
        turn=turn,
    )


def triangles(entry: Entry) -> F64:
    """The surface ``(t, 3, 3)`` of a model, upright (z up), in the catalogue's size in cm.

    The file has y up; polygons are cut into fans. Its front is towards -y afterwards.

    Raises:
        SourceError: there is no surface in the file.
    """
    with zipfile.ZipFile(entry.path) as archive:
        text = archive.read(entry.member).decode("latin-1")
    vertices: list[list[float]] = []
    faces: list[tuple[int, int, int]] = []
    for line in text.splitlines():
        if line.startswith("v "):
            vertices.append([float(part) for part in line.split()[1:4]])
        elif line.startswith("f "):
            corners = [int(part.split("/")[0]) for part in line.split()[1:]]
            corners = [i - 1 if i > 0 else len(vertices) + i for i in corners]
            first = corners[0]
            faces += [(first, corners[k], corners[k + 1]) for k in range(1, len(corners) - 1)]
    if not faces:
        raise SourceError(f"{entry.key} has no faces.")
    upright = np.array(vertices) @ (Y_UP_TO_Z_UP @ entry.turn).T
    surface: F64 = upright[np.array(faces)]
    low, high = surface.min((0, 1)), surface.max((0, 1))
    sized: F64 = (surface - low) * (entry.size_cm / np.maximum(high - low, 1e-9))
    return sized


def sampled(surface: F64, count: int, seed: list[int]) -> F64:
    """``count`` points ``(count, 3)`` on a surface ``(t, 3, 3)``, uniform by area.

    A triangle is drawn with a probability in proportion to its area, and a point in it by Turk's
    square-root rule (Graphics Gems, 1990, "Generating random points in triangles").
    """
    rng = np.random.default_rng(seed)
    a, b, c = surface[:, 0], surface[:, 1], surface[:, 2]
    areas = np.linalg.norm(np.cross(b - a, c - a), axis=1)
    chosen = np.searchsorted(np.cumsum(areas), rng.random(count) * areas.sum(), side="right")
    chosen = np.minimum(chosen, len(surface) - 1)
    root, v = np.sqrt(rng.random((count, 1))), rng.random((count, 1))
    points: F64 = (1 - root) * a[chosen] + root * (1 - v) * b[chosen] + root * v * c[chosen]
    return points


def unit_ball(points: F64) -> F64:
    """Points ``(n, 3)`` moved to their mean and scaled so that the farthest has distance 1."""
    centred = points - points.mean(0)
    scaled: F64 = centred / max(float(np.linalg.norm(centred, axis=1).max()), 1e-12)
    return scaled
