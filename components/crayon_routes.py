"""HTTP routes of the Crayon page: what to ask next, answers, undo, progress, pictures.

A POST answers after its answers are on disk. A client numbers what it sends (``client`` and
``sequence``), so it may send again whatever it has no reply to.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import lru_cache
from typing import Any, Final

import numpy as np
import orjson
from flask import Blueprint, Flask, Response, request
from numpy.typing import NDArray

from backend.cache import ArrayStore
from backend.crayon import aggregate, exchange, panels, queue, requests, sets
from backend.crayon.answers import CLIENT, LARGEST, NAME, PLURAL, SET, Answer, Scope
from backend.errors import BadRequest, NotFound
from backend.media import encoded
from components.runtime import services

MOST: Final = 500  # answers in one request
KEPT: Final = "public, max-age=31536000, immutable"
SENT: Final = ("sequence", "item_id", "answer", "reason", "ms", "answered_at")
blueprint = Blueprint("crayon", __name__, url_prefix="/_crayon")


def register(server: Flask) -> None:
    """Adds the routes."""
    server.register_blueprint(blueprint)


@blueprint.get("/sets")
def list_sets() -> Response:
    """``{sets: [{key, title, classes, groups, question, …}]}``."""
    found = []
    for key in sets.bundled():
        held = sets.load(key)
        names = ("key", "title", "classes", "question", "patch_question", "panels", "source")
        told = {name: getattr(held, name) for name in names}
        counts = {split: len(held.rows(split)) for split in sets.SPLITS}
        found.append(told | {"groups": held.group_names, "counts": counts})
    return _json({"sets": found})


@blueprint.get("/next")
def send_next() -> Response:
    """The next items of an annotator with the addresses of their pictures."""
    held, scope, who = _set(), _scope(), _who()
    # Simulated answers never take an item from a human.
    stored = [a for a in services().answers.current(scope) if a.source == "human"]
    excluded = _numbers("exclude")
    order = request.args.get("order", "random")
    count, overlap = _whole("n", 10, 50), _whole("overlap", 2, 9)
    found = _arrays(scope)
    if scope.kind == "map":
        rows = held.rows("training")
        probabilities = np.asarray(found["probabilities"], np.float64)
        confidence = probabilities[np.arange(len(held)), held.labels]
        extra = {"groups": held.groups, "confidence": confidence}
    else:
        rows, extra = np.arange(len(found["patches"])), {}
    items = queue.upcoming(
        rows,
        stored,
        who,
        order=order,
        count=count,
        overlap=overlap,
        exclude=frozenset(excluded),
        **extra,
    )
    return _json({"items": [_told(held, scope, found, item) for item in items]})


def _told(
    held: sets.GuidedSet, scope: Scope, found: Mapping[str, NDArray[Any]], item: queue.Next
) -> dict[str, Any]:
    base = f"/_crayon/picture/{held.key}/{scope.kind}/{item.row}"
    tail = f".webp?parent={request.args.get('parent', '')}&v={scope.model}-{held.fingerprint}"
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


@blueprint.post("/answers")
def add_answers() -> Response:
    """Stores answers in their order: ``{set, kind, as, client, answers: [...]}``.

    An answer about an item that has one already replaces it, so editing is answering again.
    """
    body = _body()
    held, scope = _set(body), _scope(body)
    who, client = _who(body), _client(body)
    rows = body.get("answers")
    if not isinstance(rows, list) or not 1 <= len(rows) <= MOST:
        raise BadRequest("A request holds 1 to 500 answers.", "Send the others afterwards.")
    found = _arrays(scope)
    made = [_made(held, scope, who, client, row, found) for row in rows]
    numbers = services().answers.add(made)
    stored = [a.sequence for a in made]
    return _json({"stored": stored, "ids": numbers})


def _made(
    held: sets.GuidedSet,
    scope: Scope,
    who: str,
    client: str,
    row: object,
    found: Mapping[str, NDArray[Any]],
) -> Answer:
    if not isinstance(row, dict) or not {"sequence", "item_id", "answer"} <= row.keys():
        raise BadRequest("An answer names sequence, item_id and answer.", "Reload the page.")
    sent = {name: row[name] for name in SENT if name in row}
    made = Answer(
        **sent,
        client=client,
        item_set=scope.item_set,
        model=scope.model,
        kind=scope.kind,
        annotator=who,
        item_hash=str(row.get("item_hash", "")),
        map_hash=str(row.get("map_hash", "")),
    ).checked()
    count = len(held) if scope.kind == "map" else len(found["patches"])
    if made.item_id >= count:
        raise BadRequest(
            f"There is no {scope.kind} {made.item_id} in {held.title}.", "Reload the page."
        )
    return made


@blueprint.post("/undo")
def undo() -> Response:
    """Takes back the annotator's newest answer: ``{set, kind, as, client, sequence}``."""
    body = _body()
    held, scope = _set(body), _scope(body)
    who, client, sequence = _who(body), _client(body), body.get("sequence")
    if type(sequence) is not int or not 0 <= sequence <= LARGEST:
        raise BadRequest(f"sequence={str(sequence)[:40]!r} is not a whole number from 0.")
    taken = services().answers.undo(scope, who, client, sequence)
    told = None
    if taken is not None:
        why = f"You had answered {taken.answer}."
        told = _told(held, scope, _arrays(scope), queue.Next(taken.item_id, why))
    return _json({"undone": told, "progress": _progress(held, scope, who)})


@blueprint.get("/recent")
def send_recent() -> Response:
    """The annotator's last answers that stand, the newest first, with their pictures."""
    held, scope, who = _set(), _scope(), _who()
    found = _arrays(scope)
    last = services().answers.recent(scope, who, _whole("n", 10, 50))
    told = [
        _told(held, scope, found, queue.Next(a.item_id, "")) | {"answer": a.answer, "id": a.id}
        for a in last
    ]
    return _json({"items": told})


@blueprint.get("/progress")
def send_progress() -> Response:
    """How far the annotator and everyone are."""
    return _json(_progress(_set(), _scope(), _who()))


@blueprint.get("/agreement")
def send_agreement() -> Response:
    """Kappas and disputed items; of human answers only unless ``source=simulated``."""
    source = request.args.get("source", "human")
    stored = services().answers.current(_scope())
    return _json(aggregate.agreement(asdict(a) for a in stored if a.source == source))


@blueprint.get("/export.<suffix>")
def export(suffix: str) -> Response:
    """All answers as ``.jsonl`` or ``.csv``."""
    writers = {"jsonl": exchange.to_jsonl, "csv": exchange.to_csv}
    if suffix not in writers:
        raise NotFound("Answers are exported as .jsonl or .csv.")
    text = writers[suffix](services().answers.everything())
    answer = Response(text, mimetype="text/csv" if suffix == "csv" else "application/x-ndjson")
    answer.headers.set("Content-Disposition", "attachment", filename=f"loupe-answers.{suffix}")
    answer.headers["Cache-Control"] = "no-store"
    return answer


@blueprint.post("/import")
def load() -> Response:
    """Stores answers of a file in the body, ``?format=jsonl`` or ``csv``: ``{read, new}``."""
    try:
        text = request.get_data().decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadRequest("The file is not UTF-8 text.", "Save it as UTF-8.") from error
    made = exchange.read(text, request.args.get("format", ""))
    return _json({"read": len(made), "new": exchange.add(services().answers, made)})


@blueprint.get("/picture/<item_set>/<kind>/<int:number>/<name>.webp")
def picture(item_set: str, kind: str, number: int, name: str) -> Response:
    """One panel of a map, or a patch; named by model and set, so kept for good."""
    held = sets.load(item_set)
    parent = request.args.get("parent", "")
    scope = Scope(item_set, requests.fingerprint(item_set, parent), kind)
    tag = f"crayon:{item_set}:{scope.model}:{held.fingerprint}:{kind}:{number}:{name}"
    data = services().small.get(tag)
    if data is None:
        data = encoded(_drawn(held, scope, number, name), lossless=False)
        services().small.put(tag, data)
    answer = Response(data, mimetype="image/webp")
    answer.headers["Cache-Control"] = KEPT
    return answer


def _drawn(held: sets.GuidedSet, scope: Scope, number: int, name: str) -> NDArray[np.uint8]:
    found = _arrays(scope)
    if scope.kind == "map":
        if name not in panels.PANELS:
            raise NotFound(f"There is no panel {name[:40]!r}.", "original, overlay or red.")
        image = held.image(number)
        return panels.panel(name, image, np.asarray(found["maps"][number], np.float32))
    if name != "patch" or number >= len(found["patches"]):
        raise NotFound("There is no such patch.", "Reload the page.")
    item, y, x = (int(v) for v in found["patches"][number])
    grid = found["shape"]
    return panels.patch(held.image(item), (y, x), (int(grid[0]), int(grid[1])))


def _progress(held: sets.GuidedSet, scope: Scope, who: str) -> dict[str, Any]:
    """Counts of the annotator and of everyone, pace and time left."""
    stored = services().answers.current(scope)
    mine = [a for a in stored if a.annotator == who]
    rows = len(held.rows("training"))
    total = rows if scope.kind == "map" else len(_arrays(scope)["patches"])
    times = [a.ms / 1000 for a in mine if 0 < a.ms < 60_000][-50:]
    pace_s = float(np.median(times)) if times else None
    counts = {name: sum(a.answer == name for a in mine) for name in aggregate.ANSWERS}
    return {
        "answered": len(mine),
        "total": total,
        "counts": counts,
        "everyone": len(stored),
        "annotators": len({a.annotator for a in stored}),
        "simulated": sum(a.source == "simulated" for a in stored),
        "median_s": pace_s,
        "left_s": pace_s * (total - len(mine)) if pace_s is not None else None,
    }


def _arrays(scope: Scope) -> Mapping[str, NDArray[Any]]:
    """The stored maps or patches that are asked about."""
    parent = _parent()
    make = requests.maps_job if scope.kind == "map" else requests.patches_job
    job = make(scope.item_set, parent)
    try:
        return _read(services().store, job.key)
    except NotFound as error:
        raise NotFound(
            f"The {PLURAL[scope.kind]} are not computed yet.",
            "Compute them first.",
        ) from error


@lru_cache(maxsize=8)
def _read(store: ArrayStore, key: str) -> dict[str, NDArray[Any]]:
    """A stored result, kept in memory: answering must not wait for a file to be read."""
    found = store.get(key)
    if found is None:
        raise NotFound("This result is not stored.")
    return found


def _parent() -> str:
    given = request.args.get("parent", "")
    if request.method == "POST" and request.mimetype == "application/json":
        given = str(_body().get("parent", given))
    return given


def _set(body: Mapping[str, Any] | None = None) -> sets.GuidedSet:
    key = (request.args if body is None else body).get("set", "")
    if not isinstance(key, str) or not SET.fullmatch(key):
        raise BadRequest(f"set={str(key)[:40]!r} is not usable.", "Open the page again.")
    return sets.load(key)


def _scope(body: Mapping[str, Any] | None = None) -> Scope:
    given = request.args if body is None else body
    kind = given.get("kind", "map")
    if kind not in ("map", "patch"):
        raise BadRequest(f"kind={str(kind)[:40]!r} is not known.", "map or patch.")
    key = _set(body).key
    return Scope(key, requests.fingerprint(key, _parent()), kind)


def _who(body: Mapping[str, Any] | None = None) -> str:
    name = (request.args if body is None else body).get("as", "")
    if not isinstance(name, str) or not NAME.fullmatch(name) or name.startswith("simulated"):
        raise BadRequest(
            f"as={str(name)[:40]!r} is not a name.",
            "Use up to 40 letters, digits, spaces, dots, hyphens and brackets.",
        )
    return name


def _client(body: Mapping[str, Any]) -> str:
    client = body.get("client")
    if not isinstance(client, str) or not CLIENT.fullmatch(client):
        raise BadRequest(f"client={str(client)[:40]!r} is not usable.", "Reload the page.")
    return client


def _numbers(name: str) -> Sequence[int]:
    text = request.args.get(name, "")
    parts = text.split(",") if text else []
    if len(parts) > MOST or not all(p.isascii() and p.isdigit() and len(p) < 10 for p in parts):
        raise BadRequest(f"{name}={text[:40]!r} is not a list of numbers.")
    return [int(part) for part in parts]


def _whole(name: str, default: int, high: int) -> int:
    text = request.args.get(name, str(default))
    if not (text.isascii() and text.isdigit() and len(text) < 10 and 1 <= int(text) <= high):
        raise BadRequest(f"{name}={text[:40]!r} is not a whole number from 1 to {high}.")
    return int(text)


def _body() -> dict[str, Any]:
    if request.mimetype != "application/json":
        raise BadRequest("The request is not JSON.", "Its content type must be application/json.")
    try:
        body = orjson.loads(request.get_data())
    except orjson.JSONDecodeError as error:
        raise BadRequest("The request is not JSON.") from error
    if not isinstance(body, dict):
        raise BadRequest("The request is not a JSON object.")
    return body


def _json(value: Mapping[str, object]) -> Response:
    answer = Response(orjson.dumps(value), mimetype="application/json")
    answer.headers["Cache-Control"] = "no-store"
    return answer
