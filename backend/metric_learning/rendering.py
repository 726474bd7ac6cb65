"""Draws a car by its properties: perspective, sun, shadows, and a background that lights nothing.

The camera stands 8.2 m before the car, looks at its middle, and never moves otherwise. The
background is put behind the finished car, so its colour reaches no pixel that the car covers. A sun
elevation of 0 is drawn at 5 degrees, or shadows would be endless and nothing lit from above.
"""

from __future__ import annotations

import colorsys
from collections.abc import Mapping
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from backend.metric_learning.meshes import Mesh

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
U8 = NDArray[np.uint8]

SIDE: Final = 128
SAMPLES: Final = 3  # a side of a pixel
DISTANCE_M, AIM_M = 8.2, 0.6
HALF_VIEW: Final = float(np.tan(np.radians(18)))
MAP_SIDE, MAP_HALF_M = 320, 3.4
LOWEST_SUN: Final = 5.0
SHADE: Final = 0.55  # of the background's light goes where the sun does not reach
SUNS: Final = {0.0: (1.0, 0.72, 0.46), 45.0: (1.0, 0.96, 0.88), 90.0: (1.0, 1.0, 1.0)}
BASE: Final = 0.5


def render(
    mesh: Mesh, values: Mapping[str, float], side: int = SIDE, samples: int = SAMPLES
) -> tuple[U8, F32]:
    """The image ``(side, side, 3)`` of a scene and the car's share ``(side, side)`` of each pixel.

    Args:
        values: every property of :data:`backend.metric_learning.cars.KNOBS`.
    """
    from backend.metric_learning import raster

    wide = side * samples
    points = _turned(mesh.points, values["car_rotation"])
    normals = _turned(mesh.normals, values["car_rotation"])
    rays, eye, seen = _camera(points, values["camera_height"], wide)
    which = np.full((wide, wide), -1, np.int32)
    raster.drawn(seen, mesh.faces, np.full((wide, wide), -np.inf, np.float32), which)
    light, shadow, scale = _sun(points, mesh, values["sun_elevation"], values["sun_rotation"])
    rgb, ground = np.zeros((wide, wide, 3), np.float32), np.ones((wide, wide), np.float32)
    raster.shaded(
        *(rays, eye, points[mesh.faces], normals, _painted(mesh, values), mesh.gloss, which),
        *(light, shadow, scale, sun_colour(values["sun_elevation"]), rgb, ground),
    )
    car = np.where(which >= 0, 1, 0).astype(np.float32)
    return _composed(rgb, car, ground, background(values), samples)


def background(values: Mapping[str, float]) -> F32:
    """The solid colour (3,) behind the car, in [0, 1]."""
    return colour(values["bg_hue"], values["bg_saturation"], values["bg_value"])


def colour(hue: float, saturation: float, value: float) -> F32:
    """RGB (3,) of the base colour with an offset of hue and factors of saturation and value."""
    rgb = colorsys.hsv_to_rgb(hue % 1.0, min(BASE * saturation, 1.0), min(BASE * value, 1.0))
    return np.array(rgb, np.float32)


def sun_colour(elevation: float) -> F32:
    """Colour (3,) of the sun's light, warmer when it is low; between the three that are fixed."""
    heights = sorted(SUNS)
    return np.array(
        [np.interp(elevation, heights, [SUNS[h][k] for h in heights]) for k in range(3)],
        np.float32,
    )


def _painted(mesh: Mesh, values: Mapping[str, float]) -> F32:
    """Colours of the triangles (t, 3) in linear light, with the scene's paint."""
    paint = colour(values["car_hue"], values["car_saturation"], values["car_value"])
    colours = np.where(mesh.is_paint[:, None], paint, mesh.colours)
    return np.ascontiguousarray(colours**2.2, np.float32)


def _turned(x: F32, degrees: float) -> F32:
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.ascontiguousarray(x @ np.array([[c, s, 0], [-s, c, 0], [0, 0, 1]], np.float32))


@lru_cache(maxsize=8)
def _view(height: float, wide: int) -> tuple[F32, F32, F64]:
    """Rays through the pixels (h, w, 3), the eye (3,), and the camera's axes (3, 3).

    Kept, as the camera has few heights and this is a quarter of a render.
    """
    eye = np.array([0.0, -DISTANCE_M, height])
    ahead = np.array([0.0, 0.0, AIM_M]) - eye
    ahead /= np.linalg.norm(ahead)
    right = np.array([1.0, 0.0, 0.0])
    up = np.cross(right, ahead)
    scale = wide / (2 * HALF_VIEW)
    steps = (np.arange(wide) + 0.5 - wide / 2) / scale
    rays = ahead + steps[None, :, None] * right - steps[:, None, None] * up
    rays /= np.linalg.norm(rays, axis=2, keepdims=True)
    axes = np.stack([right, up, ahead])
    return np.ascontiguousarray(rays, np.float32), eye.astype(np.float32), axes


def _camera(points: F32, height: float, wide: int) -> tuple[F32, F32, F32]:
    """Rays through the pixels (h, w, 3), the eye (3,), and the points on the screen (v, 3)."""
    rays, eye, axes = _view(height, wide)
    moved = (points - np.array([0.0, -DISTANCE_M, height])) @ axes.T
    far = np.maximum(moved[:, 2], 0.1)
    scale = wide / (2 * HALF_VIEW)
    screen = np.stack(
        [wide / 2 + scale * moved[:, 0] / far, wide / 2 - scale * moved[:, 1] / far, 1 / far],
        axis=1,
    )
    return rays, eye, np.ascontiguousarray(screen, np.float32)


def _sun(points: F32, mesh: Mesh, elevation: float, rotation: float) -> tuple[F32, F32, float]:
    """Axes of the light (3, 3), its shadow map (s, s), and the map's pixels a metre."""
    from backend.metric_learning import raster

    high = np.radians(max(elevation, LOWEST_SUN))
    # Straight above there is no direction left, and none may show.
    turn = 0.0 if elevation >= 90 else np.radians(rotation)
    flat = np.cos(high) if elevation < 90 else 0.0
    to_sun = np.array([flat * np.sin(turn), -flat * np.cos(turn), np.sin(high)])
    across = np.array([np.cos(turn), np.sin(turn), 0.0])
    light = np.stack([across, np.cross(to_sun, across), to_sun])
    scale = MAP_SIDE / (2 * MAP_HALF_M)
    on_map = points @ light.T
    on_map[:, :2] = on_map[:, :2] * scale + MAP_SIDE / 2
    shadow = np.full((MAP_SIDE, MAP_SIDE), -np.inf, np.float32)
    unseen = np.full((MAP_SIDE, MAP_SIDE), -1, np.int32)
    raster.drawn(np.ascontiguousarray(on_map, np.float32), mesh.faces, shadow, unseen)
    return np.ascontiguousarray(light, np.float32), shadow, scale


def _composed(rgb: F32, car: F32, ground: F32, behind: F32, samples: int) -> tuple[U8, F32]:
    """The car over its background, both averaged over the samples of a pixel."""
    shown = np.clip(rgb, 0, 1) ** (1 / 2.2)
    share = _mean(car[..., None], samples)[..., 0]
    body = _mean(shown * car[..., None], samples)
    lit = 1 - SHADE * (1 - ground)
    floor = _mean((lit * (1 - car))[..., None], samples)
    image = body + floor * behind
    return np.round(np.clip(image, 0, 1) * 255).astype(np.uint8), share


def _mean(x: F32, samples: int) -> F32:
    side = x.shape[0] // samples
    found: F32 = x.reshape(side, samples, side, samples, -1).mean(axis=(1, 3))
    return found
