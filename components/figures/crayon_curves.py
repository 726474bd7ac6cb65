"""Loss by term and accuracy on validation, epoch by epoch; the browser fills the numbers in."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from components.theme import CURSOR, MODEL_COLOURS, RING

LOSSES: Final = (
    ("prediction", "prediction", MODEL_COLOURS[0]),
    ("relevant", "relevant", MODEL_COLOURS[3]),
    ("irrelevant", "irrelevant", MODEL_COLOURS[2]),
)
ACCURACIES: Final = (("wga", "worst group", RING), ("mga", "mean of groups", CURSOR))


def curves(losses: NDArray[Any], validation: NDArray[Any], *, view: str) -> go.Figure:
    """Loss above, accuracy beneath.

    Args:
        losses: ``(epochs, 3)`` mean loss an item: prediction, relevant, irrelevant.
        validation: ``(epochs, 2)`` worst and mean group accuracy, 0 to 1.
    """
    traces = [
        _line(losses[:, i], key, name, colour, "x", "y")
        for i, (key, name, colour) in enumerate(LOSSES)
    ]
    traces += [
        _line(validation[:, i], key, name, colour, "x2", "y2")
        for i, (key, name, colour) in enumerate(ACCURACIES)
    ]
    return go.Figure(traces, layout=_layout(view))


def _line(
    values: NDArray[Any], key: str, name: str, colour: str, x_axis: str, y_axis: str
) -> go.Scatter:
    is_loss = y_axis == "y"
    shown = "%{y:.4f}" if is_loss else "%{y:.1%}"
    return go.Scatter(
        x=np.arange(1, len(values) + 1),
        y=values,
        mode="lines+markers",
        name=name,
        line={"color": colour, "width": 2},
        marker={"size": 5, "symbol": "circle" if is_loss else "diamond"},
        meta={"role": key},
        legend="legend" if is_loss else "legend2",
        xaxis=x_axis,
        yaxis=y_axis,
        hovertemplate=f"{name}, epoch %{{x}}: {shown}<extra></extra>",
    )


def _layout(view: str) -> dict[str, Any]:
    epoch = {"rangemode": "nonnegative"}
    legend = {"orientation": "h", "x": 0, "yanchor": "bottom", "font": {"size": 11}}
    return {
        "uirevision": view,
        "showlegend": True,
        "margin": {"l": 52, "r": 12, "t": 28, "b": 40},
        "xaxis": {**epoch, "anchor": "y"},
        "xaxis2": {**epoch, "anchor": "y2", "title": {"text": "epoch", "standoff": 4}},
        "yaxis": {
            "domain": [0.58, 1],
            "title": {"text": "loss an item", "standoff": 4},
            "rangemode": "tozero",
        },
        "yaxis2": {
            "domain": [0, 0.42],
            "anchor": "x2",
            "title": {"text": "validation accuracy", "standoff": 4},
            "range": [-0.02, 1.02],
            "tickformat": ".0%",
        },
        "legend": {**legend, "y": 1.0},
        "legend2": {**legend, "y": 0.42},
    }
