"""What a request to the Crayon routes asks about: set, model, annotator, stored maps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

import numpy as np
import orjson
from flask import Response, request
from numpy.typing import NDArray

from backend.cache import ArrayStore
from backend.crayon import panels, queue, requests, sets
from backend.crayon.answers import CLIENT, NAME, PLURAL, SET, Scope
from backend.errors import BadRequest, NotFound
from backend.once import alone
from components import identity
from components.json_body import json_body
from components.runtime import services

MOST: Final = 500  # answers in one request


def shown_item(
    held: sets.GuidedSet, scope: Scope, found: Mapping[str, NDArray[Any]], item: queue.Next
) -> dict[str, Any]:
    """One item as the annotator's browser needs it: question, addresses of pictures, hashes."""
    base = f"/_crayon/picture/{held.key}/{scope.kind}/{item.row}"
    tail = f".webp?parent={parent_key()}&v={scope.model}-{held.fingerprint}"
    if saliency() != requests.GRADCAM:
        tail += f"&saliency={saliency()}"
    if scope.kind == "map":
        urls = {name: f"{base}/{name}{tail}" for name in held.panels}
        row = item.row
        shown = panels.map_hash(np.asarray(found["maps"][row], np.float32))
    else:
        urls = {"patch": f"{base}/patch{tail}"}
        row = int(found["patches"][item.row, 0])
        shown = ""
    return {
        "item_id": item.row,
        "why": item.why,
        "question": held.asked(row, scope.kind),
        "panels": urls,
        "item_hash": held.item_hash(row),
        "map_hash": shown,
    }


def arrays(scope: Scope) -> Mapping[str, NDArray[Any]]:
    """The stored maps or patches that are asked about."""
    if scope.kind == "map":
        job = requests.maps_job(scope.item_set, parent_key(), saliency=saliency())
    else:
        job = requests.patches_job(scope.item_set, parent_key())
    try:
        return _read(services().store, job.key)
    except NotFound as error:
        raise NotFound(
            f"The {PLURAL[scope.kind]} are not computed yet.",
            "Compute them first.",
        ) from error


@alone
@lru_cache(maxsize=8)
def _read(store: ArrayStore, key: str) -> dict[str, NDArray[Any]]:
    """A stored result, kept in memory: answering must not wait for a file to be read."""
    found = store.get(key)
    if found is None:
        raise NotFound("This result is not stored.")
    return found


def parent_key() -> str:
    """The corrected model that is meant, by the key of its result; empty for the original."""
    return _either("parent", "")


def saliency() -> str:
    """The method of the maps that are meant.

    Raises:
        BadRequest: it is unknown.
    """
    return requests.checked_saliency(_either("saliency", requests.GRADCAM))


def _either(name: str, default: str) -> str:
    """From the query, or from the body of a POST that carries JSON."""
    given = request.args.get(name, default)
    if request.method == "POST" and request.mimetype == "application/json":
        given = str(json_body().get(name, given))
    return given


def guided_set(body: Mapping[str, Any] | None = None) -> sets.GuidedSet:
    """The set of the query, or of the body where one is given.

    Raises:
        BadRequest, NotFound: its name is not usable, or there is none.
    """
    key = (request.args if body is None else body).get("set", "")
    if not isinstance(key, str) or not SET.fullmatch(key):
        raise BadRequest(f"set={str(key)[:40]!r} is not usable.", "Open the page again.")
    identity.sees(key)
    return sets.load(key)


def scope(body: Mapping[str, Any] | None = None) -> Scope:
    """Set, model and kind. Raises as :func:`guided_set`."""
    given = request.args if body is None else body
    kind = given.get("kind", "map")
    if kind not in ("map", "patch"):
        raise BadRequest(f"kind={str(kind)[:40]!r} is not known.", "map or patch.")
    key = guided_set(body).key
    return Scope(key, requests.fingerprint(key, parent_key()), kind)


def who(body: Mapping[str, Any] | None = None) -> str:
    """The annotator's name.

    Raises:
        BadRequest: it is not usable, or that of a simulated annotator.
    """
    name = (request.args if body is None else body).get("as", "")
    if not isinstance(name, str) or not NAME.fullmatch(name) or name.startswith("simulated"):
        raise BadRequest(
            f"as={str(name)[:40]!r} is not a name.",
            "Use up to 40 letters, digits, spaces, dots, hyphens and brackets.",
        )
    identity.signs_as(name, is_writing=body is not None)
    return name


def client(body: Mapping[str, Any]) -> str:
    """The name under which a browser numbers what it sends.

    Raises:
        BadRequest: it is not usable.
    """
    named = body.get("client")
    if not isinstance(named, str) or not CLIENT.fullmatch(named):
        raise BadRequest(f"client={str(named)[:40]!r} is not usable.", "Reload the page.")
    return named


def numbers(name: str) -> Sequence[int]:
    """Whole numbers of the query, separated by commas. Raises ``BadRequest``."""
    text = request.args.get(name, "")
    parts = text.split(",") if text else []
    if len(parts) > MOST or not all(p.isascii() and p.isdigit() and len(p) < 10 for p in parts):
        raise BadRequest(f"{name}={text[:40]!r} is not a list of numbers.")
    return [int(part) for part in parts]


def whole(name: str, default: int, high: int) -> int:
    """A whole number of the query from 1 to ``high``. Raises ``BadRequest``."""
    text = request.args.get(name, str(default))
    if not (text.isascii() and text.isdigit() and len(text) < 10 and 1 <= int(text) <= high):
        raise BadRequest(f"{name}={text[:40]!r} is not a whole number from 1 to {high}.")
    return int(text)


def reply(value: Mapping[str, object]) -> Response:
    """JSON that is never kept."""
    answer = Response(orjson.dumps(value), mimetype="application/json")
    answer.headers["Cache-Control"] = "no-store"
    return answer
