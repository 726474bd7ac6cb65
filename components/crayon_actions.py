"""HTTP routes of the Crayon page beside answering: simulated annotators, adjudication, own sets."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import numpy as np
from flask import Blueprint, Flask, Response
from numpy.typing import NDArray

from backend.crayon import aggregate, library, panels, queue, requests, sets, simulate
from backend.crayon.answers import ADJUDICATED, HUMAN, Answer, Scope
from backend.errors import BadRequest
from components import crayon_asked as asked
from components.json_body import json_body
from components.runtime import services

blueprint = Blueprint("crayon_actions", __name__, url_prefix="/_crayon")


def register(server: Flask) -> None:
    """Adds the routes."""
    server.register_blueprint(blueprint)


@blueprint.post("/simulate")
def simulate_answers() -> Response:
    """Answers from masks: ``{set, kind, parent?, saliency?, noise, annotators, seed}``.

    ``{new, items, annotators, source: "simulated"}``. They replace earlier simulated answers.
    """
    body = json_body()
    held, scope = asked.guided_set(body), asked.scope(body)
    noise = body.get("noise", 0.05)
    if isinstance(noise, bool) or not isinstance(noise, int | float):
        raise BadRequest(f"noise={str(noise)[:40]!r} is not a number.", "Allowed are 0 to 0.5.")
    annotators, seed = _whole(body, "annotators", 2), _whole(body, "seed", 0)
    if held.cover is None:
        raise BadRequest(
            f"{held.title} has no masks, so nobody can be simulated.",
            "Annotate yourself, or register the set with a folder of masks.",
        )
    truth, ids, item_hashes, map_hashes = _truth(held, scope, asked.arrays(scope))
    made = simulate.answers(
        truth,
        ids,
        scope,
        noise=float(noise),
        annotators=annotators,
        seed=seed,
        item_hashes=item_hashes,
        map_hashes=map_hashes,
    )
    new = simulate.replaced(services().answers, made, scope)
    told = {"new": new, "items": len(ids), "annotators": annotators, "source": "simulated"}
    return asked.reply(told)


def _truth(
    held: sets.GuidedSet, scope: Scope, found: Mapping[str, NDArray[Any]]
) -> tuple[NDArray[np.bool_], NDArray[np.int64], tuple[str, ...], tuple[str, ...]]:
    """What an annotator without error says, about which items, and what is shown of them."""
    assert held.cover is not None
    if scope.kind == "map":
        rows = held.rows("training")
        maps = np.asarray(found["maps"][rows], np.float32)
        height, width = maps.shape[1:]
        truth = simulate.says_yes(maps, held.cover(rows.tolist(), (height, width)))
        shown = tuple(panels.map_hash(one) for one in maps)
        return truth, rows, (), shown
    patches = np.asarray(found["patches"], np.int64)
    items, place = np.unique(patches[:, 0], return_inverse=True)
    height, width = (int(v) for v in found["shape"])
    masks = held.cover(items.tolist(), (height, width))
    where = np.column_stack([place, patches[:, 1:]])
    return simulate.patch_says_yes(where, masks), np.arange(len(patches)), (), ()


@blueprint.get("/folders")
def list_folders() -> Response:
    """``{folders: [{path, layout}], layouts}``: what lies below the allowed folders."""
    told = {"folders": library.candidates(), "layouts": list(library.LAYOUTS)}
    return asked.reply(told)


@blueprint.post("/sets")
def add_set() -> Response:
    """Remembers a set of the user's: ``{path, layout, name, masks?, question?}``; its key."""
    body = json_body()
    names = ("path", "layout", "name", "masks", "question")
    for name in names:
        if not isinstance(body.get(name, ""), str):
            raise BadRequest(f"{name}={str(body[name])[:40]!r} is not a text.")
    given = {name: body.get(name, "") for name in names}
    held = library.add(**given)
    counts = {split: len(held.rows(split)) for split in sets.SPLITS}
    return asked.reply({"key": held.key, "title": held.title, "counts": counts})


@blueprint.post("/original")
def train_original() -> Response:
    """Trains the original model of an own set: ``{set, seed?, epochs?}`` to ``{job, key}``."""
    body = json_body()
    seed, epochs = _whole(body, "seed", 0), _whole(body, "epochs", 15)
    made = requests.original_job(asked.guided_set(body).key, seed, epochs)
    return asked.reply({"job": services().jobs.submit(made), "key": made.key})


@blueprint.get("/disputed")
def send_disputed() -> Response:
    """Items that annotators disagree about, with their answers, for whoever adjudicates.

    ``{items: [{item_id, …, answers: [{annotator, answer}], verdict}], open, settled}``: the open
    ones first, then those that are settled, the latest first, with the verdict (else None).
    """
    held, scope = asked.guided_set(), asked.scope()
    count = asked.whole("n", 20, 100)
    stored = services().answers.current(scope)
    rows = [a for a in stored if a.source in (HUMAN, ADJUDICATED)]
    found = aggregate.agreement(_row(a) for a in rows)
    by: dict[int, list[Answer]] = defaultdict(list)
    for answer in rows:
        by[answer.item_id].append(answer)
    shown = [*found["disputed"], *_latest_first(found["settled"], by)][:count]
    arrays = asked.arrays(scope) if shown else {}
    items = [_told(held, scope, arrays, item, by[item]) for item in shown]
    counts = {"open": len(found["disputed"]), "settled": len(found["settled"])}
    return asked.reply({"items": items, **counts})


def _latest_first(settled: list[int], by: Mapping[int, list[Answer]]) -> list[int]:
    newest = {item: max(a.id for a in by[item] if a.source == ADJUDICATED) for item in settled}
    return sorted(settled, key=lambda item: -newest[item])


def _told(
    held: sets.GuidedSet,
    scope: Scope,
    arrays: Mapping[str, NDArray[Any]],
    item: int,
    answers: list[Answer],
) -> dict[str, Any]:
    blind = [a for a in answers if a.source == HUMAN]
    said = [{"annotator": a.annotator, "answer": a.answer} for a in blind]
    decided = [a.answer for a in answers if a.source == ADJUDICATED]
    votes = [one["answer"] for one in said]
    why = f"{votes.count('yes')} yes, {votes.count('no')} no."
    told = asked.shown_item(held, scope, arrays, queue.Next(item, why))
    return told | {"answers": said, "verdict": decided[-1] if decided else None}


def _row(answer: Answer) -> dict[str, Any]:
    names = ("item_id", "annotator", "answer", "source")
    return {name: getattr(answer, name) for name in names}


def _whole(body: Mapping[str, Any], name: str, default: int) -> int:
    value = body.get(name, default)
    if type(value) is not int or not 0 <= value <= 10**6:
        raise BadRequest(f"{name}={str(value)[:40]!r} is not a whole number from 0.")
    return value
