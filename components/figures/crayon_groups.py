"""Accuracy by group, with the share of each map that lies on the object beside it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

import plotly.graph_objects as go

from components.theme import MODEL_COLOURS, RING, translucent

CHANCE: Final = 0.5
FULL: Final = 1.04  # the axis ends a little after 100 %, so that whiskers are seen whole


def accuracy(
    groups: Sequence[Mapping[str, Any]], *, view: str, mean: float = math.nan
) -> go.Figure:
    """A bar a group, worst first from the top: accuracy 0 to 1 with its 95 % interval, and the mean
    energy on the object as a second mark.

    Args:
        groups: rows of ``backend.crayon.diagnosis.by_group``; those without items are left out.
        mean: mean group accuracy, drawn as a line where it is a number.
    """
    shown = sorted((row for row in groups if row["n"]), key=lambda row: -float(row["accuracy"]))
    names = [_name(row) for row in shown]
    worst = shown[-1]["accuracy"] if shown else math.nan
    colours = [
        RING if row["accuracy"] == worst and len(shown) > 1 else MODEL_COLOURS[0] for row in shown
    ]
    bars = go.Bar(
        x=[row["accuracy"] for row in shown],
        y=names,
        orientation="h",
        width=0.56,
        name="accuracy",
        marker={"color": colours},
        error_x={
            "type": "data",
            "symmetric": False,
            "array": [row["high"] - row["accuracy"] for row in shown],
            "arrayminus": [row["accuracy"] - row["low"] for row in shown],
            "color": MODEL_COLOURS[7],
            "thickness": 1.5,
            "width": 4,
        },
        text=[f"{row['accuracy']:.1%}" for row in shown],
        textposition="auto",
        textangle=0,
        insidetextanchor="start",
        insidetextfont={"color": "#ffffff"},
        customdata=[[row["correct"], row["n"], row["low"], row["high"]] for row in shown],
        hovertemplate="%{y}<br>%{customdata[0]} of %{customdata[1]} right, "
        "95 %% interval %{customdata[2]:.1%} to %{customdata[3]:.1%}<extra></extra>".replace(
            "%%", "%"
        ),
    )
    return go.Figure([bars, _energy(shown, names)], layout=_layout(view, mean))


def _name(row: Mapping[str, Any]) -> str:
    return f"{row['name']}{' (rare)' if row['rare'] else ''}"


def _energy(shown: Sequence[Mapping[str, Any]], names: Sequence[str]) -> go.Scatter:
    return go.Scatter(
        x=[None if math.isnan(row["energy"]) else row["energy"] for row in shown],
        y=list(names),
        mode="markers",
        name="energy on the object",
        marker={
            "symbol": "diamond",
            "size": 10,
            "color": MODEL_COLOURS[2],
            "line": {"color": "#ffffff", "width": 1},
        },
        hovertemplate="%{y}<br>%{x:.1%} of the map on the object<extra></extra>",
    )


def _layout(view: str, mean: float) -> dict[str, Any]:
    lines = []
    if not math.isnan(mean):
        lines.append(
            {
                "type": "line",
                "yref": "paper",
                "x0": mean,
                "x1": mean,
                "y0": 0,
                "y1": 1,
                "line": {"color": translucent(MODEL_COLOURS[7], 0.9), "width": 1.5, "dash": "dash"},
            }
        )
    return {
        "uirevision": view,
        "margin": {"l": 8, "r": 12, "t": 8, "b": 56},
        "bargap": 0.3,
        "xaxis": {"range": [0, FULL], "tickformat": ".0%", "fixedrange": True},
        "yaxis": {"automargin": True, "fixedrange": True, "showgrid": False},
        "legend": {"orientation": "h", "x": 0, "y": -0.16, "yanchor": "top"},
        "shapes": lines,
        "dragmode": False,
    }
