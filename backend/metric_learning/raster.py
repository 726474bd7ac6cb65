"""A z-buffer and a shadow map, compiled by numba. Import this only where scenes are drawn."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numba
import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]
I32 = NDArray[np.int32]
V3 = tuple[float, float, float]

BIAS_M: Final = 0.03  # a surface does not shade itself within this distance


def _drawn(points: F32, faces: I32, depth: F32, which: I32) -> None:
    """Draws triangles: the nearest one at each pixel.

    Args:
        points: ``(v, 3)`` pixel x, pixel y, and a nearness that is linear on the screen: larger is
            nearer.
        faces: ``(t, 3)``.
        depth: ``(h, w)``, filled with the nearness; start with -inf.
        which: ``(h, w)``, filled with the triangle; start with -1.
    """
    height, width = depth.shape
    for t in range(faces.shape[0]):
        ax, ay, az = points[faces[t, 0]]
        bx, by, bz = points[faces[t, 1]]
        cx, cy, cz = points[faces[t, 2]]
        area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
        if abs(area) < 1e-9:
            continue
        left = max(0, int(np.ceil(min(ax, bx, cx) - 0.5)))
        right = min(width - 1, int(np.floor(max(ax, bx, cx) - 0.5)))
        top = max(0, int(np.ceil(min(ay, by, cy) - 0.5)))
        bottom = min(height - 1, int(np.floor(max(ay, by, cy) - 0.5)))
        for i in range(top, bottom + 1):
            y = i + 0.5
            for j in range(left, right + 1):
                x = j + 0.5
                u = ((bx - x) * (cy - y) - (by - y) * (cx - x)) / area
                v = ((cx - x) * (ay - y) - (cy - y) * (ax - x)) / area
                w = 1 - u - v
                if u >= 0 and v >= 0 and w >= 0:
                    near = u * az + v * bz + w * cz
                    if near > depth[i, j]:
                        depth[i, j] = near
                        which[i, j] = t


def _dot(a: V3, b: V3) -> float:
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


def _cross(a: V3, b: V3) -> V3:
    return (
        a[1] * b[2] - a[2] * b[1],
        a[2] * b[0] - a[0] * b[2],
        a[0] * b[1] - a[1] * b[0],
    )


def _plus(a: V3, b: V3, factor: float) -> V3:
    """``a + factor * b``."""
    return (a[0] + factor * b[0], a[1] + factor * b[1], a[2] + factor * b[2])


def _row(x: F32) -> V3:
    return (float(x[0]), float(x[1]), float(x[2]))


def _unit(a: V3) -> V3:
    size = np.sqrt(a[0] * a[0] + a[1] * a[1] + a[2] * a[2]) + 1e-9
    return (a[0] / size, a[1] / size, a[2] / size)


def _lit(point: V3, light: F32, shadow: F32, scale: float) -> float:
    """1 where the sun reaches a point, 0 where something is nearer to the sun."""
    side = shadow.shape[0]
    j = int(np.floor(dot(row(light[0]), point) * scale + side / 2))
    i = int(np.floor(dot(row(light[1]), point) * scale + side / 2))
    if i < 0 or j < 0 or i >= side or j >= side:
        return 1.0
    return 1.0 if shadow[i, j] <= dot(row(light[2]), point) + BIAS_M else 0.0


def _met(ray: V3, eye: V3, corners: F32, normals: F32) -> tuple[V3, V3]:
    """Where a ray meets a triangle's plane, and the surface's normal there, turned to the eye.

    Args:
        corners: ``(3, 3)``. ``normals``: ``(3, 3)`` by corner.
    """
    a, b, c = row(corners[0]), row(corners[1]), row(corners[2])
    flat = cross(plus(b, a, -1.0), plus(c, a, -1.0))
    toward = dot(flat, ray)
    if toward == 0.0:
        toward = 1e-12
    spot = plus(eye, ray, dot(flat, plus(a, eye, -1.0)) / toward)
    size = dot(flat, flat) + 1e-20
    u = dot(cross(plus(c, b, -1.0), plus(spot, b, -1.0)), flat) / size
    v = dot(cross(plus(a, c, -1.0), plus(spot, c, -1.0)), flat) / size
    mixed = plus((0.0, 0.0, 0.0), row(normals[0]), u)
    mixed = plus(plus(mixed, row(normals[1]), v), row(normals[2]), 1 - u - v)
    normal = unit(mixed)
    if dot(normal, ray) > 0:  # the files' faces do not all turn outward
        normal = plus((0.0, 0.0, 0.0), normal, -1.0)
    return spot, normal


def _shaded(
    rays: F32,
    eye: F32,
    corners: F32,
    normals: F32,
    colours: F32,
    gloss: F32,
    which: I32,
    light: F32,
    shadow: F32,
    scale: float,
    sun: F32,
    rgb: F32,
    ground: F32,
) -> None:
    """Colours of the car and the shadow on the ground, linear light.

    Args:
        rays: ``(h, w, 3)`` direction through each pixel. ``eye``: (3,).
        corners, normals: ``(t, 3, 3)`` of each triangle, metres.
        colours: ``(t, 3)``, ``gloss``: ``(t,)`` strength of the highlight.
        light: ``(3, 3)``: two axes of the shadow map, and the direction to the sun.
        shadow: ``(s, s)`` nearness to the sun of what it meets first. ``scale``: pixels a metre.
        sun: (3,) colour of the sun's light.
        rgb: ``(h, w, 3)``, filled where there is a car. ``ground``: ``(h, w)``, filled with the
            share of the sun's light that reaches the ground, 1 above the horizon.
    """
    height, width = which.shape
    to_sun, seen_from = row(light[2]), row(eye)
    for i in range(height):
        for j in range(width):
            ray = row(rays[i, j])
            t = which[i, j]
            if t < 0:
                if ray[2] < -1e-6:
                    floor = plus(seen_from, ray, -seen_from[2] / ray[2])
                    ground[i, j] = lit(floor, light, shadow, scale)
                continue
            spot, normal = met(ray, seen_from, corners[t], normals[t])
            reached = lit(plus(spot, normal, 0.02), light, shadow, scale)
            direct = 0.85 * max(dot(normal, to_sun), 0.0) * reached
            sky = 0.24 + 0.16 * normal[2]
            half = unit(plus(to_sun, ray, -1.0))
            shine = gloss[t] * reached * max(dot(normal, half), 0.0) ** 40
            for k in range(3):
                rgb[i, j, k] = colours[t, k] * (sky + direct * sun[k]) + shine * sun[k]


_JIT: dict[str, Any] = {"nogil": True, "cache": True, "fastmath": False}
dot: Callable[..., float] = numba.njit(**_JIT)(_dot)
cross: Callable[..., V3] = numba.njit(**_JIT)(_cross)
plus: Callable[..., V3] = numba.njit(**_JIT)(_plus)
row: Callable[..., V3] = numba.njit(**_JIT)(_row)
unit: Callable[..., V3] = numba.njit(**_JIT)(_unit)
drawn: Callable[..., None] = numba.njit(**_JIT)(_drawn)
met: Callable[..., tuple[V3, V3]] = numba.njit(**_JIT)(_met)
lit: Callable[..., float] = numba.njit(**_JIT)(_lit)
shaded: Callable[..., None] = numba.njit(**_JIT)(_shaded)
