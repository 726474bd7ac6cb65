"""What orbit plots of every layout share: values of a model, ranges, colours, words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Final

import numpy as np
from numpy.typing import NDArray

from backend.nero.tasks.base import Metric
from components.figures.orbit import F32, ModelCurve

Range = tuple[float, float]

TOP_PERCENTILE: Final = 80  # of a data-driven range, as in the source: outliers keep the rest apart
NEUTRAL: Final = "rgba(128,136,148,0.75)"  # lines that must show on both themes
# Viridis at 0, 1/16, ..., 1: the same stops as in the browser (57-nero-0-canvas.js).
VIRIDIS: Final = (
    *("#440154", "#48186a", "#472d7b", "#424086", "#3b528b", "#33638d", "#2c728e", "#26828e"),
    *("#21918c", "#1fa088", "#28ae80", "#3fbc73", "#5ec962", "#84d44b", "#addc30", "#d8e219"),
    "#fde725",
)


@dataclass(frozen=True, slots=True)
class ModelMaps(ModelCurve):
    """A model's values with what only some layouts show.

    Attributes:
        marked: (e,) bool, cells of a map to hatch: where the model gave no answer at all, and the
            metric says 0 for it.
        maps: (e, h, w), the metric at each location: the small multiples of squares.
    """

    marked: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, np.bool_))
    maps: F32 = field(default_factory=lambda: np.empty((0, 0, 0), np.float32))


def shared_range(metric: Metric, values: Sequence[F32]) -> Range | None:
    """The range that all models are drawn on: the metric's own, or from the data.

    A data-driven one runs from the metric's low end to the 80th percentile of all models' finite
    values together; per model, two of them could not be compared. None without any value.
    """
    if metric.high is not None:
        return float(metric.low), float(metric.high)
    joined = np.concatenate([np.ravel(v) for v in values]) if len(values) else np.empty(0)
    finite = joined[np.isfinite(joined)]
    if not len(finite):
        return None
    low, high = float(metric.low), float(np.percentile(finite, TOP_PERCENTILE))
    return low, high if high > low else low + 1.0


def all_values(curve: ModelCurve) -> F32:
    if isinstance(curve, ModelMaps) and curve.maps.size:
        return np.ravel(curve.maps)
    return curve.values


def named(metric: Metric) -> str:
    """The metric with its unit, for an axis or a colour bar."""
    return f"{metric.title} ({metric.unit})" if metric.unit else metric.title


def titled(curve: ModelCurve, most: int) -> str:
    """A panel's heading: the model's colour and its name in at most so many letters."""
    name = escape(short(curve.title, most), quote=False)
    return f"<span style='color:{curve.colour}'>■</span> {name}"


def short(text: str, most: int) -> str:
    """A text cut to so many letters, the last of which says so."""
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


def hover(metric: Metric, value: str) -> str:
    """``+8, −4 px: IOU 0.71`` and the model's name; ``value`` is plotly's name for it."""
    unit = f" {metric.unit}" if metric.unit else ""
    title = escape(metric.title, quote=False)
    return f"%{{text}}: {title} %{{{value}:.3f}}{unit}<extra>%{{fullData.name}}</extra>"
