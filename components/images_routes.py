"""HTTP routes of the grid of images: what is known of all rows at once, and names by the block."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import orjson
from flask import Blueprint, Flask, Response
from numpy.typing import NDArray

from backend import wire
from backend.errors import NotFound
from backend.protocols import JSON
from backend.registry import computed, index, sets, store, views
from backend.registry.gathered import Index
from backend.registry.store import OwnSet
from components.images_state import MARKS, items_of
from components.library_routes import NAME

BLOCK: Final = 500  # rows whose names are sent at once
IMMUTABLE: Final = "private, max-age=31536000, immutable"
blueprint = Blueprint("images", __name__, url_prefix="/_images")


def register(server: Flask) -> None:
    """Adds the routes."""
    server.register_blueprint(blueprint)


@blueprint.get("/<name>")
def about(name: str) -> Response:
    """What a set is now: its fingerprint names everything else."""
    held = _held(name)
    kind = sets.KINDS.get(held.spec.kind)
    told = {
        "name": name,
        "title": held.spec.told,
        "fingerprint": held.fingerprint[:16],
        "n": held.summary["items"],
        "classes": held.spec.classes,
        "noun": kind.noun if kind else "images",
        "items": items_of(held),
        "problems": held.summary["problems"],
        "first_problems": held.summary["first_problems"],
        "marks": {key: bits for key, (_, bits) in MARKS.items()},
        "block": BLOCK,
        "views": [[view.name, view.href] for view in views.of_set(held) if view.href],
        "computed": [{"key": key, **about} for key, about in computed.listed(name).items()],
    }
    answer = Response(orjson.dumps(told), mimetype="application/json")
    answer.headers["Cache-Control"] = "no-store"
    return answer


@blueprint.get("/<name>/<sha>/rows")
def rows(name: str, sha: str) -> Response:
    """``labels`` and ``marks`` (n,) as typed arrays."""
    known = _index(name, sha)
    small = np.int16 if len(known.labels) and known.labels.max() < 2**15 else np.int32
    message = wire.pack({"labels": known.labels.astype(small), "marks": known.marks})
    return _kept(message, "application/octet-stream")


@blueprint.get("/<name>/<sha>/names/<int:block>")
def names(name: str, sha: str, block: int) -> Response:
    """``names``, ``splits`` and ``sizes`` of 500 rows."""
    known = _index(name, sha)
    part = slice(BLOCK * block, BLOCK * (block + 1))
    told: dict[str, Any] = {
        "names": known.names[part].tolist(),
        "splits": known.splits[part].tolist(),
        "sizes": known.sizes[part].tolist(),
    }
    return _kept(orjson.dumps(told), "application/json")


@blueprint.get("/<name>/<sha>/with/<key>")
def numbers(name: str, sha: str, key: str) -> Response:
    """Imported numbers over all rows: columns (n,), NaN where unknown, and ``answers``, -1 there;
    the meta says which columns there are and whether there are maps.
    """
    count, found = len(_index(name, sha).names), computed.load(name, key)
    columns = found.columns
    arrays: dict[str, NDArray[Any]] = {
        column: computed.spread(found, values, count) for column, values in columns.items()
    }
    if found.answers is not None:
        whole = np.full(count, -1, np.int32)
        whole[found.rows] = found.answers
        arrays["answers"] = whole
    about: dict[str, JSON] = {"columns": list(columns), "has_maps": "maps" in found.arrays}
    return _kept(wire.pack(arrays, about), "application/octet-stream")


@blueprint.get("/<name>/<sha>/map/<key>/<int:row>")
def attribution(name: str, sha: str, key: str, row: int) -> Response:
    """The imported map of one row, ``map`` (h, w)."""
    _index(name, sha)
    found = computed.load(name, key)
    place = np.flatnonzero(found.rows == row)
    if "maps" not in found.arrays or not len(place):
        raise NotFound(f"There is no map of row {row}.")
    picture = np.asarray(found.arrays["maps"][place[0]], np.float32)
    return _kept(wire.pack({"map": picture}), "application/octet-stream")


def _held(name: str) -> OwnSet:
    if not NAME.fullmatch(name):
        raise NotFound("There is no such data set.")
    return store.required().set(name)


def _index(name: str, sha: str) -> Index:
    if not _held(name).fingerprint.startswith(sha):
        raise NotFound("The set was indexed again.", "Reload the page.")
    return index.load(name)


def _kept(data: bytes, mimetype: str) -> Response:
    answer = Response(data, mimetype=mimetype)
    answer.headers["Cache-Control"] = IMMUTABLE
    return answer
