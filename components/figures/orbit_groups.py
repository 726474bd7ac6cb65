"""Figures of what groups of items do along the orbit: what they turn into, and which are hard."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from components.figures.orbit import F32, KEY, ModelCurve
from components.theme import CURSOR


def confusion(
    columns: F32 | Sequence[float],
    classes: Sequence[str],
    shares: F32,
    *,
    view: str,
    title: str = "angle (°)",
) -> go.Figure:
    """Heat map ``(k, c)``: which wrong class the subset's items turn into along the orbit.

    Args:
        columns: ``(c,)`` elements of a circle or line, or how far elements are from the identity.
        title: the name of the columns with their unit.
    """
    heat = go.Heatmap(
        x=columns,
        y=list(classes),
        z=shares if shares.size else None,
        zmin=0,
        colorscale="Viridis",
        meta={"role": "heat"},
        colorbar={"thickness": 8, "outlinewidth": 0, "tickformat": ".2~p"},
        hovertemplate="at %{x}: %{z:.1%} called %{y}<extra></extra>",
    )
    cursor = {
        "type": "line",
        "xref": "x",
        "yref": "paper",
        "x0": 0,
        "x1": 0,
        "y0": 0,
        "y1": 1,
        "line": {"color": CURSOR, "width": 2},
    }
    return go.Figure(
        heat,
        layout={
            "uirevision": view,
            "margin": {"l": 64, "r": 4, "t": 6, "b": 36},
            "xaxis": {"tickangle": 0, "title": {"text": title, "standoff": 6}},
            "yaxis": {"type": "category", "automargin": True, "autorange": "reversed"},
            "shapes": [cursor],
        },
    )


def by_class(
    curves: Sequence[ModelCurve],
    names: Sequence[str] = (),
    values: Sequence[NDArray[np.float32]] = (),
    *,
    view: str,
) -> go.Figure:
    """Boxes of the items' means over the orbit, a row for each class, a box for each model.

    Args:
        names: ``(n,)`` class of each item; empty where the browser fills in.
        values: for each curve ``(n,)`` its items' means.
    """
    traces = [
        _boxes(curve, names, values[i] if len(values) else None) for i, curve in enumerate(curves)
    ]
    return go.Figure(
        traces,
        layout={
            "uirevision": view,
            "boxmode": "group",
            "boxgap": 0.3,
            "boxgroupgap": 0.15,
            **KEY,
            "margin": {"l": 72, "r": 10, "t": 6, "b": 36},
            "xaxis": {"title": {"text": "", "standoff": 6}, "fixedrange": True},
            "yaxis": {
                "type": "category",
                "automargin": True,
                "autorange": "reversed",
                "fixedrange": True,
            },
        },
    )


def _boxes(curve: ModelCurve, names: Sequence[str], values: Any) -> go.Box:
    return go.Box(
        x=values,
        y=list(names) if len(names) else None,
        orientation="h",
        name=curve.title,
        boxpoints="outliers",
        marker={"color": curve.colour, "size": 4},
        line={"width": 1.5},
        meta={"role": "boxes", "model": curve.key},
        hoverlabel={"namelength": -1},
    )
