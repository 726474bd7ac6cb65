"""Cars out of Sweet Home 3D's furniture: which models, which of their materials are paint.

Only build scripts use this; the app reads the finished meshes.
"""

from __future__ import annotations

import posixpath
import zipfile
from dataclasses import dataclass
from typing import Final

import numpy as np

from backend.metric_learning.meshes import Surface, placed, seen_only
from data.build_points import PACKAGE, SHA256
from data.point_meshes import Y_UP_TO_Z_UP, Entry, entries
from data.sources import debian_files


@dataclass(frozen=True, slots=True)
class Car:
    """One model that is drawn.

    Attributes:
        name: short name in tables and links. ``key``: in the catalogue.
        length_m: of the drawn car: the catalogue's, at most 4.6 m so that it fits the picture.
        paint: materials that take the scene's colour.
        split: ``test`` or ``train``.
    """

    name: str
    key: str
    length_m: float
    paint: tuple[str, ...]
    split: str


CARS: Final = (
    Car("Ford Focus", "BlendSwap-CC-BY-94", 4.36, ("carPaint",), "test"),
    Car("VW New Beetle", "KatorLegaz-69", 4.09, ("PAINT_yellow",), "test"),
    Car("Seat Leon", "Scopia-59", 4.20, ("chapa_roja",), "test"),
    Car("Peugeot 308 CC", "Scopia-168", 4.44, ("color-exterior",), "test"),
    Car("SUV", "Scopia-249", 4.6, ("firstcolor",), "test"),
    Car("Smart", "Scopia-252", 2.53, ("first-color", "second-color"), "test"),
    Car("Concept Sedan 01", "KatorLegaz-59", 4.56, ("Car",), "train"),
    Car("Concept Sedan 01b", "KatorLegaz-75", 4.6, ("Car",), "train"),
    Car("Concept Sedan 02", "KatorLegaz-60", 4.40, ("PAINT_lt_blue",), "train"),
    Car("Concept Sedan 02 Sport", "KatorLegaz-61", 4.25, ("PAINT_lt_blue",), "train"),
    Car("Renault Scenic", "Scopia-170", 4.26, ("color-beige-green",), "train"),
    Car("Chevrolet", "Scopia-250", 4.46, ("firstcolor",), "train"),
    Car("Van", "Scopia-251", 4.6, ("firstcolor",), "train"),
    Car("Car model", "BlendSwap-CC-BY-15", 4.3, ("Material.003",), "train"),
    Car("Truck", "Scopia-212", 4.6, ("red-cabin", "white-container"), "train"),
    Car("Bus", "Scopia-247", 4.6, ("firstcolor",), "train"),
    Car("City bus", "Scopia-361", 4.6, ("whiteBase", "accentColor"), "train"),
    Car("Fork lift", "BlendSwap-CC-0-119", 3.51, ("yellow",), "train"),
)
SHINY: Final = ("chrome", "metal", "llanta", "wheels", "alumin", "reflector")
GRID_M: Final = 0.012  # points nearer than this become one


def catalogue() -> dict[str, Entry]:
    """The catalogue's entries of the cars, by their key."""
    wanted = {car.key for car in CARS}
    found = entries(debian_files(PACKAGE, SHA256))
    return {entry.key: entry for entry in found if entry.key in wanted}


def surfaces() -> dict[str, Surface]:
    """Every car, placed and simplified, by its short name."""
    held = catalogue()
    return {car.name: simplified(surface(held[car.key], car)) for car in CARS}


def surface(entry: Entry, car: Car) -> Surface:
    """A car as its file has it, upright and in metres."""
    with zipfile.ZipFile(entry.path) as archive:
        text = archive.read(entry.member).decode("latin-1")
        looks = _materials(archive, entry.member, text)
    names = list(looks)
    points: list[list[float]] = []
    faces: list[tuple[int, int, int]] = []
    material: list[int] = []
    current = 0
    for line in text.splitlines():
        if line.startswith("v "):
            points.append([float(part) for part in line.split()[1:4]])
        elif line.startswith("usemtl"):
            current = names.index(line.split()[1])
        elif line.startswith("f "):
            corners = [int(part.split("/")[0]) for part in line.split()[1:]]
            corners = [i - 1 if i > 0 else len(points) + i for i in corners]
            fan = [(corners[0], corners[k], corners[k + 1]) for k in range(1, len(corners) - 1)]
            faces += fan
            material += [current] * len(fan)
    upright = np.array(points) @ (Y_UP_TO_Z_UP @ entry.turn).T
    whole = Surface(
        placed(upright.astype(np.float32), car.length_m),
        np.array(faces, np.int32),
        np.array(material, np.int32),
        np.array([looks[name] for name in names], np.float32),
        np.array([name in car.paint for name in names]),
        np.array([_gloss(name, name in car.paint) for name in names], np.float32),
    )
    return seen_only(whole, np.arange(len(whole.faces)))


def _materials(archive: zipfile.ZipFile, member: str, text: str) -> dict[str, list[float]]:
    """Colour of each material; what is nearly clear becomes dark glass, as nothing is seen through
    it here. Textures are left out."""
    library = next(line.split(maxsplit=1)[1] for line in text.splitlines() if "mtllib" in line)
    path = posixpath.join(posixpath.dirname(member), library.strip())
    found: dict[str, list[float]] = {}
    current = ""
    for line in archive.read(path).decode("latin-1").splitlines():
        parts = line.split()
        if parts[:1] == ["newmtl"]:
            current = parts[1]
            found[current] = [0.6, 0.6, 0.6]
        elif parts[:1] == ["Kd"]:
            found[current] = [min(float(part), 1.0) for part in parts[1:4]]
    return {
        name: [0.10, 0.12, 0.15] if "glass" in name.lower() or "cristal" in name.lower() else kd
        for name, kd in found.items()
    }


def _gloss(name: str, is_paint: bool) -> float:
    lower = name.lower()
    if "glass" in lower or "cristal" in lower:
        return 0.5
    if is_paint:
        return 0.3
    return 0.4 if any(word in lower for word in SHINY) else 0.03


def simplified(one: Surface) -> Surface:
    """Points on one grid cell become one; faces that vanish by it go, inner ones stay."""
    cell = np.round(one.points / GRID_M).astype(np.int64)
    _, first, renamed = np.unique(cell, axis=0, return_index=True, return_inverse=True)
    faces = renamed.ravel()[one.faces]
    a, b, c = faces.T
    keep = np.flatnonzero((a != b) & (b != c) & (a != c))
    thin = Surface(
        one.points[first],
        faces.astype(np.int32),
        one.material,
        one.colours,
        one.is_paint,
        one.gloss,
    )
    return seen_only(thin, keep)
