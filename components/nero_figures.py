"""The empty figures of the NERO page: layout and styling; the browser puts the arrays in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import plotly.graph_objects as go

from backend.nero import tasks
from backend.nero.orbits import Orbit
from components.figures import orbit as figures
from components.figures import orbit_groups, orbit_layouts
from components.figures.orbit import ModelCurve
from components.nero_state import Place, answers_classes

NO_POINTS: Final = np.empty((0, 2), dtype=np.float32)
BESIDE: Final = "~consensus"  # behind a model's key: its second plot, measured by consensus
FEW_CLASSES: Final = 20


def empty(
    where: Place, orbit: Orbit, curves: Sequence[ModelCurve], *, with_control: bool
) -> dict[str, Any]:
    """Figures by name, as JSON values; ``beside`` has truth and consensus side by side."""
    task, items = tasks.find(where.task), where.items
    metric = next(iter(task.metrics.values()))
    view = f"{items.key} {orbit.key}"
    few = items.classes if len(items.classes) <= FEW_CLASSES else ()
    # Resampling alone is drawn where curves leave room for it: on circles and lines.
    extra: dict[str, Any] = {"view": view, "with_control": with_control}
    made = {
        "aggregate": orbit_layouts.aggregate(orbit, curves, metric, **extra),
        "individual": orbit_layouts.individual(orbit, curves, metric, **extra),
        "detail": figures.detail(few, curves, view=view),
        "projection": figures.projection(NO_POINTS, NO_POINTS[:, 0], view=view),
    }
    if task.kind != "invariant":
        made["beside"] = orbit_layouts.individual(orbit, _beside(curves), metric, view=view)
    if answers_classes(where.task):
        made["groups"] = orbit_groups.confusion((), few, NO_POINTS, view=view)
    else:
        made["groups"] = orbit_groups.by_class(curves, view=view)
    return {name: plain(figure) for name, figure in made.items()}


def _beside(curves: Sequence[ModelCurve]) -> list[ModelCurve]:
    """Every model twice, so that one figure shows both sides of it."""
    pairs = [
        (
            ModelCurve(curve.key, f"Truth: {curve.title}", curve.index),
            ModelCurve(f"{curve.key}{BESIDE}", f"Consensus: {curve.title}", curve.index),
        )
        for curve in curves
    ]
    return [curve for pair in pairs for curve in pair]


def plain(figure: go.Figure) -> dict[str, Any]:
    """As JSON values; the template is the browser's, which knows light from dark."""
    figure.layout.template = None
    made: dict[str, Any] = figure.to_plotly_json()
    return made
