"""Velocity fields of six families, known exactly everywhere: the truth of synthetic particle pairs.

A field gives the displacement ``(u, v)`` in pixels per pair of frames at points ``(x, y)`` in
pixels: x and u to the right, y and v **down**, as array rows run. All are free of divergence.
They are stand-ins of our own, named after the flows of public PIV sets (Cai et al. 2019); none is
taken from a simulation. As in those sets, uniform, backstep and cylinder flows go mostly from left
to right; the random ones have no preferred direction.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]
Field = Callable[[F64, F64], tuple[F64, F64]]
"""``field(x, y)`` gives u and v, each in the shape of x and y."""

FAMILIES: Final = ("uniform", "backstep", "cylinder", "SQG-like", "DNS-like", "isotropic")
SIZE_PX: Final = 128
PEAK_PX: Final = 6.0  # no field moves a particle further
MODES: Final = 64  # plane waves of a random field
UNIFORM_TILT_DEG: Final = 20.0  # how far a flow from left to right may lean
CYLINDER_TILT_DEG: Final = 15.0


def draw_field(family: str, rng: np.random.Generator) -> Field:
    """A random field of a family, made for a frame of 128 × 128 px.

    Raises:
        KeyError: there is no such family.
    """
    return _DRAW[family](rng)


def on_grid(field: Field, size_px: int = SIZE_PX) -> F64:
    """The field ``(2, size/2, size/2)`` at the centres of the blocks of 2 × 2 px.

    These points lie evenly about the middle of the frame, so the symmetries of the square map
    them onto one another.
    """
    centres = np.arange(size_px // 2) * 2 + 0.5
    x, y = np.meshgrid(centres, centres)
    return np.stack(field(x, y))


def _uniform(rng: np.random.Generator) -> Field:
    """The same displacement everywhere."""
    speed, tilt = rng.uniform(1.0, PEAK_PX), _tilt(rng, UNIFORM_TILT_DEG)

    def field(x: F64, y: F64) -> tuple[F64, F64]:
        return np.full_like(x, speed * np.cos(tilt)), np.full_like(y, speed * np.sin(tilt))

    return field


def _backstep(rng: np.random.Generator) -> Field:
    """A wavy shear layer under a stream to the right, with a recirculation below it.

    A stand-in for the flow behind a backward-facing step. With ψ the stream function,
    (u, v) = (∂ψ/∂y, −∂ψ/∂x).
    """
    stream, back = rng.uniform(2.0, 4.2), rng.uniform(0.2, 0.4)
    start, slope = rng.uniform(35, 75), rng.uniform(0.0, 0.25)
    thickness, wave = rng.uniform(6, 16), rng.uniform(0.0, 4.0)
    wave_number, phase = 2 * np.pi / rng.uniform(50, 110), rng.uniform(0, 2 * np.pi)
    middle_x, below = rng.uniform(30, 100), rng.uniform(18, 32)
    wide, tall = rng.uniform(25, 45), rng.uniform(12, 20)

    def edge(x: F64) -> F64:
        return np.asarray(start + slope * x + wave * np.sin(wave_number * x + phase))

    centre_y = float(edge(np.array(middle_x))) + below

    def field(x: F64, y: F64) -> tuple[F64, F64]:
        steepness = slope + wave * wave_number * np.cos(wave_number * x + phase)
        along = stream / 2 * (1 - np.tanh((y - edge(x)) / thickness))
        dx, dy = x - middle_x, y - centre_y
        # The vortex's fastest point is `back` times as fast as the stream.
        psi = stream * back * tall * np.exp(0.5 - dx**2 / (2 * wide**2) - dy**2 / (2 * tall**2))
        return along - dy / tall**2 * psi, along * steepness + dx / wide**2 * psi

    return field


def _cylinder(rng: np.random.Generator) -> Field:
    """Potential flow around a circular cylinder, which stands still with the marks on it."""
    speed, tilt = rng.uniform(1.0, PEAK_PX / 2 - 0.1), _tilt(rng, CYLINDER_TILT_DEG)
    middle, radius = rng.uniform(40, 88, 2), rng.uniform(9, 20)
    cos, sin = np.cos(tilt), np.sin(tilt)

    def field(x: F64, y: F64) -> tuple[F64, F64]:
        dx, dy = x - middle[0], y - middle[1]
        along, across = cos * dx + sin * dy, cos * dy - sin * dx
        square = np.maximum(along**2 + across**2, radius**2)
        outside = along**2 + across**2 >= radius**2
        far = speed * (1 - radius**2 * (along**2 - across**2) / square**2) * outside
        side = -2 * speed * radius**2 * along * across / square**2 * outside
        return cos * far - sin * side, sin * far + cos * side

    return field


def _random(
    spectrum: Callable[[F64], F64], shortest_px: float, longest_px: float
) -> Callable[[np.random.Generator], Field]:
    """Draws sums of plane waves with energies ``spectrum(k)``, k in radians per pixel."""

    def draw(rng: np.random.Generator) -> Field:
        low, high = (float(np.log(2 * np.pi / size)) for size in (longest_px, shortest_px))
        number, angle = np.exp(rng.uniform(low, high, MODES)), rng.uniform(0, 2 * np.pi, MODES)
        kx, ky = number * np.cos(angle), number * np.sin(angle)
        phase = rng.uniform(0, 2 * np.pi, MODES)
        # Wave numbers are drawn evenly in their logarithm, so a wave stands for E(k) dk = E k dlnk.
        weight = np.sqrt(spectrum(number) * number)[:, None] * np.stack([-ky, kx], 1)
        weight /= number[:, None]
        peak = rng.uniform(1.5, PEAK_PX - 1.5)

        def raw(x: F64, y: F64) -> F64:
            waves = np.cos(np.multiply.outer(x, kx) + np.multiply.outer(y, ky) + phase)
            return np.asarray(waves @ weight)

        coarse = np.meshgrid(np.linspace(0, SIZE_PX - 1, 24), np.linspace(0, SIZE_PX - 1, 24))
        scale = peak / np.linalg.norm(raw(*coarse), axis=-1).max()

        def field(x: F64, y: F64) -> tuple[F64, F64]:
            found = raw(x, y) * scale
            return found[..., 0], found[..., 1]

        return field

    return draw


def _tilt(rng: np.random.Generator, at_most_deg: float) -> float:
    return float(np.deg2rad(rng.uniform(-at_most_deg, at_most_deg)))


def _surface(k: F64) -> F64:
    """k^(−5/3) in a wide band: surface quasi-geostrophic turbulence below its forcing scale."""
    return np.asarray(k ** (-5 / 3))


def _dissipating(k: F64) -> F64:
    """k^(−5/3) that ends in a viscous range, as in direct numerical simulations."""
    return np.asarray(k ** (-5 / 3) * np.exp(-1.5 * (k / (2 * np.pi / 40)) ** 2))


def _peaked(k: F64) -> F64:
    """k⁴ exp(−2 k²/k₀²): isotropic turbulence with one dominant size of eddy, 64 px here."""
    return np.asarray(k**4 * np.exp(-2 * (k / (2 * np.pi / 64)) ** 2))


_DRAW: Final[dict[str, Callable[[np.random.Generator], Field]]] = {
    "uniform": _uniform,
    "backstep": _backstep,
    "cylinder": _cylinder,
    "SQG-like": _random(_surface, 32, 200),
    "DNS-like": _random(_dissipating, 20, 160),
    "isotropic": _random(_peaked, 36, 140),
}
