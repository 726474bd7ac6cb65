"""Meshes of the user's own, from OBJ or GLB files, which are untrusted bytes."""

from __future__ import annotations

import json
import struct
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from backend.errors import BadRequest
from backend.metric_learning.meshes import Surface, placed

F32 = NDArray[np.float32]
I32 = NDArray[np.int32]

MOST_FACES: Final = 400_000
MOST_BYTES: Final = 60_000_000
GREY: Final = (0.6, 0.6, 0.6)
TYPES: Final = {5121: np.uint8, 5123: np.uint16, 5125: np.uint32, 5126: np.float32}
Y_UP_TO_Z_UP: Final = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])
GLB_MAGIC, JSON_CHUNK, BIN_CHUNK = 0x46546C67, 0x4E4F534A, 0x004E4942


def read(data: bytes, name: str, paint: str = "") -> Surface:
    """The surface in an OBJ or GLB file, upright, scaled to a car's length.

    Materials whose name contains ``paint`` take the colour of the scene; all of them where it is
    empty. An OBJ's own colours are in another file and are not read; y is up in both formats.

    Raises:
        BadRequest: the file is of another kind, damaged, too large, or has no faces.
    """
    if len(data) > MOST_BYTES:
        raise BadRequest(f"{name[-60:]!r} has {len(data) / 1e6:.0f} MB.", "At most 60 MB are read.")
    suffix = name.lower().rpartition(".")[2]
    if suffix not in ("obj", "glb"):
        raise BadRequest(f"{name[-60:]!r} is neither .obj nor .glb.", "Export it as one of them.")
    try:
        points, faces, material, looks = _obj(data) if suffix == "obj" else _glb(data)
    except (ValueError, KeyError, IndexError, TypeError, struct.error) as error:
        raise BadRequest(
            f"{name[-60:]!r} is damaged or uses a feature that is not read: {error}.",
            "Export it again, as plain triangles.",
        ) from error
    if not len(faces):
        raise BadRequest(f"{name[-60:]!r} has no faces.", "Export the surface, not only points.")
    if len(faces) > MOST_FACES:
        raise BadRequest(f"{name[-60:]!r} has {len(faces)} faces.", f"At most {MOST_FACES}.")
    if faces.min() < 0 or faces.max() >= len(points):
        raise BadRequest(f"{name[-60:]!r} has a face without points.", "Export it again.")
    if not np.isfinite(points).all():
        raise BadRequest(f"{name[-60:]!r} has points that are not finite.", "Export it again.")
    names = list(looks)
    is_paint = np.array([not paint or paint.lower() in one.lower() for one in names])
    if not is_paint.any():
        raise BadRequest(f"No material is called {paint!r}.", f"There is {', '.join(names)[:300]}.")
    return Surface(
        placed((points @ Y_UP_TO_Z_UP).astype(np.float32)),
        faces,
        material,
        np.array([looks[one] for one in names], np.float32),
        is_paint,
        np.where(is_paint, 0.3, 0.05).astype(np.float32),
    )


def _obj(data: bytes) -> tuple[F32, I32, I32, dict[str, tuple[float, ...]]]:
    points: list[list[float]] = []
    faces: list[tuple[int, int, int]] = []
    material: list[int] = []
    names: dict[str, int] = {}
    current = "default"
    for line in data.decode("utf-8", "replace").splitlines():
        parts = line.split()
        if parts[:1] == ["v"]:
            points.append([float(part) for part in parts[1:4]])
        elif parts[:1] == ["usemtl"]:
            current = " ".join(parts[1:]) or "default"
        elif parts[:1] == ["f"]:
            corners = [int(part.split("/")[0]) for part in parts[1:]]
            corners = [i - 1 if i > 0 else len(points) + i for i in corners]
            fan = [(corners[0], corners[k], corners[k + 1]) for k in range(1, len(corners) - 1)]
            faces += fan
            material += [names.setdefault(current, len(names))] * len(fan)
    return (
        np.array(points, np.float32).reshape(-1, 3),
        np.array(faces, np.int32).reshape(-1, 3),
        np.array(material, np.int32),
        dict.fromkeys(names, GREY),
    )


def _glb(data: bytes) -> tuple[F32, I32, I32, dict[str, tuple[float, ...]]]:
    magic, version, _ = struct.unpack_from("<III", data, 0)
    if magic != GLB_MAGIC or version != 2:
        raise ValueError("it is not glTF 2")
    chunks: dict[int, bytes] = {}
    at = 12
    while at + 8 <= len(data):
        length, kind = struct.unpack_from("<II", data, at)
        chunks.setdefault(kind, data[at + 8 : at + 8 + length])
        at += 8 + length
    told, binary = json.loads(chunks[JSON_CHUNK]), chunks.get(BIN_CHUNK, b"")
    looks: dict[str, tuple[float, ...]] = {}
    parts = _pieces(told, binary, looks)
    starts = np.cumsum([0, *(len(points) for points, _, _ in parts)])
    faces_all = [faces + int(start) for (_, faces, _), start in zip(parts, starts, strict=False)]
    if not parts:
        return (
            np.zeros((0, 3), np.float32),
            np.zeros((0, 3), np.int32),
            np.zeros(0, np.int32),
            looks,
        )
    return (
        np.concatenate([points for points, _, _ in parts]),
        np.concatenate(faces_all),
        np.concatenate([np.full(len(faces), k, np.int32) for _, faces, k in parts]),
        looks,
    )


def _pieces(
    told: dict[str, Any], binary: bytes, looks: dict[str, tuple[float, ...]]
) -> list[tuple[F32, I32, int]]:
    """Points, faces and number of the material of every piece; fills ``looks`` in."""
    parts: list[tuple[F32, I32, int]] = []
    for node, turn in _nodes(told):
        if "mesh" not in node:
            continue
        for piece in told["meshes"][node["mesh"]]["primitives"]:
            if piece.get("mode", 4) != 4:
                continue
            name, colour = _material(told, piece.get("material"))
            looks.setdefault(name, colour)
            local = _accessor(told, binary, piece["attributes"]["POSITION"]).astype(np.float64)
            moved = np.c_[local, np.ones(len(local))] @ turn.T
            if "indices" in piece:
                index = _accessor(told, binary, piece["indices"]).ravel()
            else:
                index = np.arange(len(local))
            faces = index[: len(index) // 3 * 3].reshape(-1, 3).astype(np.int32)
            parts.append((moved[:, :3].astype(np.float32), faces, list(looks).index(name)))
    return parts


def _nodes(told: dict[str, Any]) -> list[tuple[dict[str, Any], NDArray[np.float64]]]:
    """Every node with its place in the world (4, 4), each once."""
    nodes = told.get("nodes", [])
    children = {child for node in nodes for child in node.get("children", [])}
    waiting = [(k, np.eye(4)) for k in range(len(nodes)) if k not in children]
    found, seen = [], set()
    while waiting:
        k, above = waiting.pop()
        if k in seen:
            raise ValueError("its nodes are no tree")
        seen.add(k)
        here = above @ _matrix(nodes[k])
        found.append((nodes[k], here))
        waiting += [(child, here) for child in nodes[k].get("children", [])]
    return found


def _matrix(node: dict[str, Any]) -> NDArray[np.float64]:
    if "matrix" in node:
        return np.array(node["matrix"], np.float64).reshape(4, 4).T
    x, y, z, w = node.get("rotation", (0, 0, 0, 1))
    turn = np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )
    found = np.eye(4)
    found[:3, :3] = turn * np.array(node.get("scale", (1, 1, 1)), np.float64)
    found[:3, 3] = node.get("translation", (0, 0, 0))
    return found


def _material(told: dict[str, Any], number: int | None) -> tuple[str, tuple[float, ...]]:
    if number is None:
        return "default", GREY
    held = told["materials"][number]
    colour = held.get("pbrMetallicRoughness", {}).get("baseColorFactor", (*GREY, 1))
    shown = tuple(float(np.clip(v, 0, 1)) ** (1 / 2.2) for v in colour[:3])
    return str(held.get("name", f"material {number}")), shown


def _accessor(told: dict[str, Any], binary: bytes, number: int) -> NDArray[Any]:
    held = told["accessors"][number]
    view = told["bufferViews"][held["bufferView"]]
    if view.get("buffer", 0) != 0 or "sparse" in held:
        raise ValueError("its data lie elsewhere")
    kind, wide = np.dtype(TYPES[held["componentType"]]), {"SCALAR": 1, "VEC3": 3}[held["type"]]
    start = view.get("byteOffset", 0) + held.get("byteOffset", 0)
    stride = view.get("byteStride") or kind.itemsize * wide
    count = held["count"]
    if count < 0 or start < 0 or start + stride * (count - 1) + kind.itemsize * wide > len(binary):
        raise ValueError("its data are cut short")
    rows = np.ndarray((count, wide), kind, binary, start, (stride, kind.itemsize))
    return rows.copy()
