"""Synthetic pairs of particle images of a known velocity field.

A particle is at p half-way between the frames, at p − w(p)/2 in the first and at p + w(p)/2 in the
second. So w is the displacement at p without approximation, and swapping the frames is the flow −w
exactly.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.piv_flows import F64, SIZE_PX, Field, draw_field, on_grid

MARGIN_PX: Final = 8  # particles are also sown outside the frame: they may be seen in one frame
REACH_PX: Final = 3  # pixels around its centre that a particle lights up
BACKGROUND: Final = 6.0  # grey value of the dark


@dataclass(frozen=True, slots=True)
class Look:
    """How particles look in a pair.

    Attributes:
        per_px: particles per pixel. sigma_px: of the Gaussian image of a particle.
        brightest: grey value in the middle of a particle in the middle of the light sheet.
        noise: standard deviation of the camera's noise, in grey values.
        lost: share of the particles that are seen in one frame only.
    """

    per_px: float
    sigma_px: float
    brightest: float
    noise: float
    lost: float = 0.05


def draw_look(rng: np.random.Generator) -> Look:
    """A random look, within the limits usual for good recordings."""
    return Look(
        rng.uniform(0.03, 0.07),
        rng.uniform(0.7, 1.1),
        rng.uniform(150, 240),
        rng.uniform(1.5, 3.5),
    )


def draw_pair(
    family: str, rng: np.random.Generator
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Frames (2, 128, 128) and the displacement (2, 64, 64) of a random flow of a family."""
    field = draw_field(family, rng)
    return photographed(field, draw_look(rng), rng), on_grid(field).astype(np.float32)


def photographed(
    field: Field, look: Look, rng: np.random.Generator, size_px: int = SIZE_PX
) -> NDArray[np.uint8]:
    """Two frames (2, size, size) of particles that a field moves."""
    low, high = -float(MARGIN_PX), float(size_px + MARGIN_PX)
    count = int(look.per_px * (high - low) ** 2)
    x, y = rng.uniform(low, high, (2, count)) - 0.5
    u, v = field(x, y)
    # Depth in a sheet of light with a Gaussian profile.
    light = look.brightest * np.exp(-2 * rng.uniform(-1, 1, count) ** 2)
    lost = rng.uniform(size=count)
    seen = (lost > look.lost / 2, lost < 1 - look.lost / 2)
    frames = [
        _frame(x + side * u, y + side * v, light * is_seen, look.sigma_px, size_px)
        for side, is_seen in zip((-0.5, 0.5), seen, strict=True)
    ]
    noisy = np.stack(frames) + BACKGROUND + rng.normal(0, look.noise, (2, size_px, size_px))
    return np.clip(np.round(noisy), 0, 255).astype(np.uint8)


def _frame(x: F64, y: F64, light: F64, sigma_px: float, size_px: int) -> F64:
    """The sum of Gaussian spots ``light · exp(−r²/2σ²)`` on a grid of pixels."""
    reach = np.arange(-REACH_PX, REACH_PX + 1)
    column, row = np.round(x).astype(int), np.round(y).astype(int)
    falloff_x = np.exp(-((column[:, None] + reach - x[:, None]) ** 2) / (2 * sigma_px**2))
    falloff_y = np.exp(-((row[:, None] + reach - y[:, None]) ** 2) / (2 * sigma_px**2))
    spots = light[:, None, None] * falloff_y[:, :, None] * falloff_x[:, None, :]
    # A border wide enough for every spot is cut off afterwards.
    border = MARGIN_PX + 8 + REACH_PX
    width = size_px + 2 * border
    place = (row[:, None, None] + reach[:, None] + border) * width
    place = place + column[:, None, None] + reach + border
    total = np.bincount(place.ravel(), spots.ravel(), width * width).reshape(width, width)
    return np.asarray(total[border:-border, border:-border], np.float64)
