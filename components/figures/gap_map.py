"""Joint layouts of images and texts, histograms of their distances, and what a shift does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from components.theme import MODEL_COLOURS, RING, translucent

F32 = NDArray[np.float32]
I64 = NDArray[np.int64]
IMAGE: Final = MODEL_COLOURS[3]
TEXT: Final = MODEL_COLOURS[2]
LINES, IMAGES, TEXTS, CHOSEN = 0, 1, 2, 3
"""Numbers of the traces of :func:`joint`, which the browser relies on."""
DENSE: Final = 1_500


def joint(
    rows: I64, images: F32, texts: F32, *, reach: float, view: str, with_lines: bool = True
) -> go.Figure:
    """Images (dots) and texts (diamonds) in one plane, a thin line joining each pair.

    Args:
        rows: ``(m,)`` numbers of the pairs, sent as customdata; images, texts: ``(m, 2)``. They go
            out as plain lists, since the browser reads them.
        reach: half the side of the square that is shown, equal in all panels.
        view: the zoom survives while it is equal.
    """
    dense = len(rows) > DENSE
    kind = go.Scattergl if dense else go.Scatter
    traces: list[Any] = [_lines(images, texts, kind, with_lines, dense)]
    for name, xy, colour, symbol in (
        ("images", images, IMAGE, "circle"),
        ("texts", texts, TEXT, "diamond"),
    ):
        marker = {"size": 4 if dense else 6, "color": colour, "symbol": symbol, "opacity": 0.85}
        traces.append(
            kind(
                x=xy[:, 0].tolist(), y=xy[:, 1].tolist(), customdata=rows.tolist(),
                mode="markers", name=name, marker=marker,
                hoverinfo="none", unselected={"marker": {"opacity": 0.12}},
                selected={"marker": {"opacity": 0.95}},
            )
        )  # fmt: skip
    ring = {"size": 13, "color": "rgba(0,0,0,0)", "line": {"color": RING, "width": 2}}
    traces.append(
        go.Scatter(
            x=[], y=[], mode="lines+markers", marker=ring, line={"color": RING, "width": 1.5},
            hoverinfo="skip", name="chosen pair",
        )
    )  # fmt: skip
    side: dict[str, Any] = {
        "range": [-reach, reach], "showticklabels": False, "zeroline": False, "ticks": "",
    }  # fmt: skip
    layout = {
        "uirevision": view,
        "margin": {"l": 2, "r": 2, "t": 2, "b": 2},
        "xaxis": side,
        "yaxis": {**side, "scaleanchor": "x"},
        "showlegend": False,
        "dragmode": "lasso",
        "hovermode": "closest",
    }
    return go.Figure(traces, layout=layout)


def _lines(images: F32, texts: F32, kind: Any, with_lines: bool, dense: bool) -> Any:
    """One line an image and its text, in one trace with gaps."""
    ends = np.full((len(images), 3, 2), np.nan, np.float32)
    ends[:, 0], ends[:, 1] = images, texts
    line = {"color": translucent(MODEL_COLOURS[7], 0.16 if dense else 0.34), "width": 1}
    return kind(
        x=ends[:, :, 0].ravel(), y=ends[:, :, 1].ravel(), mode="lines", line=line,
        hoverinfo="skip", name="pair", visible=with_lines,
    )  # fmt: skip


def histograms(
    counts: Sequence[I64], names: Sequence[str], colours: Sequence[str], means: Sequence[float],
    *, ends: tuple[float, float], label: str, view: str, shown: tuple[float, float] | None = None,
) -> go.Figure:  # fmt: skip
    """Shares in common bins, an outline a space, with the mean of each as a dashed line.

    Args:
        counts: ``(bins,)`` a space; ends: of the bins.
        shown: part of the axis that is seen; all of it unless given.
    """
    traces, shapes = [], []
    for number, (count, name, colour, mean) in enumerate(
        zip(counts, names, colours, means, strict=True)
    ):
        edges = np.linspace(*ends, len(count) + 1)
        share = count / max(1, count.sum())
        traces.append(
            go.Scatter(
                x=(edges[:-1] + edges[1:]) / 2, y=share, mode="lines", name=name,
                line={"color": colour, "width": 2, "shape": "hvh"}, fill="tozeroy",
                fillcolor=translucent(colour, 0.12), meta={"space": number},
                hovertemplate=f"{label} %{{x:.2f}}: %{{y:.1%}}<extra>{_escaped(name)}</extra>",
            )
        )  # fmt: skip
        shapes.append(
            {
                "type": "line", "x0": mean, "x1": mean, "yref": "paper", "y0": 0, "y1": 1,
                "line": {"color": colour, "width": 1.5, "dash": "dash"},
            }
        )  # fmt: skip
    layout = {
        "uirevision": view,
        "margin": {"l": 40, "r": 8, "t": 6, "b": 38},
        "xaxis": {"title": {"text": label, "standoff": 6}, "range": list(shown or ends)},
        "yaxis": {"tickformat": ".0%", "rangemode": "tozero", "fixedrange": True},
        "showlegend": False,
        "shapes": shapes,
        "dragmode": "select",
        "selectdirection": "h",
    }
    return go.Figure(traces, layout=layout)


def _escaped(name: str) -> str:
    """A user's title in plotly's markup: angle brackets would be tags."""
    return name.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def sweep(
    points: Sequence[dict[str, Any]], *, top: int, best: int, gap: float, view: str
) -> go.Figure:
    """Recall at ``top`` both ways and zero-shot accuracy along the shift, the loss on its own axis.

    Shape 0 is the place of the slider, which the browser moves; shape 1 marks no shift, shape 2
    the shift by the whole gap.
    """
    x = [point["delta"] for point in points]
    lines = [
        (f"text → image R@{top}", [p["recall"]["text_to_image"][str(top)] for p in points], 0, ""),
        (f"image → text R@{top}", [p["recall"]["image_to_text"][str(top)] for p in points], 1, ""),
    ]
    if points[0]["accuracy"] is not None:
        lines.append(("zero-shot top-1", [p["accuracy"] for p in points], 3, ""))
    lines.append(("contrastive loss", [p["loss"] for p in points], 7, "y2"))
    traces = [
        go.Scatter(
            x=x, y=y, name=name, mode="lines", yaxis=axis or "y",
            line={"color": MODEL_COLOURS[c], "width": 2, "dash": "dot" if axis else "solid"},
            hovertemplate="shift %{x:.3f}: %{y:.3f}<extra>" + name + "</extra>",
        )
        for name, y, c, axis in lines
    ]  # fmt: skip
    found = points[best]
    traces.append(
        go.Scatter(
            x=[found["delta"]], y=[found["recall"]["text_to_image"][str(top)]], mode="markers",
            name="best", marker={"size": 12, "symbol": "star", "color": RING},
            hovertemplate="best: shift %{x:.3f}, %{y:.1%}<extra></extra>",
        )
    )  # fmt: skip
    return go.Figure(traces, layout=_sweep_layout(gap, view))


def _sweep_layout(gap: float, view: str) -> dict[str, Any]:
    upright = [(0.0, RING, "solid", 2), (0.0, MODEL_COLOURS[7], "dot", 1), (gap, MODEL_COLOURS[7],
        "dash", 1)]  # fmt: skip
    return {
        "uirevision": view,
        "margin": {"l": 46, "r": 46, "t": 8, "b": 66},
        "xaxis": {"title": {"text": "shift along the gap vector (distance)", "standoff": 4}},
        "yaxis": {"tickformat": ".0%", "rangemode": "tozero"},
        "yaxis2": {
            "overlaying": "y", "side": "right", "showgrid": False,
            "title": {"text": "loss", "standoff": 4}, "tickmode": "auto", "nticks": 5,
        },
        "legend": {"orientation": "h", "x": 0, "y": -0.2, "yanchor": "top"},
        "hovermode": "closest",
        "dragmode": False,
        "shapes": [
            {
                "type": "line", "x0": at, "x1": at, "yref": "paper", "y0": 0, "y1": 1,
                "line": {"color": colour, "dash": dash, "width": width},
            }
            for at, colour, dash, width in upright
        ],
    }  # fmt: skip
