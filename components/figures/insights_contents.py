"""Predicted against actual success: a point a content, the diagonal, a ring for the open one."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from components.theme import MODEL_COLOURS, RING, translucent

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
POINTS, DIAGONAL, OPEN = 0, 1, 2
"""Places of the traces: the browser moves the ring by rewriting the last one."""
GL_FROM: Final = 5000  # points from which WebGL draws them


def scatter(ids: I64, predicted: F64, actual: F64, *, view: str) -> go.Figure:
    """Success rates 0 to 1 of ``(n,)`` contents; those that were never run are left out.

    Args:
        ids: stable ids, sent as customdata.
        predicted: of the model.
        actual: clicks over impressions; not finite where nothing was measured.
        view: names the data, so that a zoom survives while it is the same.
    """
    known = np.isfinite(predicted) & np.isfinite(actual)
    x, y = predicted[known], actual[known]
    kind = go.Scattergl if int(known.sum()) > GL_FROM else go.Scatter
    points = kind(
        x=x,
        y=y,
        customdata=ids[known],
        mode="markers",
        marker={"size": 5, "color": translucent(MODEL_COLOURS[0], 0.55), "line": {"width": 0}},
        name="contents",
        hovertemplate="predicted %{x:.2%}<br>actual %{y:.2%}<extra></extra>",
    )
    low, high = _ends(x, y)
    diagonal = go.Scatter(
        x=[low, high],
        y=[low, high],
        mode="lines",
        line={"color": MODEL_COLOURS[7], "width": 1, "dash": "dot"},
        hoverinfo="skip",
        name="predicted = actual",
    )
    ring = go.Scatter(
        x=[],
        y=[],
        mode="markers",
        marker={"size": 13, "color": "rgba(0,0,0,0)", "line": {"color": RING, "width": 2}},
        hoverinfo="skip",
        name="open",
    )
    return go.Figure([points, diagonal, ring], layout=_layout(view, low, high))


def _ends(predicted: F64, actual: F64) -> tuple[float, float]:
    """Where both axes begin and end: the same, so that the diagonal is one."""
    if not len(predicted):
        return 0.0, 1.0
    both = np.concatenate([predicted, actual])
    low, high = float(both.min()), float(both.max())
    room = 0.06 * (high - low) or 0.01
    return max(0.0, low - room), min(1.0, high + room)


def _layout(view: str, low: float, high: float) -> dict[str, Any]:
    axis = {"range": [low, high], "tickformat": ".3~p", "nticks": 5, "tickangle": 0}
    return {
        "uirevision": view,
        "showlegend": False,
        "margin": {"l": 40, "r": 8, "t": 6, "b": 34},
        "xaxis": {**axis, "title": {"text": "predicted", "standoff": 4}},
        "yaxis": {**axis, "title": {"text": "actual", "standoff": 4}},
        "hovermode": "closest",
    }
