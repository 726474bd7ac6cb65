"""Figures of the NERO page: numpy in, ``go.Figure`` out.

The page asks for them with empty curves (layout and styling only, about 2 kB) and the browser fills
in the arrays, which it has fetched as binary; scripts and reports pass the curves and get the same
figure filled. The browser finds the traces by ``meta``: ``{"role": ..., "model": ...}``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from components.theme import CURSOR, RING, model_colour

F32 = NDArray[np.float32]
DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")
STRONGEST_SHOWN = 8  # rows of bars where there are too many classes for a bar each
# Names of the models, for exported pictures and reports; on the page, the page's own key stands.
KEY: dict[str, Any] = {
    "showlegend": True,
    "legend": {
        "x": 0,
        "y": 1,
        "xanchor": "left",
        "yanchor": "top",
        "font": {"size": 9},
        "bgcolor": "rgba(0,0,0,0)",
        "itemwidth": 30,
    },
}
GL_FROM = 5_000  # points; below it SVG is sharper and needs none of the browser's few GL contexts


def _no_values() -> F32:
    return np.empty(0, dtype=np.float32)


@dataclass(frozen=True, slots=True)
class ModelCurve:
    """One model's values along the orbit, ``(e,)`` in [0, 1]; empty where the browser fills in.

    ``index`` is the model's place in the comparison: it gives colour and dash, so that a model
    looks the same in every plot of the page. ``low``/``high`` ``(e,)`` bound a selection's band.
    """

    key: str
    title: str
    index: int
    values: F32 = field(default_factory=_no_values)
    low: F32 = field(default_factory=_no_values)
    high: F32 = field(default_factory=_no_values)

    @property
    def colour(self) -> str:
        return model_colour(self.index)

    @property
    def dash(self) -> str:
        return DASHES[self.index % len(DASHES)]


def aggregate(
    angles_deg: F32, curves: Sequence[ModelCurve], *, view: str, with_control: bool = False
) -> go.Figure:
    """Polar plot of a metric averaged over a subset, one curve a model; a circle is invariance."""
    traces = []
    for curve in curves:
        traces.append(_curve(angles_deg, curve, role="curve"))
        traces.append(_curve(angles_deg, _without_values(curve), role="selection", width=1.75))
        if with_control:
            traces.append(_curve(angles_deg, _without_values(curve), role="control", width=1))
    return go.Figure([*traces, _cursor()], layout=_polar_layout(view))


def individual(
    angles_deg: F32, curves: Sequence[ModelCurve], *, view: str, with_control: bool = False
) -> go.Figure:
    """Polar plot of one item's confidence in its true class, with the cursor on the orbit."""
    traces = [_band(angles_deg, curve) for curve in curves]
    for curve in curves:
        traces.append(_curve(angles_deg, curve, role="curve"))
        if with_control:
            traces.append(_curve(angles_deg, _without_values(curve), role="control", width=1))
    rings = [_ring(curve) for curve in curves]
    return go.Figure([*traces, _cursor(), *rings], layout=_polar_layout(view))


def detail(classes: Sequence[str], curves: Sequence[ModelCurve], *, view: str) -> go.Figure:
    """Bars of the classes' probabilities at one element of the orbit, grouped by model.

    With no ``classes`` there are too many for a bar each: the browser fills in the strongest, in
    rows, so that their names can be read.
    """
    bars = [_bars(classes, curve) for curve in curves]
    values = {"range": [0, 1], "dtick": 0.25, "fixedrange": True, "tickformat": ".2f"}
    shared = {"uirevision": view, "barmode": "group", "bargroupgap": 0.05, **KEY}
    if not classes:
        rows = {"range": [STRONGEST_SHOWN - 0.5, -0.5], "fixedrange": True, "tickvals": []}
        margin = {"l": 148, "r": 12, "t": 4, "b": 22}
        return go.Figure(
            bars, layout={**shared, "bargap": 0.3, "margin": margin, "xaxis": values, "yaxis": rows}
        )
    names = {"type": "category", "fixedrange": True}
    margin = {"l": 34, "r": 8, "t": 8, "b": 22}
    return go.Figure(
        bars, layout={**shared, "bargap": 0.25, "margin": margin, "xaxis": names, "yaxis": values}
    )


def _bars(classes: Sequence[str], curve: ModelCurve) -> go.Bar:
    values = curve.values if len(curve.values) else None
    where: dict[str, object] = {"x": list(classes), "y": values}
    hover = "%{x}: %{y:.3f}<extra>%{fullData.name}</extra>"
    if not classes:
        where = {"x": values, "orientation": "h"}
        hover = "%{customdata}: %{x:.3f}<extra>%{fullData.name}</extra>"
    return go.Bar(
        **where,
        name=curve.title,
        marker={"color": curve.colour, "line": {"width": 0}},
        meta={"role": "bars", "model": curve.key},
        hovertemplate=hover,
    )


def projection(
    xy: F32, values: F32, *, item_ids: NDArray[np.int64] | None = None, view: str
) -> go.Figure:
    """Scatter of orbit vectors reduced to ``(n, 2)``, coloured by mean or variance ``(n,)``.

    The red ring (trace 1) marks the chosen item. Ids travel as integers in ``customdata``.
    """
    kind = go.Scattergl if len(xy) > GL_FROM else go.Scatter
    dots = kind(
        x=xy[:, 0],
        y=xy[:, 1],
        mode="markers",
        customdata=item_ids,
        meta={"role": "dots"},
        marker={
            "size": 7,
            "color": values,
            "colorscale": "Viridis",
            "showscale": True,
            "line": {"width": 0},
            "colorbar": {"thickness": 8, "len": 0.9, "outlinewidth": 0, "tickformat": ".2f"},
        },
        unselected={"marker": {"opacity": 0.18}},
        hovertemplate="item %{customdata}<br>%{marker.color:.3f}<extra></extra>",
    )
    axis = {"visible": False, "range": [-1.08, 1.08]}
    return go.Figure(
        [dots, _chosen()],
        layout={
            "uirevision": view,
            "dragmode": "lasso",
            "hovermode": "closest",
            "showlegend": False,
            "margin": {"l": 4, "r": 4, "t": 4, "b": 4},
            "xaxis": axis,
            "yaxis": {**axis, "scaleanchor": "x"},
        },
    )


def _translucent(colour: str, opacity: float) -> str:
    """``#rrggbb`` with an opacity in [0, 1], as CSS ``rgba(...)``."""
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},{opacity:g})"


def _without_values(curve: ModelCurve) -> ModelCurve:
    return ModelCurve(curve.key, curve.title, curve.index)


def _closed(values: F32) -> F32:
    """The first value once more at the end, so that a polar line closes its circle."""
    return np.concatenate([values, values[:1]])


def _curve(
    angles_deg: F32, curve: ModelCurve, *, role: str, width: float = 2.25
) -> go.Scatterpolar:
    drawn = len(curve.values) > 0
    suffix = {"curve": "", "selection": " · selection", "control": " · resampled only"}[role]
    return go.Scatterpolar(
        theta=_closed(angles_deg) if drawn else None,
        r=_closed(curve.values) if drawn else None,
        name=curve.title + suffix,
        mode="lines",
        opacity=0.6 if role == "control" else 1,
        line={
            "color": curve.colour,
            "width": width,
            "dash": {"curve": curve.dash, "selection": "dot", "control": "solid"}[role],
        },
        showlegend=role == "curve",
        meta={"role": role, "model": curve.key},
        hovertemplate="%{theta:.0f}°: %{r:.3f}<extra>%{fullData.name}</extra>",
    )


def _band(angles_deg: F32, curve: ModelCurve) -> go.Scatterpolar:
    """Mean ± one standard deviation over the selection, as a closed ribbon."""
    drawn = len(curve.low) > 0
    theta = np.concatenate([_closed(angles_deg), _closed(angles_deg)[::-1]]) if drawn else None
    radius = np.concatenate([_closed(curve.high), _closed(curve.low)[::-1]]) if drawn else None
    return go.Scatterpolar(
        theta=theta,
        r=radius,
        mode="lines",
        fill="toself",
        fillcolor=_translucent(curve.colour, 0.16),
        line={"width": 0},
        showlegend=False,
        hoverinfo="skip",
        meta={"role": "band", "model": curve.key},
    )


def _chosen() -> go.Scatter:
    """The red ring around the chosen item."""
    return go.Scatter(
        x=[None],
        y=[None],
        mode="markers",
        meta={"role": "ring"},
        hoverinfo="skip",
        marker={"size": 15, "symbol": "circle-open", "color": RING, "line": {"width": 2.5}},
    )


def _cursor() -> go.Scatterpolar:
    """The green radial line at the chosen angle."""
    return go.Scatterpolar(
        theta=[0, 0],
        r=[0, 1],
        mode="lines",
        line={"color": CURSOR, "width": 2.5},
        showlegend=False,
        hoverinfo="skip",
        meta={"role": "cursor"},
    )


def _ring(curve: ModelCurve) -> go.Scatterpolar:
    return go.Scatterpolar(
        theta=[0],
        r=[None],
        mode="markers",
        marker={
            "size": 9,
            "symbol": "circle-open",
            "color": curve.colour,
            "line": {"width": 2.5},
        },
        showlegend=False,
        hoverinfo="skip",
        meta={"role": "value", "model": curve.key},
    )


def _polar_layout(view: str) -> dict[str, object]:
    return {
        "uirevision": view,
        "margin": {"l": 30, "r": 30, "t": 22, "b": 22, "autoexpand": False},
        "showlegend": True,
        "legend": {**KEY["legend"], "xref": "container", "yref": "container"},  # the free corner
        "dragmode": False,
        "polar": {
            "radialaxis": {
                "range": [0, 1],
                "tickvals": [0.25, 0.5, 0.75, 1],
                "angle": 90,
                "tickangle": 90,
                "tickfont": {"size": 10},
            },
            "angularaxis": {
                "rotation": 0,
                "direction": "counterclockwise",
                "dtick": 45,
                "ticksuffix": "°",
            },
        },
    }
