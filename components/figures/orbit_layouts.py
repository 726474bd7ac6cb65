"""Orbit plots of any layout through one entry: an orbit, a metric and arrays in, a figure out.

Like :mod:`components.figures.orbit`: with empty values the page gets layout and styling only and
the browser fills in; scripts pass the values and get the same figure filled. Traces are found by
``meta`` (``{"role": ..., "model": ...}``, ``plane`` for discs). A line overlays the models; maps,
squares and discs show them side by side on one colour scale, where bright is always good.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any, Final, Literal

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from backend.nero.orbits import Orbit
from backend.nero.tasks.base import Metric
from components.figures import orbit as circle
from components.figures import orbit_cells as cells
from components.figures.orbit import KEY, ModelCurve
from components.figures.orbit_discs import discs
from components.figures.orbit_shared import (
    NEUTRAL,
    ModelMaps,
    Range,
    all_values,
    hover,
    named,
    shared_range,
    short,
)
from components.theme import CURSOR, translucent

Kind = Literal["aggregate", "individual"]

TICKS: Final = 7  # labels along a line of values
NAMES: Final = 28  # labels along a line of categories; beyond it every second one, and so on
ABOVE: Final = {"orientation": "h", "yanchor": "bottom", "itemwidth": 30}
FEW: Final = 24  # elements; up to so many, each has a marker of its own
SYMBOLS: Final = ("circle", "diamond", "square", "triangle-up", "cross", "x")


def aggregate(
    orbit: Orbit, curves: Sequence[ModelCurve], metric: Metric, *, view: str, **options: Any
) -> go.Figure:
    """Orbit plot of a metric averaged over a subset; options as in :func:`orbit_figure`."""
    return orbit_figure(orbit, curves, metric, kind="aggregate", view=view, **options)


def individual(
    orbit: Orbit, curves: Sequence[ModelCurve], metric: Metric, *, view: str, **options: Any
) -> go.Figure:
    """Orbit plot of one item's metric; options as in :func:`orbit_figure`."""
    return orbit_figure(orbit, curves, metric, kind="individual", view=view, **options)


def orbit_figure(
    orbit: Orbit,
    curves: Sequence[ModelCurve],
    metric: Metric,
    *,
    kind: Kind,
    view: str,
    value_range: Range | None = None,
    with_control: bool = False,
    planes: Sequence[int] = (0, 1, 2),
) -> go.Figure:
    """The orbit plot of up to six models on the layout of their orbit.

    Args:
        curves: one a model, values ``(e,)``, NaN where nothing is defined; empty values are left
            to the browser.
        kind: an individual line or circle has a band and rings, an aggregate one a selection.
        value_range: of a data-driven metric; otherwise :func:`shared_range` of the curves.
        with_control: also the there-and-back orbit (line, circle).
        planes: which discs are drawn.
    """
    if value_range is None:
        value_range = shared_range(metric, [all_values(curve) for curve in curves])
    if orbit.layout == "circle":
        angles = orbit.positions[:, 0].astype(np.float32)
        draw = circle.aggregate if kind == "aggregate" else circle.individual
        return draw(angles, curves, view=view, with_control=with_control)
    if orbit.layout == "line":
        return line(orbit, curves, metric, kind, view, value_range, with_control)
    if orbit.layout == "heatmap":
        return cells.heatmap(orbit, curves, metric, view, value_range)
    if orbit.layout == "squares":
        return cells.squares(orbit, curves, metric, view, value_range)
    return discs(orbit, curves, metric, view, value_range, planes)


# --- line ---------------------------------------------------------------------------------------


def is_geometric(values: NDArray[np.float64]) -> bool:
    """Whether neighbours have one ratio rather than one difference: such values take a log axis."""
    if len(values) < 3 or values.min() <= 0:
        return False
    ratios, steps = values[1:] / values[:-1], np.diff(values)
    even = np.allclose(steps, steps[0], rtol=0.02)
    return bool(np.allclose(ratios, ratios[0], rtol=0.02) and not even)


def line(
    orbit: Orbit,
    curves: Sequence[ModelCurve],
    metric: Metric,
    kind: Kind,
    view: str,
    value_range: Range | None,
    with_control: bool,
) -> go.Figure:
    """Curves of all models over the parameter, or over named variants of a text."""
    traces = [_band(orbit, curve) for curve in curves] if kind == "individual" else []
    for curve in curves:
        bare = unfilled(curve)
        traces.append(_curve(orbit, curve, metric, "curve"))
        if kind == "aggregate":
            traces.append(_curve(orbit, bare, metric, "selection"))
        if with_control:
            traces.append(_curve(orbit, bare, metric, "control"))
    traces.append(_cursor(orbit, value_range))
    if kind == "individual":
        traces += [_ring(curve) for curve in curves]
    return go.Figure(traces, layout=_line_layout(orbit, metric, view, value_range))


def unfilled(curve: ModelCurve) -> ModelCurve:
    """The same model without values."""
    return ModelCurve(curve.key, curve.title, curve.index)


def _curve(orbit: Orbit, curve: ModelCurve, metric: Metric, role: str) -> go.Scatter:
    drawn = len(curve.values) > 0
    suffix = {"curve": "", "selection": " · selection", "control": " · resampled only"}[role]
    thin = orbit.domain == "text"  # what lies between two wordings is nothing
    width = {"curve": 1.25 if thin else 2.25, "selection": 1.75, "control": 1.0}[role]
    has_markers = role == "curve" and orbit.size <= FEW
    return go.Scatter(
        x=orbit.positions[:, 0] if drawn else None,
        y=curve.values if drawn else None,
        text=orbit.labels if drawn else None,
        name=curve.title + suffix,
        mode="lines+markers" if has_markers else "lines",
        opacity=0.6 if role == "control" else 1,
        line={
            "color": curve.colour,
            "width": width,
            "dash": {"curve": curve.dash, "selection": "dot", "control": "solid"}[role],
        },
        marker={"size": 8 if thin else 6, "symbol": SYMBOLS[curve.index % len(SYMBOLS)]},
        showlegend=role == "curve",
        meta={"role": role, "model": curve.key},
        hovertemplate=hover(metric, "y"),
    )


def _band(orbit: Orbit, curve: ModelCurve) -> go.Scatter:
    """Mean ± one standard deviation over the selection, as a closed ribbon."""
    drawn = len(curve.low) > 0
    x = orbit.positions[:, 0]
    return go.Scatter(
        x=np.concatenate([x, x[::-1]]) if drawn else None,
        y=np.concatenate([curve.high, curve.low[::-1]]) if drawn else None,
        mode="lines",
        fill="toself",
        fillcolor=translucent(curve.colour, 0.16),
        line={"width": 0},
        showlegend=False,
        hoverinfo="skip",
        meta={"role": "band", "model": curve.key},
    )


def _cursor(orbit: Orbit, value_range: Range | None) -> go.Scatter:
    """The green line at the chosen element; it starts on the one that changes nothing."""
    x = orbit.positions[orbit.identity_index, 0]
    return go.Scatter(
        x=[x, x],
        y=list(value_range or (0, 1)),
        mode="lines",
        line={"color": CURSOR, "width": 2.5},
        showlegend=False,
        hoverinfo="skip",
        meta={"role": "cursor"},
    )


def _ring(curve: ModelCurve) -> go.Scatter:
    marker = {"size": 9, "symbol": "circle-open", "color": curve.colour, "line": {"width": 2.5}}
    return go.Scatter(
        x=[None],
        y=[None],
        mode="markers",
        marker=marker,
        showlegend=False,
        hoverinfo="skip",
        meta={"role": "value", "model": curve.key},
    )


def _line_layout(
    orbit: Orbit, metric: Metric, view: str, value_range: Range | None
) -> dict[str, Any]:
    values: dict[str, Any] = {
        "fixedrange": True,
        "automargin": False,
        "title": {"text": named(metric), "standoff": 6},
        "tickfont": {"size": 10},
        "nticks": 6,
        "zeroline": False,
    }
    if value_range is not None:
        low, high = value_range
        pad = 0.03 * (high - low)  # lines at the very top or bottom stay whole
        values["range"] = [low - pad, high + pad]
    is_text = orbit.domain == "text"
    return {
        "uirevision": view,
        "dragmode": False,
        "hovermode": "closest",
        "margin": {"l": 46, "r": 14, "t": 24, "b": 84 if is_text else 40},
        **{**KEY, "legend": {**KEY["legend"], **ABOVE}},
        "xaxis": _parameter_axis(orbit),
        "yaxis": values,
        "shapes": [_identity_line(orbit)],
        "annotations": [_identity_name(orbit)],
    }


def _at(orbit: Orbit, element: int) -> float:
    """An element's place as shapes and annotations count: the exponent on a log axis."""
    x = float(orbit.positions[element, 0])
    return float(np.log10(x)) if is_geometric(orbit.positions[:, 0]) else x


def _identity_line(orbit: Orbit) -> dict[str, Any]:
    x = float(orbit.positions[orbit.identity_index, 0])  # a shape takes values, not exponents
    stroke = {"color": NEUTRAL, "width": 1.25, "dash": "dot"}
    return {
        **{"type": "line", "xref": "x", "yref": "paper", "layer": "below"},
        **{"x0": x, "x1": x, "y0": 0, "y1": 1, "line": stroke},
    }


def _identity_name(orbit: Orbit) -> dict[str, Any]:
    return {
        **{"text": "unchanged", "showarrow": False, "font": {"size": 9, "color": NEUTRAL}},
        **{"xref": "x", "yref": "paper", "x": _at(orbit, orbit.identity_index), "y": 0},
        **{"yanchor": "bottom", "xanchor": "left", "xshift": 1},
    }


def _parameter_axis(orbit: Orbit) -> dict[str, Any]:
    x = orbit.positions[:, 0]
    shown = _shown(orbit)
    is_text = orbit.domain == "text"
    labels = [short(orbit.labels[k], 20) if is_text else orbit.labels[k] for k in shown]
    axis: dict[str, Any] = {
        "fixedrange": True,
        "automargin": False,
        "tickvals": [float(x[k]) for k in shown],
        "ticktext": [escape(label, quote=False) for label in labels],
        "tickangle": -38 if is_text else 0,
        "tickfont": {"size": 10},
        "zeroline": False,
    }
    low, high = float(x.min()), float(x.max())
    if is_geometric(x):
        ends = np.log10([low, high])
        pad = 0.03 * (ends[1] - ends[0])
        axis |= {"type": "log", "range": [float(ends[0] - pad), float(ends[1] + pad)]}
    else:
        pad = (0.5 if is_text else 0.03 * (high - low)) or 0.5
        axis["range"] = [low - pad, high + pad]
    return axis if is_text else axis | {"title": {"text": orbit.axes[0], "standoff": 6}}


def _shown(orbit: Orbit) -> list[int]:
    """The elements that are named on the axis: evenly spread, the unchanged one among them."""
    most = NAMES if orbit.domain == "text" else TICKS
    stride = max(1, -(-orbit.size // most))
    return list(range(orbit.identity_index % stride, orbit.size, stride))


__all__ = [
    "Kind",
    "ModelCurve",
    "ModelMaps",
    "Range",
    "aggregate",
    "individual",
    "is_geometric",
    "orbit_figure",
    "shared_range",
]
