"""Discs of rotations in space: the direction is the axis, the radius the rotation.

The centre changes nothing, the rim is a half turn. All discs of all models stand on one pair of
axes, since plotly takes its time for every further pair; each has the radius 1 around its centre.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import plotly.graph_objects as go

from backend.nero.orbits import Orbit
from backend.nero.tasks.base import Metric
from components.figures import orbit_svg as svg
from components.figures.orbit import ModelCurve
from components.figures.orbit_panels import COLUMNS, WORDS, base_layout, explain, red_outline
from components.figures.orbit_shared import Range, hover, titled

PLANE_AXES: Final = (("+x", "+y"), ("+x", "+z"), ("+y", "+z"))
ACROSS: Final = 2.36  # from centre to centre: room for the name of an axis between two discs
DOWN: Final = (2.76, 3.3)  # room for a heading, too; more between small discs
BETWEEN: Final = 0.3  # more room between two models in a row
HEAD_PX: Final = 13  # a heading stands above the name of the upper axis
MANY: Final = 4  # models; beyond it the discs are small


@dataclass(frozen=True, slots=True)
class Disc:
    """One disc: whose, of which plane, and where its centre is."""

    curve: ModelCurve
    plane: int
    x: float
    y: float
    is_first: bool

    @property
    def meta(self) -> dict[str, Any]:
        """What the browser finds it by."""
        return {"plane": self.plane, "centre": [self.x, self.y]}


def discs(
    orbit: Orbit,
    curves: Sequence[ModelCurve],
    metric: Metric,
    view: str,
    value_range: Range | None,
    planes: Sequence[int],
) -> go.Figure:
    """A row of discs a model. The cells are a picture of ring sectors, which is sharp at any size;
    points without ink over them carry the values for the pointer."""
    shown = arranged(curves, planes)
    is_reversed = not metric.higher_is_better
    traces: list[Any] = [_scale_bearer()]
    images = []
    for disc in shown:
        mark = red_outline({})
        mark.meta = {"role": "cursor", **disc.meta}
        traces += [_points(orbit, disc, metric), mark]
        source = ""
        if len(disc.curve.values) and value_range is not None:
            source = svg.disc(orbit, disc.plane, disc.curve.values, value_range, is_reversed)
        # In two layers: plotly takes two pictures at one place for the same one.
        images.append(_picture("disc", disc, source, "below"))
        images.append(_picture("frame", disc, svg.disc_frame(orbit), "above"))
    layout = base_layout(metric, view, value_range, wide=len(curves) == 1)
    layout["margin"]["t"] += HEAD_PX
    layout |= {"images": images, **_axes(shown)}
    in_a_row = _blocks(curves, planes)
    named = shown if len(curves) <= MANY else shown[: len(planes)]  # small ones: once is enough
    layout["annotations"] += [_heading(d, WORDS[in_a_row]) for d in shown if d.is_first]
    layout["annotations"] += [name for disc in named for name in _rim_names(disc)]
    explain(layout, curves)
    return go.Figure(traces, layout=layout)


def _blocks(curves: Sequence[ModelCurve], planes: Sequence[int]) -> int:
    """Models in a row: one, unless they are many or show a single disc each."""
    return COLUMNS[min(6, len(curves))] if len(planes) == 1 else 1 + (len(curves) > MANY)


def arranged(curves: Sequence[ModelCurve], planes: Sequence[int]) -> list[Disc]:
    """Every disc with its centre; the discs of one model stay in a row."""
    blocks = _blocks(curves, planes)
    width, down = len(planes) * ACROSS + BETWEEN, DOWN[len(curves) > MANY]
    return [
        Disc(curve, plane, round(i % blocks * width + k * ACROSS, 3), -(i // blocks) * down, k == 0)
        for i, curve in enumerate(curves)
        for k, plane in enumerate(planes)
    ]


def _picture(kind: str, disc: Disc, source: str, layer: str) -> dict[str, Any]:
    return {
        **{"name": f"{kind} {disc.curve.key} {disc.plane}", "source": source, "layer": layer},
        **{"xref": "x", "yref": "y", "x": disc.x - 1, "y": disc.y + 1, "sizing": "stretch"},
        **{"sizex": 2, "sizey": 2},
    }


def _points(orbit: Orbit, disc: Disc, metric: Metric) -> go.Scatter:
    """What the pointer finds over a disc: a point without ink at each cell, with its value."""
    drawn = len(disc.curve.values) > 0
    rows = np.flatnonzero(orbit.positions[:, 0] == disc.plane)
    rows = rows[(orbit.positions[rows, 2] > 0) | (orbit.positions[rows, 1] == 0)]  # one centre
    radius = orbit.positions[rows, 2] / svg.rim_deg(orbit)
    axis = np.deg2rad(orbit.positions[rows, 1])
    return go.Scatter(
        x=disc.x + radius * np.cos(axis) if drawn else None,
        y=disc.y + radius * np.sin(axis) if drawn else None,
        customdata=disc.curve.values[rows] if drawn else None,
        text=[orbit.labels[row] for row in rows] if drawn else None,
        mode="none",
        name=disc.curve.title,
        showlegend=False,
        meta={"role": "cells", "model": disc.curve.key, **disc.meta},
        hovertemplate=hover(metric, "customdata"),
    )


def _scale_bearer() -> go.Scatter:
    """Nothing to see: plotly shows a colour bar only for a trace that is coloured by it."""
    return go.Scatter(
        x=[None],
        y=[None],
        mode="markers",
        marker={"color": [0], "coloraxis": "coloraxis", "size": 0.1},
        hoverinfo="skip",
        showlegend=False,
        meta={"role": "scale"},
    )


def _axes(shown: Sequence[Disc]) -> dict[str, Any]:
    """Invisible axes on which a disc is round; the names of axes need room at the right."""
    right, bottom = (max(d.x for d in shown), min(d.y for d in shown)) if shown else (0.0, 0.0)
    hidden = {"visible": False, "fixedrange": True, "constrain": "domain", "automargin": False}
    return {
        "xaxis": {**hidden, "range": [-1.03, right + 1.32]},
        "yaxis": {**hidden, "range": [bottom - 1.03, 1.03], "scaleanchor": "x", "scaleratio": 1},
    }


def _heading(disc: Disc, most: int) -> dict[str, Any]:
    return {
        **{"text": titled(disc.curve, most), "showarrow": False, "font": {"size": 11}},
        **{"xref": "x", "yref": "y", "x": disc.x - 1, "y": disc.y + 1, "xanchor": "left"},
        **{"yanchor": "bottom", "yshift": HEAD_PX - 2},
    }


def _rim_names(disc: Disc) -> list[dict[str, Any]]:
    """The axes at the right and at the top of a disc."""
    across, up = PLANE_AXES[disc.plane]
    shared = {"showarrow": False, "xref": "x", "yref": "y", "font": {"size": 10}, "borderpad": 0}
    return [
        {**shared, "text": across, "x": disc.x + 1.02, "y": disc.y, "xanchor": "left"},
        {**shared, "text": up, "x": disc.x, "y": disc.y + 1.01, "yanchor": "bottom"},
    ]
