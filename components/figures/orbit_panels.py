"""Panels side by side: whose they are, where they stand, their square axes and one colour bar."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from backend.nero.tasks.base import Metric
from components.figures.orbit import ModelCurve
from components.figures.orbit_shared import NEUTRAL, VIRIDIS, ModelMaps, Range, named, titled
from components.theme import RING

F64 = NDArray[np.float64]
COLUMNS: Final = (1, 1, 2, 2, 2, 3, 3)  # of panels, by the number of models
SIDE: Final = {"l": 8, "r": 8, "t": 22}
KEY_PX: Final = 16  # the line at the bottom that explains hatched and empty cells
BAR_PX: Final = 28  # a colour bar that lies down, with its numbers
WORDS: Final = (60, 40, 22, 13)  # letters of a heading that fit, by the panels in a row


@dataclass(frozen=True, slots=True)
class Panel:
    """One pair of axes: whose it is and where it stands, in fractions of the plot."""

    number: int
    curve: ModelCurve
    x: tuple[float, float]
    y: tuple[float, float]
    is_left: bool
    is_bottom: bool

    @property
    def axes(self) -> dict[str, str]:
        """The names of its axes, as traces and images take them."""
        suffix = str(self.number) if self.number > 1 else ""
        return {"xaxis": f"x{suffix}", "yaxis": f"y{suffix}"}


def panels(curves: Sequence[ModelCurve], gap: tuple[float, float]) -> list[Panel]:
    """Where the models stand: in a row, wrapped when they are many."""
    columns = COLUMNS[min(6, len(curves))]
    rows = max(1, -(-len(curves) // columns))
    width, height = ((1 - (n - 1) * g) / n for n, g in ((columns, gap[0]), (rows, gap[1])))
    found: list[Panel] = []
    for i, curve in enumerate(curves):
        x, top = i % columns * (width + gap[0]), 1 - i // columns * (height + gap[1])
        found.append(
            Panel(
                number=i + 1,
                curve=curve,
                x=(x, min(1.0, x + width)),
                y=(max(0.0, top - height), top),
                is_left=i % columns == 0,
                is_bottom=i + columns >= len(curves),
            )
        )
    return found


def image(
    name: str, panel: Panel, corners: tuple[float, ...], source: str, layer: str
) -> dict[str, Any]:
    """A picture between two corners (left, top, right, bottom) of a panel."""
    left, top, right, bottom = (float(corner) for corner in corners)
    axes = panel.axes
    return {
        **{"name": name, "source": source, "layer": layer, "sizing": "stretch"},
        **{"xref": axes["xaxis"], "yref": axes["yaxis"], "x": left, "y": top},
        **{"sizex": abs(right - left), "sizey": abs(bottom - top)},
    }


def base_layout(
    metric: Metric, view: str, value_range: Range | None, *, wide: bool, below_px: int = 6
) -> dict[str, Any]:
    """One colour bar: under panels that are wide together, beside them otherwise; what stands
    between the panels and the bar takes ``below_px``."""
    bar: dict[str, Any] = {
        **{"thickness": 8, "outlinewidth": 0, "tickfont": {"size": 10}, "nticks": 6},
        **{"title": {"text": named(metric), "font": {"size": 11}}},
    }
    if wide:
        bar |= {"orientation": "h", "len": 0.62, "x": 0.5, "xanchor": "center", "xpad": 0}
        bar |= {"y": 0, "yanchor": "top", "ypad": below_px}
        bar["title"]["side"] = "right"
    else:
        bar |= {"len": 0.9, "x": 1.02, "xanchor": "left"}
        bar["title"]["side"] = "right"
    scale: dict[str, Any] = {
        "colorscale": [[k / 16, stop] for k, stop in enumerate(VIRIDIS)],
        "reversescale": not metric.higher_is_better,
        "colorbar": bar,
    }
    if value_range is not None:
        scale |= {"cmin": value_range[0], "cmax": value_range[1]}
    bottom = below_px + KEY_PX + (BAR_PX if wide else 0)
    margin = SIDE | {"b": bottom} | ({} if wide else {"r": 62})
    return {
        "uirevision": view,
        "dragmode": False,
        "hovermode": "closest",
        "showlegend": False,
        "margin": {**margin, "autoexpand": False},
        "coloraxis": scale,
        "annotations": [_key(bottom)],
    }


def _key(bottom_px: int) -> dict[str, Any]:
    """What hatched and empty cells mean, at the very bottom; hidden until there are any."""
    return {
        **{"name": "key", "text": "", "visible": False, "showarrow": False, "font": {"size": 10}},
        **{"xref": "paper", "yref": "paper", "x": 0, "y": 0, "xanchor": "left"},
        **{"yanchor": "bottom", "yshift": -bottom_px},
    }


def explain(layout: dict[str, Any], curves: Sequence[ModelCurve]) -> None:
    """Say what hatched and empty cells mean, where there are any."""
    has_marks = any(isinstance(c, ModelMaps) and bool(np.any(c.marked)) for c in curves)
    has_gaps = any(bool(np.isnan(curve.values).any()) for curve in curves)
    words = ["▨ no answer"] * has_marks + ["□ not defined"] * has_gaps
    layout["annotations"][0] |= {"text": "   ".join(words), "visible": bool(words)}


def square_axes(
    layout: dict[str, Any],
    panel: Panel,
    x_range: Sequence[float] | F64,
    y_range: Sequence[float] | F64,
    *,
    framed: bool = True,
) -> None:
    """Square cells in a frame that shows where empty cells would be."""
    names = panel.axes
    shared: dict[str, Any] = {
        **{"fixedrange": True, "automargin": False, "showgrid": False, "zeroline": False},
        **{"showticklabels": False, "ticks": "", "constrain": "domain"},
        **{"showline": framed, "mirror": framed, "linecolor": NEUTRAL, "linewidth": 1},
    }
    suffix = names["xaxis"][1:]
    layout[f"xaxis{suffix}"] = {
        **shared,
        **{"domain": panel.x, "anchor": names["yaxis"], "range": [float(v) for v in x_range]},
    }
    layout[f"yaxis{suffix}"] = {
        **shared,
        **{"domain": panel.y, "anchor": names["xaxis"], "range": [float(v) for v in y_range]},
        **{"scaleanchor": names["xaxis"], "scaleratio": 1},
    }


def headings(shown: Sequence[Panel], in_a_row: int) -> list[dict[str, Any]]:
    """The models' names above their panels; hover has them in full."""
    most = WORDS[in_a_row]
    return [
        {
            **{"text": titled(panel.curve, most), "showarrow": False, "font": {"size": 11}},
            **{"xref": f"{panel.axes['xaxis']} domain", "yref": f"{panel.axes['yaxis']} domain"},
            **{"x": 0, "y": 1, "xanchor": "left", "yanchor": "bottom", "yshift": 1},
        }
        for panel in shown
    ]


def red_outline(axes: Mapping[str, str]) -> go.Scatter:
    """The outline of the selected cell."""
    return go.Scatter(
        x=[None],
        y=[None],
        mode="lines",
        line={"color": RING, "width": 1.75},
        hoverinfo="skip",
        showlegend=False,
        meta={"role": "cursor"},
        **axes,
    )
