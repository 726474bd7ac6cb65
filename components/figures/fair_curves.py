"""Figures of the fair-retrieval page: bias along the ranking, trade-off, quantiles, queries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import plotly.graph_objects as go

from components.theme import CURSOR, MODEL_COLOURS, translucent

BEFORE, AFTER, OTHER, GREY = MODEL_COLOURS[7], MODEL_COLOURS[0], MODEL_COLOURS[3], MODEL_COLOURS[7]
GROUP_COLOURS: Final = (MODEL_COLOURS[2], "#6b7480", MODEL_COLOURS[4])
"""Groups -1, 0 and +1: orange, grey, violet; the same on grids, bars and the map."""
PREDICTORS: Final = {"mlp": "MLP", "prompt": "prompt", "words": "words"}
MARGIN: Final = {"l": 46, "r": 10, "t": 8, "b": 40}


def _layout(view: str, x: str, y: str, **more: Any) -> dict[str, Any]:
    """What all figures share; titles of the axes, and more of the layout."""
    found: dict[str, Any] = {
        "uirevision": view,
        "margin": MARGIN,
        "hovermode": "closest",
        "xaxis": {"title": {"text": x, "standoff": 4}, "zeroline": False, "fixedrange": True},
        "yaxis": {"title": {"text": y, "standoff": 4}, "zeroline": True, "fixedrange": True},
        "legend": {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
        "dragmode": False,
    }
    for name, value in more.items():
        found[name] = {**found.get(name, {}), **value} if isinstance(value, dict) else value
    return found


def bias(told: Mapping[str, Any], *, view: str) -> go.Figure:
    """Signed bias of the first 1, 2, … results, before and after, with the pool's own.

    Args:
        told: see :func:`backend.fair.told.told`.
    """
    before, done = told["before"]["curve"], told["after"]["curve"]
    places = list(range(1, len(before) + 1))
    pool = (told["pool"][2] - told["pool"][0]) / told["n"]
    traces = [
        _line(places, before, "before", BEFORE, "dash"),
        _line(places, done, "after", AFTER, "solid"),
        go.Scatter(
            x=[1, places[-1]],
            y=[pool, pool],
            mode="lines",
            line={"color": GREY, "width": 1, "dash": "dot"},
            name="pool",
            hovertemplate="bias of the pool %{y:+.2f}<extra></extra>",
        ),
    ]
    line = {"type": "line", "x0": told["k"], "x1": told["k"], "y0": 0, "y1": 1, "yref": "paper"}
    shape = {**line, "line": {"color": CURSOR, "width": 1.5}}
    axes = {"yaxis": {"range": [-1.05, 1.05]}, "margin": {**MARGIN, "t": 30}}
    return go.Figure(traces, _layout(view, "first K results", "bias", shapes=[shape], **axes))


def _line(x: Sequence[float], y: Sequence[float], name: str, colour: str, dash: str) -> go.Scatter:
    return go.Scatter(
        x=x,
        y=y,
        mode="lines",
        line={"color": colour, "width": 2, "dash": dash, "shape": "hv"},
        name=name,
        hovertemplate=f"first %{{x}}, {name}: %{{y:+.2f}}<extra></extra>",
    )


def tradeoff(survey: Mapping[str, Any], *, p: float, view: str) -> go.Figure:
    """AbsBias@K against Recall@K over all queries, along p and along MI-clip's dimensions."""
    along, clip = survey["tradeoff"], survey["clip"]
    traces = [
        _path(along, "PBM along p", AFTER, [f"p = {row['p']:.2f}" for row in along]),
        _path(clip, "MI-clip", OTHER, [f"{row['dropped']} dimensions dropped" for row in clip]),
    ]
    traces[0].customdata = [row["p"] for row in along]
    traces[1].line.dash, traces[1].marker.symbol = "dash", "square"
    nearest = min(along, key=lambda row: abs(row["p"] - p))
    traces.append(
        go.Scatter(
            x=[nearest["abs_bias"]],
            y=[nearest["recall"]],
            mode="markers",
            marker={"size": 15, "color": "rgba(0,0,0,0)", "line": {"color": CURSOR, "width": 2.5}},
            name=f"p = {nearest['p']:.2f}",
            hoverinfo="skip",
        )
    )
    axes = {"xaxis": {"rangemode": "tozero"}, "margin": {**MARGIN, "t": 30}}
    axes["yaxis"] = {"tickformat": ".0%", "zeroline": False}
    return go.Figure(traces, _layout(view, "AbsBias@K", "Recall@K", **axes))


def _path(
    rows: Sequence[Mapping[str, Any]], name: str, colour: str, texts: list[str]
) -> go.Scatter:
    return go.Scatter(
        x=[row["abs_bias"] for row in rows],
        y=[row["recall"] for row in rows],
        mode="lines+markers",
        line={"color": colour, "width": 1.5},
        marker={"size": 8, "color": colour},
        name=name,
        text=texts,
        hovertemplate="%{text}<br>AbsBias %{x:.3f}, recall %{y:.1%}<extra></extra>",
    )


def quantiles(told: Mapping[str, Any], *, view: str) -> go.Figure:
    """Bias in each part of the pool ranked by similarity, with its line (Fig. 4.2)."""
    held = told["quantiles"]
    ends = [0, 100]
    level = [held["level"] + held["slope"] * (end - 50) for end in ends]
    traces = [
        go.Scatter(
            x=held["percentile"],
            y=held["bias"],
            mode="markers",
            marker={"size": 7, "color": translucent(AFTER, 0.75)},
            name="parts",
            hovertemplate="percentile %{x:.0f}: bias %{y:+.2f}<extra></extra>",
        ),
        go.Scatter(
            x=ends,
            y=level,
            mode="lines",
            line={"color": AFTER, "width": 2},
            name="line",
            hoverinfo="skip",
        ),
    ]
    strip = {"type": "rect", "x0": held["top"], "x1": 100, "y0": 0, "y1": 1, "yref": "paper"}
    strip |= {"fillcolor": translucent(CURSOR, 0.18), "line": {"width": 0}, "layer": "below"}
    axes = {"yaxis": {"range": [-1.05, 1.05]}, "xaxis": {"range": [-2, 102]}}
    made = _layout(view, "similarity, percentile of the pool", "bias", shapes=[strip], **axes)
    return go.Figure(traces, {**made, "showlegend": False})


def queries(survey: Mapping[str, Any], *, chosen: str, view: str) -> go.Figure:
    """A pair of points a query: correlation over the pool against bias@K (Fig. 4.3)."""
    rows = survey["points"]
    names = [row["query"] for row in rows]
    traces = [
        _cloud(rows, names, "", "before", BEFORE, "circle-open"),
        _cloud(rows, names, "_after", "after", AFTER, "circle"),
    ]
    if chosen in names:
        row = rows[names.index(chosen)]
        traces.append(
            go.Scatter(
                x=[row["correlation"], row["correlation_after"]],
                y=[row["bias"], row["bias_after"]],
                mode="lines+markers",
                line={"color": CURSOR, "width": 1.5},
                marker={"size": 13, "symbol": "circle-open", "line": {"width": 2}},
                name=chosen,
                hoverinfo="skip",
            )
        )
    axes = {"yaxis": {"range": [-1.05, 1.05]}, "margin": {**MARGIN, "t": 30}}
    axes["xaxis"] = {"zeroline": True}
    title = "Spearman's ρ of similarity and group"
    return go.Figure(traces, _layout(view, title, "bias of the first K", **axes))


def _cloud(
    rows: Sequence[Mapping[str, Any]],
    names: list[str],
    which: str,
    title: str,
    colour: str,
    symbol: str,
) -> go.Scatter:
    return go.Scatter(
        x=[row[f"correlation{which}"] for row in rows],
        y=[row[f"bias{which}"] for row in rows],
        mode="markers",
        marker={"size": 8, "color": colour, "symbol": symbol, "opacity": 0.8},
        name=title,
        customdata=names,
        text=names,
        hovertemplate="%{text}: ρ %{x:+.2f}, bias %{y:+.2f}<extra></extra>",
    )


def methods(survey: Mapping[str, Any], *, view: str) -> go.Figure:
    """AbsBias@K of every method as a bar, with its recall beside it."""
    rows = survey["methods"][::-1]
    colours = [AFTER if "PBM" in row["method"] else GREY for row in rows]
    bar = go.Bar(
        x=[row["abs_bias"] for row in rows],
        y=[row["method"] for row in rows],
        orientation="h",
        marker={"color": colours},
        text=[f"{row['abs_bias']:.2f} · {row['recall']:.0%}" for row in rows],
        textposition="outside",
        cliponaxis=False,
        customdata=[row["bias"] for row in rows],
        hovertemplate="%{y}: AbsBias %{x:.3f}, signed %{customdata:+.3f}<extra></extra>",
    )
    most = max(row["abs_bias"] for row in rows) or 1
    axes = {"xaxis": {"range": [0, 1.6 * most]}, "margin": {**MARGIN, "l": 8}}
    axes["yaxis"] = {"automargin": True, "title": None, "tickfont": {"size": 11}}
    return go.Figure(
        [bar], {**_layout(view, "AbsBias@K · recall", "", **axes), "showlegend": False}
    )


def noise(survey: Mapping[str, Any], *, view: str) -> go.Figure:
    """PBM's bias as the predictor is made worse by noise (Fig. 4.5), against the plain ranking."""
    rows = survey["noise"]
    plain = next(row for row in survey["methods"] if row["method"] == "plain top K")
    f1 = [row["f1"] for row in rows]
    traces = [
        go.Scatter(
            x=f1,
            y=[row["abs_bias"] for row in rows],
            mode="lines+markers",
            line={"color": AFTER, "width": 1.5},
            marker={"size": 8},
            name=f"PBM, {PREDICTORS[rows[0]['predictor']]}",
            text=[f"noise {row['noise']:g} sd" for row in rows],
            hovertemplate="%{text}: F1 %{x:.2f}, AbsBias %{y:.3f}<extra></extra>",
        ),
        go.Scatter(
            x=[min(f1), max(f1)],
            y=[plain["abs_bias"]] * 2,
            mode="lines",
            line={"color": GREY, "width": 1, "dash": "dot"},
            name="similarity alone",
            hovertemplate="similarity alone %{y:.3f}<extra></extra>",
        ),
    ]
    axes = {"yaxis": {"rangemode": "tozero", "zeroline": False}, "margin": {**MARGIN, "t": 24}}
    return go.Figure(traces, _layout(view, "F1 of the predictor under noise", "AbsBias@K", **axes))
