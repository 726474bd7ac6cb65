"""HTTP routes of the grid of images: what is known of all rows at once, and names by the block."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import orjson
from flask import Blueprint, Flask, Response

from backend import wire
from backend.errors import NotFound
from backend.registry import index, sets, store
from backend.registry.index import Index
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
