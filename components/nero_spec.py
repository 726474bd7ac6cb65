"""What the NERO page tells the browser: which results to fetch, and figures without their arrays.

A spec is a few kB of JSON; the arrays it names are fetched from ``/_data`` by key.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import Any, Final, Protocol

import numpy as np
import plotly.graph_objects as go

from backend import catalog, datasets, sprites
from backend.errors import BackendError
from backend.items import ItemSet
from backend.jobs import JobRequest
from backend.nero import tasks
from backend.nero.requests import OrbitRequest
from components.figures import orbit as figures
from components.runtime import services

TELLING_ANGLE_DEG: Final = 170.0  # a turned 6 reads as a 9 here
TELLING_CLASS: Final = "6"
STEPS_DEG: Final = tuple(step for step in range(1, 91) if 360 % step == 0)
PROJECTION_SEED: Final = 0
MOST_MODELS: Final = 6
NO_POINTS: Final = np.empty((0, 2), dtype=np.float32)


class Request(Protocol):
    """Anything that can be computed as a job."""

    def job(self, view: str = "") -> JobRequest: ...


def obtain(request: Request, view: str) -> dict[str, str | None]:
    """``{"result": key, "job": id}``; no job where the result lies in the store already.

    A newer request of the same ``view`` cancels an older one that nobody else waits for.
    """
    job = request.job(view)
    if services().store.has(job.key):
        return {"result": job.key, "job": None}
    return {"result": job.key, "job": services().jobs.submit(job)}


def telling_item(items: ItemSet) -> int:
    """Id of the item a page opens on: the first 6 where there are digits, else the first."""
    label = items.classes.index(TELLING_CLASS) if TELLING_CLASS in items.classes else -1
    rows = np.flatnonzero(items.labels == label)
    return int(items.ids[rows[0] if len(rows) else 0])


def task_options() -> list[dict[str, str]]:
    titles = [datasets.load(tasks.find(name).item_set).title for name in tasks.names()]
    return [
        {"value": name, "label": title}
        for name, title in zip(tasks.names(), titles, strict=True)
        if catalog.models_for(name)
    ]


def ordered_models(task: str) -> list[str]:
    """Keys of the models for a task: those it compares first, then the others."""
    first = [key for key in tasks.find(task).compare if key in catalog.models_for(task)]
    return [*first, *(key for key in catalog.models_for(task) if key not in first)]


def step_options(steps_deg: Sequence[int]) -> list[dict[str, str]]:
    return [{"value": str(s), "label": f"{s}° · {360 // s} angles"} for s in steps_deg]


def subset_options(items: ItemSet) -> list[dict[str, str]]:
    """All items, the current selection, and each class that occurs."""
    present = sorted(set(items.labels.tolist()))
    counts = np.bincount(items.labels, minlength=len(items.classes))
    named = [{"value": f"class:{k}", "label": f"{items.classes[k]} ({counts[k]})"} for k in present]
    everything = {"value": "all", "label": f"All items ({len(items)})"}
    return [everything, {"value": "selection", "label": "Selection"}, *named]


def comparison(
    task: str, models: Sequence[str], *, step_deg: int, with_control: bool, visit: str
) -> dict[str, Any]:
    """The spec of one comparison: items, models with their results or jobs, empty figures."""
    items = datasets.load(tasks.find(task).item_set)
    if not 0 < len(models) <= MOST_MODELS:
        message = "No model is chosen." if not models else f"{len(models)} models are too many."
        return {"task": task, "models": [], "message": message, "hint": CHOOSE}
    try:
        rows = [
            _model(OrbitRequest(task, key, step_deg), i, with_control, visit)
            for i, key in enumerate(models)
        ]
    except BackendError as error:
        return {"task": task, "models": [], "message": error.message, "hint": error.hint}
    return {
        "task": task,
        "items": _items(items),
        "models": rows,
        "figures": _empty_figures(items, models, step_deg, with_control),
    }


CHOOSE: Final = "Choose one to six models above; the first two stand for the source's comparison."


def _model(request: OrbitRequest, index: int, with_control: bool, visit: str) -> dict[str, Any]:
    card = catalog.card(request.model)
    undone = replace(request, control=True)
    view = f"nero-{card.key}@{visit}"
    return {
        "key": card.key,
        "title": card.title,
        "index": index,
        "colour": figures.ModelCurve(card.key, card.title, index).colour,
        "fingerprint": card.fingerprint,
        **obtain(request, view),
        "control": obtain(undone, f"{view}-control") if with_control else None,
    }


def _items(items: ItemSet) -> dict[str, Any]:
    return {
        "key": items.key,
        "title": items.title,
        "fingerprint": items.fingerprint,
        "n": len(items),
        "classes": list(items.classes),
        "atlas": _atlas(items.key),
    }


@cache
def _sheet(key: str) -> sprites.Sheet:
    return sprites.sheet(datasets.load(key))


def _atlas(key: str) -> dict[str, Any]:
    sheet = _sheet(key)
    name = services().media.put_image(sheet.pixels)
    return {"url": f"/_media/{name}.webp", **sheet.facts()}


def image_url(items: ItemSet, row: int) -> str | None:
    """Where the item's own pixels are; ``None`` where the sheet has them already."""
    if _sheet(items.key).is_full_size:
        return None
    return f"/_media/{services().media.put_image(items.image(row))}.webp"


def _empty_figures(
    items: ItemSet, models: Sequence[str], step_deg: int, with_control: bool
) -> dict[str, Any]:
    curves = [figures.ModelCurve(k, catalog.card(k).title, i) for i, k in enumerate(models)]
    angles = np.arange(0, 360, step_deg, dtype=np.float32)
    view = f"{items.key} {step_deg}"
    few = items.classes if len(items.classes) <= 20 else ()
    made = {
        "aggregate": figures.aggregate(angles, curves, view=view, with_control=with_control),
        "individual": figures.individual(angles, curves, view=view, with_control=with_control),
        "detail": figures.detail(few, curves, view=view),
        "projection": figures.projection(NO_POINTS, NO_POINTS[:, 0], view=view),
        "confusion": figures.confusion(angles, few, NO_POINTS, view=view),
    }
    return {name: _plain(figure) for name, figure in made.items()}


def _plain(figure: go.Figure) -> dict[str, Any]:
    """As JSON values; the template is the browser's, which knows light from dark."""
    figure.layout.template = None
    plain: dict[str, Any] = figure.to_plotly_json()
    return plain


def projection_subset(task: str, subset: str, selection: Mapping[str, Any]) -> Any:
    """The rows a projection is fitted on, as ``ProjectionRequest`` takes them."""
    if subset.startswith("class:"):
        return {"class": int(subset.removeprefix("class:"))}
    if subset == "selection":
        items = datasets.load(tasks.find(task).item_set)
        ids = selection.get("ids", []) if selection.get("items") == items.key else []
        return {"rows": np.flatnonzero(np.isin(items.ids, ids)).tolist()}
    return "all"
