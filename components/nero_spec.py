"""What the NERO page tells the browser: which results to fetch, and figures without their arrays.

A spec is a few kB of JSON; the arrays it names are fetched from ``/_data`` by key. It says what a
task and an orbit can do (layout, metrics, views, consensus), never which ones they are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import Any, Final, Protocol

import numpy as np

from backend import catalog, sprites
from backend.errors import BackendError
from backend.items import ItemSet
from backend.jobs import JobRequest
from backend.nero import orbits, tasks
from backend.nero.consensus import INSTEAD, WHY_NOT
from backend.nero.requests import OrbitRequest, ProjectionRequest
from components import nero_figures
from components.figures import orbit as figures
from components.nero_state import CONTROL, Place, answers_classes, offered_metrics
from components.runtime import services

PROJECTION_SEED: Final = 0
MOST_MODELS: Final = 6
LARGE: Final = 100_000  # numbers in an array; above, they travel with 16 bits each
CHOOSE: Final = "Choose one to six models above; the first two stand for the source's comparison."


class Request(Protocol):
    """Anything that can be computed as a job."""

    def job(self, view: str = "") -> JobRequest: ...


def obtain(request: Request, view: str) -> dict[str, str | None]:
    """``{"result": key, "job": id}``; no job where the result lies in the store already.

    A newer request of the same ``view`` cancels an older one that nobody else waits for, also
    where the newer one's result is there already.
    """
    job = request.job(view)
    if services().store.has(job.key):
        services().jobs.release(view)
        return {"result": job.key, "job": None}
    return {"result": job.key, "job": services().jobs.submit(job)}


def comparison(
    where: Place, models: Sequence[str], *, step: str, with_control: bool, visit: str
) -> dict[str, Any]:
    """The spec of one comparison: items, models with their results or jobs, empty figures."""
    told: dict[str, Any] = {"task": where.task, "set": where.items.key, "models": []}
    if not 0 < len(models) <= MOST_MODELS:
        message = "No model is chosen." if not models else f"{len(models)} models are too many."
        return {**told, "message": message, "hint": CHOOSE}
    orbit = where.family.orbit(step)
    try:
        rows = [
            _model(_request(where, key, orbit.key), i, with_control, visit)
            for i, key in enumerate(models)
        ]
    except BackendError as error:
        return {**told, "message": error.message, "hint": error.hint}
    curves = [figures.ModelCurve(k, catalog.card(k).title, i) for i, k in enumerate(models)]
    return {
        **told,
        **_abilities(where),
        "orbit": _orbit(where, orbit),
        "items": _items(where.items),
        "models": rows,
        "figures": nero_figures.empty(where, orbit, curves, with_control=with_control),
    }


def _request(where: Place, model: str, orbit: str) -> OrbitRequest:
    return OrbitRequest(where.task, model, orbit, dataset=where.items.key)


def _abilities(where: Place) -> dict[str, Any]:
    """What the task can show of these items."""
    task = tasks.find(where.task)
    is_invariant = task.kind == "invariant"
    return {
        "kind": task.kind,
        "metrics": metrics(where),
        "views": {"input": task.views.input, "detail": task.views.detail},
        "has_truth": where.has_truth,
        "has_consensus": not is_invariant,
        "why_not_consensus": f"{WHY_NOT} {INSTEAD}" if is_invariant else "",
        "has_classes": answers_classes(where.task),
    }


def metrics(where: Place) -> list[dict[str, Any]]:
    """The metrics offered, the main one first.

    ``array`` and ``consensus`` name the stored arrays, None where the browser derives the values
    from the answers. ``single`` is the metric that plots of one item show when this one is chosen:
    a share over many items is 0 or 1 for one, so that its item plots show the main metric.
    """
    task = tasks.find(where.task)
    main, derived = next(iter(task.metrics)), answers_classes(where.task)
    told = []
    for name in offered_metrics(where):
        metric = task.metrics[name]
        suffix = "" if name == main else f"_{name}"
        is_summary = name == task.summary and where.has_truth
        told.append(
            {
                "name": name,
                "title": metric.title,
                "label": label(metric.name),
                "unit": metric.unit,
                "low": metric.low,
                "high": metric.high,
                "higher_is_better": metric.higher_is_better,
                "array": None if derived and suffix else f"metric{suffix}",
                "consensus": f"consensus_metric{suffix}" if task.kind != "invariant" else None,
                "single": main if is_summary else name,
            }
        )
    return told


def label(name: str) -> str:
    """A metric in a menu and beside a plot: short names are abbreviations, such as IOU or RMSE."""
    first, *rest = name.split("_")
    head = first.upper() if len(first) <= 4 else first.capitalize()
    return " ".join([head, *rest])


def _orbit(where: Place, orbit: orbits.Orbit) -> dict[str, Any]:
    return {
        "family": where.family.key,
        "key": orbit.key,
        "title": where.family.title,
        "name": orbit.name,
        "group": where.family.group,
        "layout": orbit.layout,
        "size": orbit.size,
        "identity": orbit.identity_index,
        "labels": list(orbit.labels),
        "positions": np.round(orbit.positions, 6).tolist(),
        "axes": list(orbit.axes),
        "is_wide": orbit.size * len(where.items) > LARGE,
        "is_turned_here": is_turned_here(orbit),
        "telling": telling_element(orbit),
    }


def is_turned_here(orbit: orbits.Orbit) -> bool:
    """Whether the browser itself transforms the input, at any angle: rotations of images."""
    return isinstance(orbit, orbits.Rotations)


def telling_element(orbit: orbits.Orbit) -> int:
    """Where an orbit opens: half way from the identity to the end of its last coordinate."""
    if orbit.layout == "squares":
        return min(2, orbit.size - 1)  # cells have no half way: a quarter turn
    places = orbit.positions
    last = 0 if orbit.layout == "heatmap" else places.shape[1] - 1
    wanted = places[orbit.identity_index].copy()
    line = places[:, last]
    end = line.max() if line.max() > wanted[last] else line.min()
    wanted[last] += (end - wanted[last]) / 2
    span = np.maximum(np.ptp(places, axis=0), 1e-9)
    return int((np.abs(places - wanted) / span).sum(axis=1).argmin())


def _model(request: OrbitRequest, index: int, with_control: bool, visit: str) -> dict[str, Any]:
    card = catalog.card(request.model)
    view = f"nero-{card.key}@{visit}"
    undone = replace(request, control=True) if with_control else None
    return {
        "key": card.key,
        "title": card.title,
        "index": index,
        "colour": figures.ModelCurve(card.key, card.title, index).colour,
        "fingerprint": card.fingerprint,
        **obtain(request, view),
        "control": obtain(undone, f"{view}-control") if undone else None,
    }


def _items(items: ItemSet) -> dict[str, Any]:
    return {
        "key": items.key,
        "title": items.title,
        "fingerprint": items.fingerprint,
        "n": len(items),
        "classes": list(items.classes),
        "atlas": _atlas(items),
    }


@cache
def _sheet(key: str, fingerprint: str) -> sprites.Sheet:
    from backend import datasets

    del fingerprint  # part of the key: another content, another sheet
    return sprites.sheet(datasets.load(key))


def _atlas(items: ItemSet) -> dict[str, Any]:
    sheet = _sheet(items.key, items.fingerprint)
    name = services().media.put_image(sheet.pixels)
    return {"url": f"/_media/{name}.webp", **sheet.facts()}


def image_url(items: ItemSet, row: int) -> str | None:
    """Where the item's own pixels are; ``None`` where the sheet has them already."""
    if _sheet(items.key, items.fingerprint).is_full_size:
        return None
    return f"/_media/{services().media.put_image(items.image(row))}.webp"


def family_of(orbit: str) -> tuple[str, bool]:
    """A choice of the menu as its family, and whether resampling alone is drawn as well."""
    return orbit.removesuffix(CONTROL), orbit.endswith(CONTROL)


def curves_of(
    where: Place,
    model: str,
    step: str,
    subset: str,
    method: str,
    curves: Mapping[str, Any],
    selection: Mapping[str, Any],
) -> ProjectionRequest:
    """The map of one model's curves; ``curves`` names their metric and what it compares with.

    Raises:
        NotFound, BadRequest: as the request does.
    """
    return ProjectionRequest(
        task=where.task,
        model=model,
        orbit=where.family.orbit(step).key,
        subset=projection_subset(where.items, subset, selection),
        method=method,
        seed=PROJECTION_SEED,
        dataset=where.items.key,
        metric=str(curves["metric"]),
        consensus=curves["consensus"] == "consensus",
    )


def projection_subset(items: ItemSet, subset: str, selection: Mapping[str, Any]) -> Any:
    """The rows a projection is fitted on, as ``ProjectionRequest`` takes them."""
    if subset.startswith("class:"):
        return {"class": int(subset.removeprefix("class:"))}
    if subset == "selection":
        ids = selection.get("ids", []) if selection.get("items") == items.key else []
        return {"rows": np.flatnonzero(np.isin(items.ids, ids)).tolist()}
    return "all"
