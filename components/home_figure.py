"""The plot beside "Start here": accuracy of two models along the circle, from stored results."""

from __future__ import annotations

from typing import Final, TypedDict

import orjson

from backend import catalog
from backend.errors import BackendError
from backend.jobs import key_for
from backend.nero.requests import OrbitRequest
from backend.nero.result import OrbitResult
from backend.work import WORK
from components.runtime import Services

TASK: Final = "digits"
MODELS: Final = ("digits-plain", "digits-rotated")


class Curve(TypedDict):
    """One model: its name, its place among the colours, and its accuracy at each angle, 0 to 1."""

    title: str
    colour: int
    values: list[float]


class HomeFigure(TypedDict):
    """What ``assets/13-home-figure.js`` draws; no curves where nothing has been computed yet."""

    curves: list[Curve]
    items: int


def home_figure(held: Services) -> HomeFigure:
    """The curves of those models whose result is stored; cheap, and the same for every visitor."""
    curves: list[Curve] = []
    items = 0
    for place, model in enumerate(MODELS):
        found = _accuracy(model, held)
        if found:
            items, values = found
            title = catalog.card(model).title
            curves.append({"title": title, "colour": place, "values": values})
    return {"curves": curves, "items": items}


def _accuracy(model: str, held: Services) -> tuple[int, list[float]] | None:
    """Number of items and accuracy per angle of a stored orbit, None where there is none."""
    try:
        key = key_for(OrbitRequest(TASK, model).job(), WORK)
    except BackendError:  # an installation without these models still has a home page
        return None
    kept = held.small.get(f"home:{key}")
    if kept is None:
        arrays = held.store.get(key)
        if arrays is None:
            return None
        result = OrbitResult.from_arrays(arrays)
        told = [len(result.item_ids), [round(float(v), 4) for v in result.aggregate("accuracy")]]
        kept = orjson.dumps(told)
        held.small.put(f"home:{key}", kept)
    items, values = orjson.loads(kept)
    return items, values
