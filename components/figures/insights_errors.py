"""Errors of the success model beside simpler ones, in domains it knows and in others."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

import plotly.graph_objects as go

from components.theme import MODEL_COLOURS

PLACES: Final = {"in": "in domain", "out": "out of domain"}
METRICS: Final = {"rmse": "RMSE", "mae": "MAE"}


def errors(
    rows: Sequence[Mapping[str, Any]], *, metric: str, reference: str, view: str
) -> go.Figure:
    """Change of an error against a reference model, a row a model; left is better.

    Args:
        rows: ``{"model", "title", "in_rmse", "out_rmse", "in_mae", "out_mae"}``, errors as shares
            of success; None or not finite where not measured.
        metric: a key of ``METRICS``.
        reference: ``model`` of the row that the others are compared with.
    """
    base = next((row for row in rows if row["model"] == reference), None)
    titles = [str(row["title"]) for row in rows]
    traces = [_dots(rows, base, f"{place}_{metric}", place) for place in PLACES]
    layout = {
        "uirevision": view,
        "margin": {"l": 8, "r": 12, "t": 8, "b": 62},
        "xaxis": {
            "title": {"text": f"{METRICS[metric]} against the GLM", "standoff": 6},
            "tickformat": "+.0%",
            "fixedrange": True,
            "zeroline": True,
        },
        "yaxis": {
            "automargin": True,
            "fixedrange": True,
            "showgrid": False,
            "tickvals": list(range(len(titles))),
            "ticktext": titles,
            "range": [len(titles) - 0.5, -0.5],
        },
        "legend": {"orientation": "h", "x": 0, "y": -0.2, "yanchor": "top"},
        "dragmode": False,
    }
    return go.Figure(traces, layout=layout)


def change(value: float | None, base: float | None) -> float | None:
    """``value / base - 1``; None where it is not defined."""
    if value is None or base is None or not math.isfinite(value + base) or base <= 0:
        return None
    return value / base - 1


def _dots(
    rows: Sequence[Mapping[str, Any]], base: Mapping[str, Any] | None, key: str, place: str
) -> go.Scatter:
    is_out = place == "out"
    lift = 0.14 if is_out else -0.14
    return go.Scatter(
        x=[change(row.get(key), base.get(key) if base else None) for row in rows],
        y=[i + lift for i in range(len(rows))],
        mode="markers",
        name=PLACES[place],
        marker={
            "size": 10,
            "color": MODEL_COLOURS[1 if is_out else 0],
            "symbol": "diamond" if is_out else "circle",
        },
        customdata=[[str(row["title"]), row.get(key)] for row in rows],
        hovertemplate="%{customdata[0]}, "
        + PLACES[place]
        + ": %{customdata[1]:.4f}, %{x:+.0%}<extra></extra>",
    )
