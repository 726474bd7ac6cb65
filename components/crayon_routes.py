"""HTTP routes of the Crayon page: what to ask next, answers, undo, progress, pictures.

A POST answers after its answers are on disk. A client numbers what it sends (``client`` and
``sequence``), so it may send again whatever it has no reply to.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Final

import numpy as np
from flask import Blueprint, Flask, Response, request
from numpy.typing import NDArray

from backend.crayon import aggregate, exchange, panels, queue, requests, sets
from backend.crayon.answers import ADJUDICATED, HUMAN, LARGEST, Answer, Scope
from backend.errors import BadRequest, NotFound
from backend.media import encoded
from components import crayon_actions, identity
from components import crayon_asked as asked
from components.json_body import json_body
from components.runtime import services

KEPT: Final = "public, max-age=31536000, immutable"
SENT: Final = ("sequence", "item_id", "answer", "reason", "ms", "answered_at")
blueprint = Blueprint("crayon", __name__, url_prefix="/_crayon")


def register(server: Flask) -> None:
    """Adds the routes, those of the actions too."""
    server.register_blueprint(blueprint)
    crayon_actions.register(server)


@blueprint.get("/sets")
def list_sets() -> Response:
    """``{sets: [{key, title, classes, groups, question, has_masks, …}], unusable: [{key, title,
    message, hint}]}``; the user's own after the bundled ones.
    """
    found, unusable = [], []
    for key, title in sets.known().items():
        if not identity.may_see(key):
            continue
        try:
            held = sets.load(key)
        except (BadRequest, NotFound) as error:  # its folder is gone or has changed
            reason = {"message": error.message, "hint": error.hint}
            unusable.append({"key": key, "title": title, **reason})
            continue
        names = ("key", "title", "classes", "question", "patch_question", "panels", "source")
        told = {name: getattr(held, name) for name in names}
        counts = {split: len(held.rows(split)) for split in sets.SPLITS}
        told["has_masks"] = held.cover is not None
        found.append(told | {"groups": held.group_names, "counts": counts})
    return asked.reply({"sets": found, "unusable": unusable})


@blueprint.get("/next")
def send_next() -> Response:
    """The next items of an annotator with the addresses of their pictures.

    Simulated answers never take an item from a human; adjudicated items are settled.
    """
    held, scope, who = asked.guided_set(), asked.scope(), asked.who()
    standing = services().answers.given(scope)
    stored = [a for a in standing if a.source == HUMAN]
    settled = {a.item_id for a in standing if a.source == ADJUDICATED}
    excluded = settled.union(asked.numbers("exclude"))
    order = request.args.get("order", "random")
    count, overlap = asked.whole("n", 10, 50), asked.whole("overlap", 2, 9)
    found = asked.arrays(scope)
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
    return asked.reply({"items": [asked.shown_item(held, scope, found, item) for item in items]})


@blueprint.post("/answers")
def add_answers() -> Response:
    """Stores answers in their order: ``{set, kind, as, client, role?, answers: [...]}``.

    With the role ``adjudicator`` they decide about disputed items. An answer about an item that
    has one already replaces it, so editing is answering again.
    """
    body = json_body()
    held, scope = asked.guided_set(body), asked.scope(body)
    who, client = asked.who(body), asked.client(body)
    rows = body.get("answers")
    if not isinstance(rows, list) or not 1 <= len(rows) <= asked.MOST:
        raise BadRequest("A request holds 1 to 500 answers.", "Send the others afterwards.")
    found = asked.arrays(scope)
    source = ADJUDICATED if _adjudicates(body) else HUMAN
    made = [_made(held, scope, who, client, row, found, source) for row in rows]
    numbers = services().answers.add(made)
    stored = [a.sequence for a in made]
    return asked.reply({"stored": stored, "ids": numbers})


def _made(
    held: sets.GuidedSet,
    scope: Scope,
    who: str,
    client: str,
    row: object,
    found: Mapping[str, NDArray[Any]],
    source: str,
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
        source=source,
        item_hash=str(row.get("item_hash", "")),
        map_hash=str(row.get("map_hash", "")),
    ).checked()
    count = len(held) if scope.kind == "map" else len(found["patches"])
    if made.item_id >= count:
        raise BadRequest(
            f"There is no {scope.kind} {made.item_id} in {held.title}.", "Reload the page."
        )
    return made


def _adjudicates(values: Mapping[str, Any]) -> bool:
    role = values.get("role", "")
    if role not in ("", "adjudicator"):
        raise BadRequest(f"role={str(role)[:40]!r} is not known.", "adjudicator, or none.")
    if role:
        identity.need(identity.WORKERS, "Settling disputes")
    return bool(role)


@blueprint.post("/undo")
def undo() -> Response:
    """Takes back the annotator's newest answer: ``{set, kind, as, client, sequence, role?}``."""
    body = json_body()
    held, scope = asked.guided_set(body), asked.scope(body)
    who, client, sequence = asked.who(body), asked.client(body), body.get("sequence")
    if type(sequence) is not int or not 0 <= sequence <= LARGEST:
        raise BadRequest(f"sequence={str(sequence)[:40]!r} is not a whole number from 0.")
    decides = _adjudicates(body)
    taken = services().answers.undo(scope, who, client, sequence, adjudicated=decides)
    told = None
    if taken is not None:
        why = f"You had answered {taken.answer}."
        told = asked.shown_item(held, scope, asked.arrays(scope), queue.Next(taken.item_id, why))
    return asked.reply({"undone": told, "progress": _progress(held, scope, who)})


@blueprint.get("/recent")
def send_recent() -> Response:
    """The annotator's last answers that stand, the newest first, with their pictures."""
    held, scope, who = asked.guided_set(), asked.scope(), asked.who()
    found = asked.arrays(scope)
    count, decides = asked.whole("n", 10, 50), _adjudicates(request.args)
    last = services().answers.recent(scope, who, count, adjudicated=decides)
    told = [
        asked.shown_item(held, scope, found, queue.Next(a.item_id, ""))
        | {"answer": a.answer, "id": a.id}
        for a in last
    ]
    return asked.reply({"items": told})


@blueprint.get("/progress")
def send_progress() -> Response:
    """How far the annotator and everyone are."""
    return asked.reply(_progress(asked.guided_set(), asked.scope(), asked.who()))


@blueprint.get("/agreement")
def send_agreement() -> Response:
    """Kappas of blind answers, disputed and settled items; of human answers only unless
    ``source=simulated``.
    """
    source = request.args.get("source", HUMAN)
    wanted = (HUMAN, ADJUDICATED) if source == HUMAN else (source,)
    stored = services().answers.current(asked.scope())
    return asked.reply(aggregate.agreement(asdict(a) for a in stored if a.source in wanted))


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
    return asked.reply({"read": len(made), "new": exchange.add(services().answers, made)})


@blueprint.get("/picture/<item_set>/<kind>/<int:number>/<name>.webp")
def picture(item_set: str, kind: str, number: int, name: str) -> Response:
    """One panel of a map, or a patch; named by model and set, so kept for good."""
    identity.sees(item_set)
    held = sets.load(item_set)
    scope = Scope(item_set, requests.fingerprint(item_set, asked.parent_key()), kind)
    told = f"{item_set}:{scope.model}:{held.fingerprint}:{asked.saliency()}"
    tag = f"crayon:{told}:{kind}:{number}:{name}"
    data = services().small.get(tag)
    if data is None:
        data = encoded(_drawn(held, scope, number, name), lossless=False)
        services().small.put(tag, data)
    answer = Response(data, mimetype="image/webp")
    answer.headers["Cache-Control"] = KEPT
    return answer


def _drawn(held: sets.GuidedSet, scope: Scope, number: int, name: str) -> NDArray[np.uint8]:
    found = asked.arrays(scope)
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
    standing = services().answers.current(scope)
    stored = [a for a in standing if a.source != ADJUDICATED]
    mine = [a for a in stored if a.annotator == who]
    rows = len(held.rows("training"))
    total = rows if scope.kind == "map" else len(asked.arrays(scope)["patches"])
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
        "adjudicated": len({a.item_id for a in standing if a.source == ADJUDICATED}),
        "median_s": pace_s,
        "left_s": pace_s * (total - len(mine)) if pace_s is not None else None,
    }
