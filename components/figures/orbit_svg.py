"""Small SVG pictures that figures carry in ``layout.images``: sharp at any size, also in exports.

The browser draws the discs and the hatching in the same way (``assets/52-nero-layouts-svg.js``).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from math import cos, isfinite, radians, sin
from typing import Final

import numpy as np
from numpy.typing import NDArray

from backend.nero.orbits import Orbit
from components.figures.orbit import F32
from components.figures.orbit_shared import NEUTRAL, VIRIDIS, Range

UNIT: Final = 1000  # a disc's radius in the picture's own units
PLATE: Final = "rgba(12,16,20,.62)"


def url(view_box: str, body: str, width: int = 400, height: int = 400) -> str:
    """A picture as ``data:`` URL, stretched to wherever it is put."""
    text = (
        f"<svg xmlns='http://www.w3.org/2000/svg' width='{width}' height='{height}' "
        f"viewBox='{view_box}' preserveAspectRatio='none'>{body}</svg>"
    )
    for sign, code in (("%", "%25"), ("#", "%23"), ("<", "%3C"), (">", "%3E")):
        text = text.replace(sign, code)
    return f"data:image/svg+xml;charset=utf-8,{text}"


def viridis(t: float) -> str:
    """``#rrggbb`` at ``t``, clipped to [0, 1]; between the stops as plotly does it."""
    at = min(1.0, max(0.0, t)) * (len(VIRIDIS) - 1)
    low = min(int(at), len(VIRIDIS) - 2)
    ends = [[int(stop[i : i + 2], 16) for i in (1, 3, 5)] for stop in VIRIDIS[low : low + 2]]
    mixed = (round(a + (b - a) * (at - low)) for a, b in zip(*ends, strict=True))
    return "#" + "".join(f"{part:02x}" for part in mixed)


def colour(value: float, value_range: Range, is_reversed: bool) -> str:
    """The colour of a value: bright is good, so errors run the other way."""
    low, high = value_range
    t = (value - low) / (high - low)
    return viridis(1 - t if is_reversed else t)


# --- discs ----------------------------------------------------------------------------------------


def rim_deg(orbit: Orbit) -> float:
    """Where a disc's drawn rim lies: its last ring reaches half a step beyond the half turn."""
    angles = np.unique(orbit.positions[:, 2])
    return float(angles[-1] + (angles[-1] - angles[-2]) / 2)


def disc(orbit: Orbit, plane: int, values: F32, value_range: Range, is_reversed: bool) -> str:
    """One plane's cells as ring sectors, each in the colour of its value; NaN cells stay empty.

    The identity is one round cell, drawn once, as every axis has it.
    """
    angles = np.unique(orbit.positions[:, 2])
    half = 180 / len(np.unique(orbit.positions[:, 1]))
    edges = np.concatenate([[0], (angles[1:] + angles[:-1]) / 2, [rim_deg(orbit)]])
    radii = [round(float(edge) / rim_deg(orbit) * UNIT) for edge in edges]
    paths: dict[str, list[str]] = defaultdict(list)
    for element in np.flatnonzero(orbit.positions[:, 0] == plane):
        value = float(values[element])
        _, axis, angle = orbit.positions[element]
        ring = int(np.searchsorted(angles, angle))
        if isfinite(value) and (ring > 0 or axis == 0):
            sector = _sector(float(axis), half, radii[ring], radii[ring + 1])
            paths[colour(value, value_range, is_reversed)].append(sector)
    body = "".join(
        f"<path fill='{fill}' stroke='{fill}' d='{''.join(ds)}'/>" for fill, ds in paths.items()
    )
    return url(_square(UNIT), f"<g stroke-width='8'>{body}</g>")


def _square(reach: int) -> str:
    return f"{-reach} {-reach} {2 * reach} {2 * reach}"


def _sector(axis: float, half: float, inner: int, outer: int) -> str:
    """A ring sector around an axis angle, counter-clockwise from the right; y of SVG goes down."""
    if inner == 0:
        return f"M{outer} 0A{outer} {outer} 0 1 0 {-outer} 0A{outer} {outer} 0 1 0 {outer} 0Z"
    from_, to = radians(axis - half), radians(axis + half)
    large = int(half > 90)

    def point(radius: int, turn: float) -> str:
        return f"{round(radius * cos(turn))} {round(-radius * sin(turn))}"

    return (
        f"M{point(outer, from_)}A{outer} {outer} 0 {large} 0 {point(outer, to)}"
        f"L{point(inner, to)}A{inner} {inner} 0 {large} 1 {point(inner, from_)}Z"
    )


def disc_frame(orbit: Orbit) -> str:
    """The rim, a dotted ring at the quarter turn and a light cross on the identity."""
    quarter = round(90 / rim_deg(orbit) * UNIT)
    cross = "M-45 0H45M0 -45V45"
    body = (
        "<style>*{fill:none;vector-effect:non-scaling-stroke}</style>"
        f"<circle r='{UNIT - 3}' stroke='{NEUTRAL}'/>"
        f"<circle r='{quarter}' stroke='rgba(255,255,255,.6)' stroke-dasharray='1 4' "
        "stroke-linecap='round'/>"
        f"<path d='{cross}' stroke='rgba(0,0,0,.5)' stroke-width='2.5'/>"
        f"<path d='{cross}' stroke='#fff'/>"
    )
    return url(_square(UNIT), body)


# --- maps and squares -----------------------------------------------------------------------------


def hatching(columns: int, rows: int, cells: Sequence[tuple[int, int]]) -> str:
    """A light stroke through each of the cells ``(column, row)``; empty where there is none."""
    if not cells:
        return ""
    strokes = "".join(f"M{10 * x + 2} {10 * y + 8}l6 -6" for x, y in cells)
    style = "stroke='rgba(255,255,255,.62)' stroke-width='1.1' stroke-linecap='round' fill='none'"
    body = f"<path d='{strokes}' {style}/>"
    return url(f"0 0 {10 * columns} {10 * rows}", body)


def glyphs(orbit: Orbit, share: float = 0.25) -> str:
    """An F in each cell's bottom right corner, in the orientation that the element gives it; with
    a prime where time is reversed. Its plate takes a ``share`` of the cell's side."""
    columns, rows = (int(orbit.positions[:, k].max()) + 1 for k in (0, 1))
    drawn = "".join(
        _glyph(i, column, row, share) for i, (column, row) in enumerate(orbit.positions)
    )
    style = "stroke='#fff' fill='none' stroke-linecap='round' stroke-linejoin='round'"
    body = f"<g {style}>{drawn}</g>"
    return url(f"0 0 {100 * columns} {100 * rows}", body, 400, 400 * rows // columns)


def _glyph(element: int, column: float, row: float, share: float) -> str:
    """Even numbers turn by 45°, odd ones are flipped upside down first; 8 more reverse time."""
    size, side = 100 * share, 100 * share * (1.28 if element >= 8 else 1)
    x, y = 100 * (column + 1) - side - 5, 100 * (row + 1) - size - 5
    flip = " scale(1 -1)" if element % 2 else ""
    quarters = (element % 8 + element % 2) // 2 % 4
    letter = (
        f"<path transform='translate(50 50) rotate({-90 * quarters}){flip} translate(-50 -50)' "
        "d='M32 86V14H74M32 48H64' stroke-width='13'/>"
    )
    prime = "<path d='M107 12L101 32' stroke-width='11'/>" if element >= 8 else ""
    plate = f"<rect x='{x:g}' y='{y:g}' width='{side:g}' height='{size:g}' rx='4' "
    inner = 0.76 * size
    shift = f"translate({x + 0.12 * size:g} {y + 0.12 * size:g}) scale({inner / 100:g})"
    return f"{plate}fill='{PLATE}' stroke='none'/><g transform='{shift}'>{letter}{prime}</g>"


def places(positions: NDArray[np.float64]) -> list[tuple[int, int]]:
    """Column and row of each element of a map or of squares, by the order of their coordinates."""
    columns, rows = (np.unique(positions[:, k], return_inverse=True)[1] for k in (0, 1))
    return [(int(x), int(y)) for x, y in zip(columns, rows, strict=True)]
