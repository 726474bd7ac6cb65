"""HTTP routes of what the Crayon page shows: the diagnosis and its gallery."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

import numpy as np
import orjson
from flask import Blueprint, Flask, Response, request
from numpy.typing import NDArray

from backend.cache import ArrayStore
from backend.crayon import aggregate, diagnosis, metrics, requests, sets
from backend.crayon.answers import Scope
from backend.errors import BadRequest, NotFound
from components.figures import crayon_groups
from components.nero_figures import plain
from components.runtime import services

Arrays = dict[str, NDArray[Any]]
PAGE_ITEMS: Final = 24
MOST_ITEMS: Final = 96
ORDERS: Final = ("wrong", "unsure", "energy", "item")
blueprint = Blueprint("crayon_views", __name__, url_prefix="/_crayon")


def register(server: Flask) -> None:
    """Adds the routes."""
    server.register_blueprint(blueprint)


@blueprint.get("/diagnosis")
def send_diagnosis() -> Response:
    """``{groups, summary, figure, split}`` of a model on a split."""
    item_set, parent, split = asked("set"), asked("parent"), asked("split", "test")
    held, told = sets.load(item_set), items_of(item_set, parent)
    groups = diagnosis.by_group(held, told, split)
    sums = diagnosis.summary(groups)
    view = f"{item_set} {parent} {split}"
    figure = crayon_groups.accuracy(groups, view=view, mean=sums.get("mean", math.nan))
    return reply({"groups": groups, "summary": sums, "figure": plain(figure), "split": split})


@blueprint.get("/items")
def send_items() -> Response:
    """``{total, items: [...]}``: one page of the gallery, each item with its pictures."""
    item_set, parent, split = asked("set"), asked("parent"), asked("split", "test")
    order, group = asked("sort", "wrong"), whole("group", -1, -1, 63)
    if order not in ORDERS:
        raise BadRequest(f"sort={order[:40]!r} is not known.", ", ".join(ORDERS))
    held, told = sets.load(item_set), items_of(item_set, parent)
    rows = diagnosis.ordered(held, told, split, group, order)
    start, count = whole("offset", 0, 0, 10**7), whole("n", PAGE_ITEMS, 1, MOST_ITEMS)
    shown = [item(held, told, int(row), parent) for row in rows[start : start + count]]
    return reply({"total": len(rows), "offset": start, "items": shown})


@blueprint.get("/classes")
def send_classes() -> Response:
    """``{table, classes, warning, used, source}``: what the answers say about each class."""
    item_set, parent, source = asked("set"), asked("parent"), asked("source", "human")
    return reply(classes(item_set, parent, source, whole("minimum", 2, 1, 9)))


def classes(item_set: str, parent: str, source: str, minimum: int) -> dict[str, Any]:
    """The answers about a model's maps by class, and a warning where they nearly tell the class.

    Where the model has no answers of its own, those about the original's maps are shown and named
    as transferred. Raises as ``sets.load``.
    """
    held = sets.load(item_set)
    verdict, told = verdicts(item_set, parent, source, minimum)
    rows = held.rows("training")
    table = metrics.answers_by_class(verdict, held.labels[rows], len(held.classes))
    warning = metrics.class_warning(table, held.classes)
    return {"table": table.tolist(), "classes": list(held.classes), "warning": warning, **told}


def verdicts(
    item_set: str, parent: str, source: str, minimum: int
) -> tuple[NDArray[np.int64], dict[str, Any]]:
    """Verdicts ``(n,)`` on the training maps, 0 where nothing is decided; and what they rest on."""
    if source not in ("human", "simulated"):
        raise BadRequest(f"source={source[:40]!r} is not known.", "human or simulated.")
    held, model = sets.load(item_set), requests.fingerprint(item_set, parent)
    training = held.rows("training")
    told: dict[str, Any] = {"source": source, "answers": 0, "annotators": 0, "transferred": False}
    for scope in dict.fromkeys((model, requests.fingerprint(item_set))):
        try:
            rows, told["transferred"] = services().answers.for_model(
                Scope(item_set, scope), model, source=source
            )
        except NotFound:
            continue
        told |= {"answers": len(rows), "annotators": len({row["annotator"] for row in rows})}
        found = aggregate.verdicts(rows, np.arange(len(held)), minimum)[training]
        return found, told | {"model": scope}
    return np.zeros(len(training), np.int64), told | {"model": model}


def item(held: sets.GuidedSet, told: Mapping[str, Any], row: int, parent: str) -> dict[str, Any]:
    """One tile of a gallery."""
    truth, said = int(held.labels[row]), int(told["pred"][row])
    return {
        "id": row,
        "name": held.names[row] if held.names else f"item {row}",
        "group": int(held.groups[row]),
        "truth": held.classes[truth],
        "pred": held.classes[said],
        "right": truth == said,
        "confidence": float(told["confidence"][row]),
        "energy": number(told["energy"][row]),
        "panels": pictures(held, row, parent),
    }


def pictures(held: sets.GuidedSet, row: int, parent: str) -> dict[str, str]:
    """Addresses of the panels of an item under a model's map."""
    known = requests.fingerprint(held.key, parent)
    tail = f".webp?parent={parent}&v={known}-{held.fingerprint}"
    return {
        name: f"/_crayon/picture/{held.key}/map/{row}/{name}{tail}"
        for name in ("original", "overlay", "red")
    }


def items_of(item_set: str, parent: str) -> Arrays:
    """The stored ``crayon.items`` of a model.

    Raises:
        NotFound: they are not computed, or there is no such set or model.
    """
    return read(services().store, diagnosis.items_job(item_set, parent).key)


@lru_cache(maxsize=8)
def read(store: ArrayStore, key: str) -> Arrays:
    """A stored result, kept in memory. Raises ``NotFound`` where there is none."""
    found = store.get(key)
    if found is None:
        raise NotFound("This is not computed yet.", "Open the page: it computes what is missing.")
    return found


def number(value: object) -> float | None:
    """A number for JSON; None where it is not defined."""
    held = float(value)  # type: ignore[arg-type]
    return held if math.isfinite(held) else None


def asked(name: str, default: str = "") -> str:
    """A text of the query, cut to a sensible length."""
    return request.args.get(name, default)[:80]


def whole(name: str, default: int, low: int, high: int) -> int:
    """A whole number of the query.

    Raises:
        BadRequest: it is none, or out of bounds.
    """
    text = request.args.get(name, str(default))
    digits = text.removeprefix("-")
    is_number = digits.isascii() and digits.isdigit() and len(digits) < 10
    if not is_number or not low <= int(text) <= high:
        raise BadRequest(f"{name}={text[:40]!r} is not a whole number from {low} to {high}.")
    return int(text)


def reply(value: Mapping[str, object]) -> Response:
    """JSON that nobody keeps; what is not finite is null."""
    answer = Response(
        orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY), mimetype="application/json"
    )
    answer.headers["Cache-Control"] = "no-store"
    return answer
