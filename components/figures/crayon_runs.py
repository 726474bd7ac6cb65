"""Runs against each other: energy and accuracy, weights, and accuracy against answers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import plotly.graph_objects as go

from backend.crayon import methods
from components.theme import MODEL_COLOURS, RING, translucent

Point = Mapping[str, Any]
COLOURS: Final = {
    "attention": MODEL_COLOURS[0],
    "pruning": MODEL_COLOURS[3],
    "pruning+attention": MODEL_COLOURS[1],
    **{name: MODEL_COLOURS[7] for name in methods.CONTROLS},
    **{name: MODEL_COLOURS[5] for name in methods.BASELINES},
}
SYMBOLS: Final = {
    "erm": "circle",
    "shuffled": "square",
    "last-layer": "diamond",
    "random-mask": "triangle-up",
    "jtt": "circle",
    "masktune": "square",
    "rrr": "diamond",
    "gradmask": "triangle-up",
    "box": "star",
}
PAD: Final = 0.45  # decades around the outermost weights, for marks and their texts
LEGEND: Final = {
    "orientation": "h",
    "x": 0,
    "y": 1.02,
    "yanchor": "bottom",
    "font": {"size": 11},
    "itemwidth": 30,
}


def energy(points: Sequence[Point], *, view: str) -> go.Figure:
    """Energy on the object against worst group accuracy, a mark a run, the original as a star.

    Args:
        points: runs as JSON; those without energy are left out. Simulated answers are open marks,
            collapsed models crosses.
    """
    known = [p for p in points if p["energy_after"] is not None and p["wga_after"] is not None]
    traces = [
        _scatter(name, [p for p in known if p["method"] == name], "energy_after", "wga_after")
        for name in dict.fromkeys(p["method"] for p in known)
    ]
    before = {(p["energy_before"], p["wga_before"]) for p in known if not p["parent"]}
    if before:
        x, y = zip(*sorted(before), strict=True)
        traces.append(
            go.Scatter(
                x=x,
                y=y,
                mode="markers",
                name="original",
                marker={"symbol": "star", "size": 14, "color": RING},
                hovertemplate="original: energy %{x:.1%}, WGA %{y:.1%}<extra></extra>",
            )
        )
    axes = {
        "xaxis": _share("mean energy on the object", whole=False),
        "yaxis": _share("worst group accuracy", whole=False),
    }
    return go.Figure(traces, layout=_layout(view, axes))


def _scatter(name: str, mine: Sequence[Point], x: str, y: str) -> go.Scatter:
    colour, symbol = COLOURS[name], SYMBOLS.get(name, "circle")
    marks = [
        "x" if p["collapsed"] else f"{symbol}-open" if p["source"] == "simulated" else symbol
        for p in mine
    ]
    return go.Scatter(
        x=[p[x] for p in mine],
        y=[p[y] for p in mine],
        mode="markers",
        name=mine[0]["short"] if mine else name,
        marker={"symbol": marks, "size": 10, "color": colour, "line": {"width": 2}},
        text=[p["title"] + (", collapsed" if p["collapsed"] else "") for p in mine],
        hovertemplate="%{text}<br>energy %{x:.1%}, WGA %{y:.1%}<extra></extra>",
    )


def sweep(points: Sequence[Point], *, view: str) -> go.Figure:
    """Worst group accuracy by the two weights of one sample, on logarithmic axes.

    A weight of 0, which has no logarithm, stands a decade below the smallest other one. Collapsed
    runs are crosses: they are drawn, never dropped.

    Args:
        points: rows with per_relevant, per_irrelevant, wga_after and collapsed.
    """
    weights = [p[k] for p in points for k in ("per_relevant", "per_irrelevant") if p[k] > 0]
    least = min(weights, default=1.0) / 10
    at = [[max(p[k], least) for p in points] for k in ("per_relevant", "per_irrelevant")]
    marks = go.Scatter(
        x=at[0],
        y=at[1],
        mode="markers+text",
        text=["" if p["wga_after"] is None else f"{p['wga_after']:.0%}" for p in points],
        textposition="top center",
        marker={
            "symbol": ["x" if p["collapsed"] else "circle" for p in points],
            "size": 18,
            "color": [p["wga_after"] for p in points],
            "cmin": 0,
            "cmax": 1,
            "colorscale": "Viridis",
            "colorbar": {"title": {"text": "WGA"}, "tickformat": ".0%", "thickness": 10},
        },
        customdata=[[p["per_relevant"], p["per_irrelevant"], p["title"]] for p in points],
        hovertemplate="%{customdata[2]}<br>%{customdata[0]} a relevant, %{customdata[1]} an "
        "irrelevant map: WGA %{text}<extra></extra>",
        showlegend=False,
    )
    has_none = len(weights) < 2 * len(points)
    ticks = sorted({*([least] if has_none or not weights else []), *weights})
    names = ["0" if tick == least and has_none else f"{tick:g}" for tick in ticks]
    ends = [math.log10(ticks[0]) - PAD, math.log10(ticks[-1]) + PAD]
    log = {"type": "log", "tickvals": ticks, "ticktext": names, "range": ends}
    axes = {
        "xaxis": {**log, "title": {"text": "weight of one relevant map", "standoff": 6}},
        "yaxis": {**log, "title": {"text": "weight of one irrelevant map", "standoff": 6}},
    }
    return go.Figure(marks, layout=_layout(view, axes))


def learning(test: Mapping[str, Any], validation: Mapping[str, Any], *, view: str) -> go.Figure:
    """Worst group accuracy against the number of answered maps: mean and, as a band, one standard
    deviation over seeds on the test split; the mean on validation as a dotted line.

    Args:
        test, validation: of ``backend.crayon.curve.bands``.
    """
    x, mean, std = (np.asarray(test[name], np.float64) for name in ("budgets", "mean", "std"))
    spread = np.nan_to_num(std)
    band = go.Scatter(
        x=np.concatenate([x, x[::-1]]),
        y=np.concatenate([mean + spread, (mean - spread)[::-1]]),
        fill="toself",
        fillcolor=translucent(MODEL_COLOURS[0], 0.18),
        line={"width": 0},
        name="± one standard deviation",
        hoverinfo="skip",
    )
    lines = [
        go.Scatter(
            x=x,
            y=values,
            mode="lines+markers",
            name=name,
            line={"color": colour, "width": 2, "dash": dash},
            hovertemplate=f"%{{x}} maps: %{{y:.1%}}<extra>{name}</extra>",
        )
        for values, name, colour, dash in (
            (mean, "test", MODEL_COLOURS[0], "solid"),
            (np.asarray(validation["mean"], np.float64), "validation", MODEL_COLOURS[2], "dot"),
        )
    ]
    title = {"title": {"text": "answered maps that were used", "standoff": 6}}
    axes = {
        "xaxis": {**title, "rangemode": "tozero"},
        "yaxis": _share("worst group accuracy"),
    }
    return go.Figure([band, *lines], layout=_layout(view, axes))


def _share(text: str, *, whole: bool = True) -> dict[str, Any]:
    axis = {"title": {"text": text, "standoff": 6}, "tickformat": ".0%"}
    return {**axis, "range": [-0.02, 1.02]} if whole else axis


def _layout(view: str, axes: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "uirevision": view,
        "margin": {"l": 56, "r": 12, "t": 44, "b": 44},
        "legend": LEGEND,
        **axes,
    }
