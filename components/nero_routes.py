"""Binary answers of the NERO page that are not whole stored results: one item, one angle."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Final

import numpy as np
from flask import Blueprint, Flask, Response, request
from numpy.typing import NDArray

from backend import datasets
from backend.errors import BadRequest, NotFound
from backend.nero.requests import at_params
from backend.protocols import JSON, Arrays
from backend.wire import pack
from components.nero_spec import image_url
from components.runtime import services

KEYS: Final = re.compile(r"[0-9a-f]{64}(,[0-9a-f]{64}){0,11}")
PER_ITEM: Final = {"item_ids", "outputs", "class_ids"}
blueprint = Blueprint("nero", __name__, url_prefix="/_nero")


def register(server: Flask) -> None:
    server.register_blueprint(blueprint)


@blueprint.get("/item")
def item() -> Response:
    """Outputs of one item along the whole orbit, for every result asked for; about 3 kB each."""
    keys = _text("keys", KEYS).split(",")
    results = [_stored(key) for key in keys]
    row = _whole("row", 0, len(results[0]["item_ids"]) - 1)
    arrays: dict[str, NDArray[np.generic]] = {}
    for i, result in enumerate(results):
        if row >= len(result["outputs"]):
            raise BadRequest(f"row={row} is not in every result.", "Ask for results of one set.")
        arrays[f"outputs_{i}"] = result["outputs"][row]
        arrays[f"class_ids_{i}"] = result["class_ids"][row]
    items = datasets.load(_text("items", re.compile(r"[a-z0-9-]{1,40}")))
    if row >= len(items):
        raise BadRequest(f"row={row} is not in {items.title}.", "Ask for results of this set.")
    return _binary(arrays, {"row": row, "image_url": image_url(items, row)}, is_final=True)


@blueprint.get("/at")
def at() -> Response:
    """The models' answers for one item at any angle, computed now."""
    angle = _number("angle")
    models = request.args.get("models", "").split(",")
    params = at_params(request.args.get("task", ""), models, _whole("item", 0, 2**53), angle)
    arrays = services().jobs.call("nero.at", params)
    split = {
        f"{name}_{i}": arrays[whole][i]
        for i in range(len(models))
        for name, whole in (("outputs", "probabilities"), ("class_ids", "class_ids"))
    }
    return _binary(split, {"angle": angle}, is_final=False)


def _binary(arrays: Arrays, meta: Mapping[str, JSON], *, is_final: bool) -> Response:
    answer = Response(pack(arrays, meta), mimetype="application/octet-stream")
    answer.headers["Cache-Control"] = "private, max-age=86400" if is_final else "no-store"
    return answer


def _stored(key: str) -> dict[str, NDArray[np.generic]]:
    arrays = services().store.get(key)
    if arrays is None:
        raise NotFound("This result is no longer stored.", "Reload the page to compute it again.")
    if not arrays.keys() >= PER_ITEM:
        raise BadRequest("This result is not an orbit.", "Open the page again.")
    return arrays


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
