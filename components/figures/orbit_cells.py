"""Orbit plots of cells side by side: maps of shifts, the squares of 16 symmetries.

Each model has a panel; one colour bar serves them all. Viridis, turned round for
errors, so that bright is good. The selected cell has a red outline in every panel.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import plotly.graph_objects as go

from backend.nero.orbits import Orbit
from backend.nero.tasks.base import Metric
from components.figures import orbit_svg as svg
from components.figures.orbit import ModelCurve
from components.figures.orbit_panels import (
    COLUMNS,
    F64,
    Panel,
    base_layout,
    explain,
    headings,
    image,
    panels,
    red_outline,
    square_axes,
)
from components.figures.orbit_shared import ModelMaps, Range, hover

GAP: Final = 0.02  # half of the space between squares, in cells
NUMBERED: Final = 2  # so many models or fewer leave room for a number in every square


# --- the two layouts ------------------------------------------------------------------------------


def heatmap(
    orbit: Orbit,
    curves: Sequence[ModelCurve],
    metric: Metric,
    view: str,
    value_range: Range | None,
) -> go.Figure:
    """A map of shifts a model: y goes down as in images, cells are square, the centre is marked."""
    shown = panels(curves, (0.06, 0.13))
    xs, ys = (np.unique(orbit.positions[:, k]) for k in (0, 1))
    traces: list[Any] = []
    images = []
    for panel in shown:
        traces.append(_map(orbit, panel, metric, xs, ys))
        traces.append(_centre(orbit, panel))
        traces.append(red_outline(panel.axes))
        source = svg.hatching(len(xs), len(ys), _marked(orbit, panel.curve))
        corner = (_edges(xs)[0], _edges(ys)[0], _edges(xs)[-1], _edges(ys)[-1])
        images.append(image(f"hatching {panel.curve.key}", panel, corner, source, "above"))
    layout = base_layout(metric, view, value_range, wide=len(curves) in (2, 5, 6), below_px=36)
    layout["margin"]["l"] = 44
    for panel in shown:
        square_axes(layout, panel, _edges(xs)[[0, -1]], _edges(ys)[[-1, 0]])
        _shift_ticks(layout, panel, xs, ys)
    layout["images"] = images
    layout["annotations"] += [*headings(shown, COLUMNS[len(curves)]), *_shift_titles(orbit, shown)]
    explain(layout, curves)
    return go.Figure(traces, layout=layout)


def squares(
    orbit: Orbit,
    curves: Sequence[ModelCurve],
    metric: Metric,
    view: str,
    value_range: Range | None,
) -> go.Figure:
    """The source's arrangement of squares a model: one colour each, or a map of the metric at every
    location where the curve has ``maps``; all in one heat map with gaps between its blocks."""
    shown = panels(curves, (0.05, 0.12))
    columns, rows = (len(np.unique(orbit.positions[:, k])) for k in (0, 1))
    traces: list[Any] = []
    for panel in shown:
        traces.append(_blocks(orbit, panel, metric, columns, rows))
        if len(curves) <= NUMBERED:
            traces.append(_numbers(orbit, panel, metric, value_range))
        traces.append(red_outline(panel.axes))
    layout = base_layout(metric, view, value_range, wide=len(curves) in (2, 5, 6))
    letters = svg.glyphs(orbit, 0.25 if len(curves) == 1 else 0.33)
    layout["images"] = [
        image(f"glyphs {panel.curve.key}", panel, (0, 0, columns, rows), letters, "above")
        for panel in shown
    ]
    for panel in shown:
        square_axes(layout, panel, (0, columns), (rows, 0), framed=False)
    layout["annotations"] += headings(shown, COLUMNS[len(curves)])
    explain(layout, curves)
    return go.Figure(traces, layout=layout)


# --- traces ---------------------------------------------------------------------------------------


def _edges(centres: F64) -> F64:
    """Borders of cells from their centres, which are evenly spread."""
    step = centres[1] - centres[0] if len(centres) > 1 else 1.0
    return np.append(centres - step / 2, centres[-1] + step / 2)


def _cells(panel: Panel, metric: Metric, **rest: Any) -> go.Heatmap:
    return go.Heatmap(
        coloraxis="coloraxis",
        name=panel.curve.title,
        hoverongaps=False,
        meta={"role": "cells", "model": panel.curve.key},
        hovertemplate=hover(metric, "z"),
        **panel.axes,
        **rest,
    )


def _map(orbit: Orbit, panel: Panel, metric: Metric, xs: F64, ys: F64) -> go.Heatmap:
    if not len(panel.curve.values):
        return _cells(panel, metric, x=xs, y=ys)
    z, text = np.full((len(ys), len(xs)), np.nan), np.full((len(ys), len(xs)), "", object)
    marked = set(_marked(orbit, panel.curve))
    for element, (column, row) in enumerate(svg.places(orbit.positions)):
        z[row, column] = panel.curve.values[element]
        note = " (no answer)" if (column, row) in marked else ""
        text[row, column] = orbit.labels[element] + note
    return _cells(panel, metric, x=xs, y=ys, z=z, text=text)


def _marked(orbit: Orbit, curve: ModelCurve) -> list[tuple[int, int]]:
    if not isinstance(curve, ModelMaps) or not len(curve.marked):
        return []
    places = svg.places(orbit.positions)
    return [places[element] for element in np.flatnonzero(curve.marked)]


def _blocks(orbit: Orbit, panel: Panel, metric: Metric, columns: int, rows: int) -> go.Heatmap:
    """Every element's map (one number is a map of one cell) in one array; NaN in the gaps."""
    curve = panel.curve
    maps = curve.maps if isinstance(curve, ModelMaps) else np.empty((0, 0, 0), np.float32)
    if not len(maps):
        maps = np.asarray(curve.values, np.float32)[:, None, None]
    if not len(maps):
        return _cells(panel, metric)
    h, w = maps.shape[1:]
    z = np.full((rows * (h + 1) - 1, columns * (w + 1) - 1), np.nan)
    text = np.full(z.shape, "", object)
    for element, (column, row) in enumerate(svg.places(orbit.positions)):
        block = np.s_[row * (h + 1) : row * (h + 1) + h, column * (w + 1) : column * (w + 1) + w]
        z[block], text[block] = maps[element], orbit.labels[element]
    return _cells(panel, metric, x=block_edges(columns, w), y=block_edges(rows, h), z=z, text=text)


def block_edges(blocks: int, cells: int) -> F64:
    """Borders of all cells along one axis: block ``b`` fills [b, b + 1] but for the gaps."""
    inside = np.linspace(GAP, 1 - GAP, cells + 1)
    return np.concatenate([block + inside for block in range(blocks)])


def _numbers(orbit: Orbit, panel: Panel, metric: Metric, value_range: Range | None) -> go.Scatter:
    """The averaged squares' values, written in them."""
    curve, where = panel.curve, orbit.positions + 0.5
    is_detailed = isinstance(curve, ModelMaps) and len(curve.maps)
    drawn = bool(len(curve.values)) and not is_detailed and value_range is not None
    texts, colours = [], []
    for value in curve.values if drawn and value_range else ():
        texts.append(f"{value:.2f}" if np.isfinite(value) else "–")
        low, high = value_range or (0, 1)
        t = (float(value) - low) / (high - low)
        is_bright = (t if metric.higher_is_better else 1 - t) > 0.5
        colours.append("#12161b" if is_bright else "#ffffff")
    return go.Scatter(
        x=where[:, 0] if drawn else None,
        y=where[:, 1] - 0.1 if drawn else None,
        text=texts if drawn else None,
        mode="text",
        textfont={"size": 10, "color": colours if drawn else "#ffffff"},
        hoverinfo="skip",
        showlegend=False,
        meta={"role": "numbers", "model": curve.key},
        **panel.axes,
    )


def _centre(orbit: Orbit, panel: Panel) -> go.Scatter:
    """A light cross with a dark rim on the element that changes nothing."""
    x, y = orbit.positions[orbit.identity_index]
    ink = {"color": ["rgba(0,0,0,.5)", "#ffffff"], "width": [3, 1.25]}
    return go.Scatter(
        x=[x, x],
        y=[y, y],
        mode="markers",
        marker={"symbol": "cross-thin", "size": 9, "line": ink},
        hoverinfo="skip",
        showlegend=False,
        meta={"role": "centre"},
        **panel.axes,
    )


def _shift_ticks(layout: dict[str, Any], panel: Panel, xs: F64, ys: F64) -> None:
    suffix = panel.axes["xaxis"][1:]
    for letter, values, is_shown in (("x", xs, panel.is_bottom), ("y", ys, panel.is_left)):
        reach = float(np.abs(values).max())
        layout[f"{letter}axis{suffix}"] |= {
            **{"tickmode": "array", "tickvals": [-reach, -reach / 2, 0, reach / 2, reach]},
            **{"showticklabels": is_shown, "ticks": "outside" if is_shown else "", "ticklen": 3},
            **{"tickfont": {"size": 10}, "tickangle": 0},
        }


def _shift_titles(orbit: Orbit, shown: Sequence[Panel]) -> list[dict[str, Any]]:
    """The names of both axes, once for all panels."""
    shared = {"showarrow": False, "xref": "paper", "yref": "paper", "font": {"size": 11}}
    across, down = orbit.axes
    lowest = next(panel for panel in shown if panel.is_left and panel.is_bottom)
    under = {"yref": f"{lowest.axes['yaxis']} domain", "yshift": -17, "yanchor": "top"}
    return [
        {**shared, "text": across, "x": 0.5, "y": 0} | under,
        {**shared, "text": down, "x": 0, "y": 0.5, "xshift": -44, "xanchor": "left"}
        | {"textangle": -90},
    ]
