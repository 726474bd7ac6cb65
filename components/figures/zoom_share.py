"""How few pieces hold an answer: the share of all effects that the strongest k of them have."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from components.theme import CURSOR, MODEL_COLOURS

F32 = NDArray[np.float32]
HALF = 0.5


def cumulative(shares: F32, *, view: str) -> go.Figure:
    """A rising line through ``(n,)`` shares, 0 to 1, of the top 1, 2, ... n pieces.

    The first trace holds the shares, the second what an even spread would give. Empty shares give
    the empty figure that a browser fills in.
    """
    counts = np.arange(1, len(shares) + 1)
    line = go.Scatter(
        x=counts,
        y=shares,
        mode="lines+markers",
        line={"color": MODEL_COLOURS[0], "width": 2, "shape": "linear"},
        marker={"size": 5},
        name="these pieces",
        meta={"role": "shares"},
        hovertemplate="top %{x} hold %{y:.0%}<extra></extra>",
    )
    even = go.Scatter(
        x=counts,
        y=counts / max(1, len(shares)),
        mode="lines",
        line={"color": MODEL_COLOURS[7], "width": 1, "dash": "dot"},
        name="spread evenly",
        meta={"role": "even"},
        hoverinfo="skip",
    )
    half = {
        "type": "line",
        "xref": "paper",
        "x0": 0,
        "x1": 1,
        "y0": HALF,
        "y1": HALF,
        "line": {"color": CURSOR, "width": 1, "dash": "dash"},
    }
    return go.Figure([line, even], layout=_layout(view, half))


def _layout(view: str, half: dict[str, object]) -> dict[str, object]:
    return {
        "uirevision": view,
        "margin": {"l": 44, "r": 8, "t": 30, "b": 36},
        "xaxis": {"title": {"text": "strongest pieces", "standoff": 6}, "rangemode": "tozero"},
        "yaxis": {"range": [0, 1.02], "tickformat": ".0%"},
        "legend": {
            "orientation": "h",
            "x": 0,
            "y": 1.1,
            "yanchor": "bottom",
            "font": {"size": 10},
            "itemwidth": 30,
        },
        "shapes": [half],
    }
