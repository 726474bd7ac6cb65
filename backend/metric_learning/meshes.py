"""Triangle meshes with materials: from OBJ or GLB files of the user, and as bundled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from backend.errors import BadRequest

F32 = NDArray[np.float32]
I32 = NDArray[np.int32]

CREASE: Final = float(np.cos(np.radians(40)))  # sharper edges stay edges
LENGTH_M: Final = 4.4
PAINT, GLASS = "paint", "glass"


@dataclass(frozen=True, slots=True)
class Mesh:
    """A car: z up, standing on z = 0, its middle over the origin, metres.

    Attributes:
        points: ``(v, 3)``. ``faces``: ``(t, 3)`` rows of ``points``.
        normals: ``(t, 3, 3)`` one for each corner, smooth except over creases.
        colours: ``(t, 3)`` RGB in [0, 1]. ``is_paint``: ``(t,)``: takes the colour of a scene.
        gloss: ``(t,)`` strength of the highlight, in [0, 1].
    """

    points: F32
    faces: I32
    normals: F32
    colours: F32
    is_paint: NDArray[np.bool_]
    gloss: F32


@dataclass(frozen=True, slots=True)
class Surface:
    """What a file holds, before it is placed: points, faces, and one material for each face."""

    points: F32
    faces: I32
    material: I32
    colours: F32  # (m, 3)
    is_paint: NDArray[np.bool_]  # (m,)
    gloss: F32  # (m,)


def mesh(surface: Surface) -> Mesh:
    """A surface ready to be drawn.

    Raises:
        BadRequest: it has no faces, or points that are not finite.
    """
    if not len(surface.faces):
        raise BadRequest("The mesh has no faces, so there is nothing to draw.")
    if not np.isfinite(surface.points).all():
        raise BadRequest("The mesh has points that are not finite.", "Export it again.")
    points = np.ascontiguousarray(surface.points, np.float32)
    faces = np.ascontiguousarray(surface.faces, np.int32)
    return Mesh(
        points,
        faces,
        corner_normals(points, faces),
        np.ascontiguousarray(surface.colours[surface.material], np.float32),
        surface.is_paint[surface.material],
        np.ascontiguousarray(surface.gloss[surface.material], np.float32),
    )


def placed(points: F32, length_m: float = LENGTH_M) -> F32:
    """Points moved over the origin and onto the ground, the longer side ``length_m`` and along y.

    Raises:
        BadRequest: the mesh is flat.
    """
    low, high = points.min(axis=0), points.max(axis=0)
    side = high - low
    if not side.max() > 0 or not (side[:2] > 0).all():
        raise BadRequest("The mesh is flat or a single point, so it cannot be scaled.")
    moved = points - [(low[0] + high[0]) / 2, (low[1] + high[1]) / 2, low[2]]
    if side[0] > side[1]:
        moved = moved @ np.array([[0.0, 1.0, 0.0], [-1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    return np.asarray(moved * (length_m / side[:2].max()), np.float32)


def stretched(one: Mesh, along: float, up: float) -> Mesh:
    """The same body longer or shorter, higher or lower: another model of the same maker."""
    points = np.ascontiguousarray(one.points * np.array([1.0, along, up], np.float32))
    normals = corner_normals(points, one.faces)
    return Mesh(points, one.faces, normals, one.colours, one.is_paint, one.gloss)


def corner_normals(points: F32, faces: I32) -> F32:
    """Unit normals ``(t, 3, 3)``: at each corner the mean of the faces around it that are within
    40 degrees of its own, by area."""
    a, b, c = (points[faces[:, k]] for k in range(3))
    area = np.cross(b - a, c - a)
    unit = area / np.maximum(np.linalg.norm(area, axis=1, keepdims=True), 1e-12)
    _, spot = np.unique(np.round(points, 3), axis=0, return_inverse=True)
    corner = spot.ravel()[faces].ravel()
    order = np.argsort(corner, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(corner[order]) != 0])
    sizes = np.diff(np.r_[starts, len(order)])
    out = np.repeat(unit[:, None], 3, axis=1).reshape(-1, 3)
    face = order // 3
    for size in np.unique(sizes[sizes > 1]):
        first = starts[sizes == size]
        group = face[first[:, None] + np.arange(size)]  # (g, size) faces around a point
        like = np.einsum("gik,gjk->gij", unit[group], unit[group]) > CREASE
        total = np.einsum("gij,gjk->gik", like.astype(np.float32), area[group])
        total /= np.maximum(np.linalg.norm(total, axis=2, keepdims=True), 1e-12)
        out[order[first[:, None] + np.arange(size)]] = total
    return np.ascontiguousarray(out.reshape(-1, 3, 3), np.float32)


def bundled(path: Path) -> dict[str, Mesh]:
    """The meshes of an npz that :func:`stored` filled, by name."""
    with np.load(path, allow_pickle=False) as held:
        names = [str(name) for name in held["names"]]
        return {name: mesh(read_stored(held, name)) for name in names}


def stored(surfaces: Mapping[str, Surface]) -> dict[str, NDArray[Any]]:
    """Arrays of surfaces for an npz, points in 16 bits (steps of less than 0.1 mm)."""
    found: dict[str, NDArray[Any]] = {"names": np.array(list(surfaces))}
    for name, one in surfaces.items():
        low, high = one.points.min(axis=0), one.points.max(axis=0)
        steps = np.round((one.points - low) / (high - low) * 65535).astype(np.uint16)
        found |= {
            f"{name}/range": np.stack([low, high]).astype(np.float32),
            f"{name}/points": steps,
            f"{name}/faces": one.faces.astype(np.uint16 if len(steps) < 65536 else np.int32),
            f"{name}/material": one.material.astype(np.uint8),
            f"{name}/colours": one.colours.astype(np.float32),
            f"{name}/is_paint": one.is_paint,
            f"{name}/gloss": one.gloss.astype(np.float32),
        }
    return found


def read_stored(held: Mapping[str, NDArray[Any]], name: str) -> Surface:
    """A surface out of the arrays of :func:`stored`."""
    low, high = held[f"{name}/range"]
    points = held[f"{name}/points"].astype(np.float32) / 65535 * (high - low) + low
    return Surface(
        points.astype(np.float32),
        held[f"{name}/faces"].astype(np.int32),
        held[f"{name}/material"].astype(np.int32),
        held[f"{name}/colours"],
        held[f"{name}/is_paint"],
        held[f"{name}/gloss"],
    )


def seen_only(one: Surface, keep: Sequence[int] | NDArray[Any]) -> Surface:
    """The surface with some of its faces, and only the points that they use."""
    faces = one.faces[keep]
    used, renamed = np.unique(faces, return_inverse=True)
    return Surface(
        one.points[used],
        renamed.reshape(-1, 3).astype(np.int32),
        one.material[keep],
        one.colours,
        one.is_paint,
        one.gloss,
    )
