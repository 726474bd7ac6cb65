"""How far insights can be trusted: pairs of experiment arms, chance, and the methods compared."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from components.theme import MODEL_COLOURS, RING, translucent

F64 = NDArray[np.float64]
BINS: Final = 40
SIGNS: Final = ("right direction", "wrong direction")


def pairs(d_c: F64, d_y: F64, *, view: str) -> go.Figure:
    """Surrogates of Algorithms 2 and 3, a point a pair of control and best treatment.

    Args:
        d_c: ``(n,)`` attribution gained by what differs, times the sign of the measured change.
        d_y: ``(n,)`` measured change of the success rate, >= 0.
    """
    traces = [
        go.Scatter(
            x=d_c[shown],
            y=d_y[shown],
            customdata=np.flatnonzero(shown),
            mode="markers",
            name=name,
            marker={
                "size": 6,
                "symbol": symbol,
                "color": translucent(colour, 0.65),
                "line": {"width": 0},
            },
            hovertemplate="attribution %{x:.3f}<br>success %{y:.2%}<extra></extra>",
        )
        for shown, name, colour, symbol in (
            (d_c > 0, SIGNS[0], MODEL_COLOURS[0], "circle"),
            (d_c <= 0, SIGNS[1], MODEL_COLOURS[2], "diamond"),
        )
    ]
    layout = {
        "uirevision": view,
        "margin": {"l": 52, "r": 8, "t": 8, "b": 62},
        "xaxis": {"title": {"text": "attribution gained, signed (d_C)", "standoff": 6}},
        "yaxis": {
            "title": {"text": "success gained (|ΔY|)", "standoff": 6},
            "tickformat": ".1%",
            "rangemode": "tozero",
        },
        "legend": {"orientation": "h", "x": 0, "y": -0.24, "yanchor": "top"},
        "shapes": [_upright(0.0, MODEL_COLOURS[7], "dot")],
        "hovermode": "closest",
    }
    return go.Figure(traces, layout=layout)


def null(values: F64, rho: float, interval: tuple[float, float], *, view: str) -> go.Figure:
    """Correlations after shuffling which success belongs to which pair, and the one found.

    Args:
        values: ``(m,)`` correlations of the permutations.
        rho: the measured correlation; not finite where it is undefined.
        interval: its bootstrap interval.
    """
    found = values[np.isfinite(values)]
    bars = go.Histogram(
        x=found,
        nbinsx=BINS,
        marker={"color": translucent(MODEL_COLOURS[7], 0.55)},
        name="pairs shuffled",
        hovertemplate="ρ %{x}: %{y}<extra></extra>",
    )
    shapes: list[dict[str, Any]] = []
    if math.isfinite(rho):
        shapes.append(_upright(rho, RING, "solid"))
        if all(map(math.isfinite, interval)):
            shapes.append(_band(*interval))
    reach = max([0.1, *(abs(v) for v in (rho, *interval) if math.isfinite(v))])
    if len(found):
        reach = max(reach, float(np.abs(found).max()))
    layout = {
        "uirevision": view,
        "margin": {"l": 8, "r": 8, "t": 6, "b": 36},
        "xaxis": {
            "title": {"text": "correlation ρ", "standoff": 4},
            "range": [-1.08 * reach, 1.08 * reach],
            "fixedrange": True,
        },
        "yaxis": {"visible": False, "fixedrange": True},
        "showlegend": False,
        "bargap": 0.06,
        "shapes": shapes,
        "dragmode": False,
    }
    return go.Figure([bars], layout=layout)


def methods(rows: Sequence[Mapping[str, Any]], *, view: str, chosen: str = "") -> go.Figure:
    """ρ of each attribution method with its interval; texts and images are two traces.

    Args:
        rows: ``{"method", "title", "modality", "rho", "low", "high", "n"}``; undefined ones are
            left out.
        chosen: key of the method in use; its name is set in bold.
    """
    known = [row for row in rows if row["rho"] is not None and math.isfinite(row["rho"])]
    names = list(dict.fromkeys(str(row["method"]) for row in rows))
    titles = {str(row["method"]): str(row["title"]) for row in rows}
    shown = [f"<b>{titles[key]}</b>" if key == chosen else titles[key] for key in names]
    traces = [
        _whiskers([row for row in known if row["modality"] == kind], names, shown, kind, i)
        for i, kind in enumerate(("text", "image"))
        if any(row["modality"] == kind for row in known)
    ]
    layout = {
        "uirevision": view,
        "margin": {"l": 8, "r": 12, "t": 8, "b": 62},
        "xaxis": {"title": {"text": "correlation ρ", "standoff": 6}, "fixedrange": True},
        "yaxis": {
            "automargin": True,
            "fixedrange": True,
            "showgrid": False,
            "tickvals": list(range(len(names))),
            "ticktext": shown,
            "range": [len(names) - 0.5, -0.5],
        },
        "legend": {"orientation": "h", "x": 0, "y": -0.24, "yanchor": "top"},
        "shapes": [_upright(0.0, MODEL_COLOURS[7], "dot")],
        "dragmode": False,
    }
    return go.Figure(traces, layout=layout)


def _whiskers(
    rows: Sequence[Mapping[str, Any]],
    names: Sequence[str],
    shown: Sequence[str],
    kind: str,
    place: int,
) -> go.Scatter:
    """One modality, a little above or below the line of its method."""
    lift = 0.14 if place else -0.14
    return go.Scatter(
        x=[row["rho"] for row in rows],
        y=[names.index(str(row["method"])) + lift for row in rows],
        mode="markers",
        name=kind,
        marker={
            "size": 9,
            "color": MODEL_COLOURS[place],
            "symbol": "diamond" if place else "circle",
        },
        error_x={
            "type": "data",
            "symmetric": False,
            "array": [_beyond(row["high"], row["rho"]) for row in rows],
            "arrayminus": [_beyond(row["rho"], row["low"]) for row in rows],
            "thickness": 1.5,
            "width": 4,
        },
        customdata=[[row["n"], shown[names.index(str(row["method"]))]] for row in rows],
        hovertemplate="%{customdata[1]}: ρ %{x:.3f}, %{customdata[0]} pairs<extra></extra>",
    )


def _beyond(far: float | None, near: float | None) -> float:
    """Length of a whisker; none where an end is not known."""
    if far is None or near is None or not math.isfinite(far - near):
        return 0.0
    return max(0.0, far - near)


def _upright(x: float, colour: str, dash: str) -> dict[str, Any]:
    line = {"color": colour, "width": 2 if dash == "solid" else 1, "dash": dash}
    return {"type": "line", "yref": "paper", "x0": x, "x1": x, "y0": 0, "y1": 1, "line": line}


def _band(low: float, high: float) -> dict[str, Any]:
    return {
        "type": "rect",
        "yref": "paper",
        "x0": low,
        "x1": high,
        "y0": 0,
        "y1": 1,
        "line": {"width": 0},
        "fillcolor": translucent(RING, 0.16),
        "layer": "below",
    }
