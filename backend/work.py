"""What the worker processes can run: one explicit table, never a name from the browser.

To add a row: write ``(params, ticket) -> arrays`` in a backend module, name it here, and bump
``version`` whenever its answer for equal params changes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from backend.errors import NotFound

LaneName = Literal["model", "analysis"]


@dataclass(frozen=True, slots=True)
class Work:
    """One function that a worker process runs.

    Attributes:
        lane: the process it runs in; ``model`` holds the models and the device.
        run: ``module:function``, imported in the worker only.
    """

    name: str
    version: int
    lane: LaneName
    run: str


def table(*rows: Work) -> dict[str, Work]:
    """The rows by name."""
    return {row.name: row for row in rows}


WORK: Final = table(
    Work("crayon.maps", 1, "model", "backend.crayon.work:maps"),
    Work("crayon.patches", 1, "model", "backend.crayon.work:patches"),
    Work("crayon.items", 1, "analysis", "backend.crayon.diagnosis:items"),
    Work("crayon.curve", 1, "model", "backend.crayon.curve_work:curve"),
    Work("crayon.original", 1, "model", "backend.crayon.originals:original"),
    Work("crayon.refine", 1, "model", "backend.crayon.work:refine"),
    Work("gap.map", 1, "analysis", "backend.gap.work:layout"),
    Work("gap.first", 1, "model", "backend.gap.large:first"),
    Work("gap.graph", 1, "analysis", "backend.gap.large:graph_of"),
    Work("gap.refined", 1, "analysis", "backend.gap.large:refine"),
    Work("gap.index", 2, "model", "backend.gap.large:index"),
    Work("gap.near", 1, "model", "backend.gap.large:near"),
    Work("gap.measure", 1, "analysis", "backend.gap.work:numbers"),
    Work("gap.sweep", 1, "analysis", "backend.gap.work:swept"),
    Work("gap.at", 1, "analysis", "backend.gap.work:place"),
    Work("gap.text", 1, "model", "backend.gap.asking:by_text"),
    Work("gap.scores", 1, "model", "backend.gap.asking:scores"),
    Work("gap.image", 1, "model", "backend.gap.asking:by_image"),
    Work("gap.tokens", 1, "model", "backend.gap.asking:words"),
    Work("fair.encode", 1, "model", "backend.fair.work:encode"),
    Work("fair.answer", 1, "analysis", "backend.fair.work:answer"),
    Work("fair.overview", 1, "analysis", "backend.fair.work:overview"),
    Work("insights.import", 1, "analysis", "backend.insights.stash:work"),
    Work("insights.fit", 1, "model", "backend.insights.work:fit"),
    Work("insights.predict", 1, "model", "backend.insights.work:predict"),
    Work("insights.attributions", 1, "model", "backend.insights.work:attribute"),
    Work("insights.history", 1, "model", "backend.insights.history_work:history"),
    Work("insights.baselines", 1, "model", "backend.insights.baselines_work:baselines_of"),
    Work("insights.content", 1, "model", "backend.insights.work:content"),
    Work("insights.whatif", 1, "model", "backend.insights.work:change"),
    Work("insights.interactions", 1, "model", "backend.insights.quick_work:interactions_of"),
    Work("insights.trial", 1, "model", "backend.insights.quick_work:trial"),
    Work("metric.sweep", 1, "model", "backend.metric_learning.work:sweep"),
    Work("metric.maps", 1, "model", "backend.metric_learning.work:maps"),
    Work("metric.pair", 1, "model", "backend.metric_learning.work:pair"),
    Work("metric.swap", 1, "model", "backend.metric_learning.work:swap"),
    Work("metric.words", 1, "model", "backend.metric_learning.work:notion"),
    Work("metric.generate", 1, "model", "backend.metric_learning.generate:generate"),
    Work("metric.model", 1, "model", "backend.metric_learning.own_work:model"),
    Work("metric.place", 1, "analysis", "backend.metric_learning.own_work:place"),
    Work("metric.values", 1, "analysis", "backend.metric_learning.own_work:values"),
    Work("metric.own", 2, "analysis", "backend.metric_learning.work:own"),
    Work("nero.orbit", 1, "model", "backend.nero.work:orbit"),
    Work("nero.item", 1, "model", "backend.nero.work:item"),
    Work("nero.input", 1, "analysis", "backend.nero.work:moved"),
    Work("nero.at", 1, "model", "backend.nero.work:at"),
    Work("nero.projection", 1, "analysis", "backend.nero.work:projection"),
    Work("registry.model", 1, "model", "backend.registry.work:model"),
    Work("registry.set", 1, "analysis", "backend.registry.work:data"),
    Work("registry.preview", 1, "analysis", "backend.registry.work:preview"),
    Work("zoom.infer", 1, "model", "backend.zoom.work:infer"),
    Work("zoom.draws", 1, "model", "backend.zoom.work:draws"),
    Work("zoom.compare", 1, "model", "backend.zoom.work:compare"),
    Work("zoom.train", 1, "model", "backend.zoom.work:train"),
    Work("zoom.gradcam", 1, "model", "backend.zoom.gradcam:work"),
    Work("zoom.answers", 1, "analysis", "backend.zoom.answers:work"),
    Work("zoom.pyramid", 1, "analysis", "backend.zoom.work:build_pyramid"),
    Work("zoom.build", 1, "analysis", "backend.zoom.work:build_large"),
    Work("system.device", 1, "model", "backend.system:device"),
)


def find(name: str, works: Mapping[str, Work] = WORK) -> Work:
    """The row called ``name``.

    Raises:
        NotFound: there is none.
    """
    if name not in works:
        raise NotFound(f"There is no work called {name[:80]!r}.", f"There is {', '.join(works)}.")
    return works[name]
