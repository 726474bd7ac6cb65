"""Binary answers of the NERO page that are not whole stored results: one item, one element."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

import numpy as np
import orjson
from flask import Blueprint, Flask, Response, request
from numpy.typing import NDArray

from backend import datasets, own_sets
from backend.errors import BadRequest, NotFound
from backend.items import ItemSet
from backend.media import encoded
from backend.nero.requests import at_params, input_params
from backend.protocols import JSON, Arrays
from backend.wire import pack
from components import nero_payload
from components.runtime import services

KEYS: Final = re.compile(r"[0-9a-f]{64}(,[0-9a-f]{64}){0,11}")
SET: Final = re.compile(r"[a-z0-9-]{1,80}")
NEEDED: Final = {"item_ids", "labels", "metric"}
blueprint = Blueprint("nero", __name__, url_prefix="/_nero")


def register(server: Flask) -> None:
    """Adds the routes."""
    server.register_blueprint(blueprint)


@blueprint.get("/item")
def item() -> Response:
    """What the views of one item need along the whole orbit, for every result asked for.

    From the stored results where they hold it; else the models are asked once more for this item.
    """
    results = [_stored(key) for key in _text("keys", KEYS).split(",")]
    row = _whole("row", 0, len(results[0]["item_ids"]) - 1)
    if any(row >= len(result["item_ids"]) for result in results):
        raise BadRequest(f"row={row} is not in every result.", "Ask for results of one set.")
    items = _items()
    if row >= len(items):
        raise BadRequest(f"row={row} is not in {items.title}.", "Ask for results of this set.")
    arrays = nero_payload.of_results(results, row)
    if not arrays:
        arrays = _computed(int(items.ids[row]), items)
    more, meta = nero_payload.of_item(items, row, request.args.get("orbit", ""))
    return _binary({**arrays, **more}, {"row": row, **meta}, is_final=True)


def _computed(item_id: int, items: ItemSet) -> dict[str, NDArray[Any]]:
    models = request.args.get("models", "").split(",")
    task, orbit = request.args.get("task", ""), request.args.get("orbit", "")
    return nero_payload.computed(task, models, item_id, orbit, items.key)


@blueprint.get("/at")
def at() -> Response:
    """The models' answers for one image at any angle, computed now."""
    angle = _number("angle")
    models = request.args.get("models", "").split(",")
    task, item_id = request.args.get("task", ""), _whole("item", 0, 2**53)
    params = at_params(task, models, item_id, angle, _items_key())
    arrays = services().jobs.call("nero.at", params)
    split = {
        f"{name}_{i}": arrays[whole][i]
        for i in range(len(models))
        for name, whole in (("outputs", "probabilities"), ("class_ids", "class_ids"))
    }
    return _binary(split, {"angle": angle}, is_final=False)


@blueprint.get("/input")
def moved() -> Response:
    """One image under one element of an orbit, as WebP; kept for good where it was made."""
    task, orbit = request.args.get("task", ""), request.args.get("orbit", "")
    element, item_id = _whole("element", 0, 2**20), _whole("item", 0, 2**53)
    params = input_params(task, item_id, orbit, element, _items_key())
    print_ = datasets.load(str(params["dataset"])).fingerprint
    tag = hashlib.sha256(orjson.dumps([params, print_])).hexdigest()
    held = services()
    data = held.small.get(f"nero-input:{tag}")
    if data is None:
        pixels = held.jobs.call("nero.input", params)["image"].astype(np.uint8)
        data = encoded(pixels)
        held.small.put(f"nero-input:{tag}", data)
    answer = Response(data, mimetype="image/webp")
    answer.set_etag(tag)
    answer.headers["Cache-Control"] = "private, max-age=86400"
    answer.make_conditional(request)
    return answer


@blueprint.post("/open")
def open_own() -> Response:
    """Files of the user's own as a set: ``{"set", "url"}`` of the page that shows it."""
    task = request.args.get("task", "")
    files = [(file.filename or "file", file.read()) for file in request.files.getlist("files")]
    key = own_sets.put(task, files, services().store)
    answer = Response(
        orjson.dumps({"set": key, "url": f"/nero?task={quote(task)}&set={key}"}),
        mimetype="application/json",
    )
    answer.headers["Cache-Control"] = "no-store"
    return answer


def _binary(arrays: Arrays, meta: Mapping[str, JSON], *, is_final: bool) -> Response:
    answer = Response(pack(arrays, meta), mimetype="application/octet-stream")
    answer.headers["Cache-Control"] = "private, max-age=86400" if is_final else "no-store"
    return answer


def _stored(key: str) -> dict[str, NDArray[np.generic]]:
    arrays = services().store.get(key)
    if arrays is None:
        raise NotFound("This result is no longer stored.", "Reload the page to compute it again.")
    if not arrays.keys() >= NEEDED:
        raise BadRequest("This result is not an orbit.", "Open the page again.")
    return arrays


def _items() -> ItemSet:
    return datasets.load(_text("items", SET))


def _items_key() -> str:
    """The set that was named; the task's own unless one was."""
    return _text("items", SET) if "items" in request.args else ""


def _text(name: str, shape: re.Pattern[str]) -> str:
    text = request.args.get(name, "")
    if not shape.fullmatch(text):
        raise BadRequest(f"{name}={text[:40]!r} is not usable here.", "Open the page again.")
    return text


def _whole(name: str, low: int, high: int) -> int:
    text = request.args.get(name, "")
    value = int(text) if text.isascii() and text.isdigit() and len(text) < 17 else low - 1
    if not low <= value <= high:
        raise BadRequest(f"{name}={text[:40]!r} is not a whole number from {low} to {high}.")
    return value


def _number(name: str) -> float:
    text = request.args.get(name, "")
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value <= 360:
        raise BadRequest(f"{name}={text[:40]!r} is not a number from 0 to 360.")
    return value
