"""How many clusters of patches: inertia of K-means and the elbow that was chosen."""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go

from components.theme import MODEL_COLOURS, RING


def elbow(k: Sequence[int], inertia: Sequence[float], chosen: int, *, view: str) -> go.Figure:
    """Inertia over the number of clusters; the chord from which the elbow is farthest is dotted.

    Args:
        k: numbers of clusters that were tried, rising.
        inertia: sum of squared distances to the nearest centroid, for each.
        chosen: the number in use.
    """
    line = go.Scatter(
        x=list(k),
        y=list(inertia),
        mode="lines+markers",
        line={"color": MODEL_COLOURS[0], "width": 2},
        marker={"size": 6},
        hovertemplate="%{x} clusters: %{y:.4g}<extra></extra>",
    )
    ends = go.Scatter(
        x=[k[0], k[-1]] if len(k) else [],
        y=[inertia[0], inertia[-1]] if len(k) else [],
        mode="lines",
        line={"color": MODEL_COLOURS[7], "width": 1, "dash": "dot"},
        hoverinfo="skip",
    )
    picked = [(x, y) for x, y in zip(k, inertia, strict=True) if x == chosen]
    ring = go.Scatter(
        x=[x for x, _ in picked],
        y=[y for _, y in picked],
        mode="markers",
        marker={"size": 14, "color": "rgba(0,0,0,0)", "line": {"color": RING, "width": 2}},
        hoverinfo="skip",
    )
    layout = {
        "uirevision": view,
        "showlegend": False,
        "margin": {"l": 44, "r": 8, "t": 8, "b": 36},
        "xaxis": {"title": {"text": "clusters", "standoff": 4}, "fixedrange": True},
        "yaxis": {"title": {"text": "inertia", "standoff": 4}, "rangemode": "tozero"},
        "dragmode": False,
    }
    return go.Figure([line, ends, ring], layout=layout)
