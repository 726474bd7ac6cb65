"""Pools of the user's own on the fair-retrieval page: a table of scores and groups, or registered
pairs whose scores a dual encoder makes of a text.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from flask import Blueprint, Response, request
from numpy.typing import NDArray

from backend.cache import key_of
from backend.errors import BadRequest
from backend.fair import groups, table
from backend.gap import registered, requests, spaces
from backend.gap.spaces import Space
from components import gap_asked as asked_for
from components.json_body import json_body
from components.runtime import services

LARGEST_BYTES: Final = 60 * 1024 * 1024
SLOW_S: Final = 60.0  # the first text opens the model
MOST_GROUPS: Final = 50
blueprint = Blueprint("fair_own", __name__, url_prefix="/_fair")


@blueprint.post("/import")
def receive_table() -> Response:
    """Stores a table of scores and groups: the file ``table``, and ``plus`` and ``minus``.

    ``{own, title, n, counts, has_predicted, has_relevant}``.
    """
    file = request.files.get("table")
    if file is None or not file.filename:
        raise BadRequest("No table was given.", "Choose a .csv or .parquet file.")
    if (request.content_length or 0) > LARGEST_BYTES:
        raise BadRequest("The table is larger than 60 MB.", "Keep the needed columns only.")
    plus, minus = (request.form.get(name, "").strip() for name in ("plus", "minus"))
    read = table.loaded(file.stream, file.filename)
    held = table.scored(read, file.filename, plus, minus)
    groups.both(held.truth, "table")
    relevant = np.zeros(len(held.scores), np.uint8)
    relevant[held.relevant or []] = 1
    arrays: dict[str, NDArray[Any]] = {
        "scores": held.scores,
        "truth": held.truth,
        "predicted": held.predicted,
        "relevant": relevant,
        "ids": np.array([name[:80] for name in held.ids]),
    }
    told = _kept(arrays, file.filename)
    return asked_for.reply(
        {**told, "has_predicted": "predicted" in read, "has_relevant": bool(held.relevant)}
    )


@blueprint.get("/spaces")
def send_spaces() -> Response:
    """``{spaces: [{key, title, groups: [{name, count}]}]}``: registered pairs that a text can be
    asked of, and whose labels name two groups or more; the largest groups first.
    """
    held = [spaces.load(key, services().store) for key in registered.titles()]
    listed = [
        {"key": one.key, "title": one.title, "groups": _named(one)}
        for one in held
        if one.has_encoder and len(_named(one)) > 1
    ]
    return asked_for.reply({"spaces": listed})


def _named(held: Space) -> list[dict[str, Any]]:
    found = Counter(held.groups).most_common(MOST_GROUPS)
    return [{"name": name, "count": count} for name, count in found if name]


@blueprint.post("/pairs")
def score_pairs() -> Response:
    """Stores the pool of a registered space, scored by a text: ``{space, text, plus, minus}`` to
    ``{own, title, n, counts}``.
    """
    body = json_body()
    held, text = asked_for.space(body), str(body.get("text") or "").strip()
    if not held.groups:
        raise BadRequest(
            f"{held.title} has no labels, so nothing says which group a picture is in.",
            "Register the pairs in folders named by their group, or with a column of labels.",
        )
    plus, minus = (str(body.get(name) or "").strip() for name in ("plus", "minus"))
    truth = groups.named(held.groups, plus, minus)
    arrays = services().jobs.call("gap.scores", {**requests.named(held), "text": text}, SLOW_S)
    title = f"“{text}” over {held.title}"
    pool: dict[str, NDArray[Any]] = {
        "scores": arrays["cosines"].astype(np.float64),
        "truth": truth,
        "predicted": truth,
        "relevant": np.zeros(len(held), np.uint8),
        "ids": np.array([caption[:80] for caption in held.captions]),
        "query": np.array([text]),
        "names": np.array([minus, "neither", plus]),
        "space": np.array([held.key, held.title]),
    }
    return asked_for.reply(_kept(pool, title))


def _kept(arrays: dict[str, NDArray[Any]], title: str) -> dict[str, Any]:
    """Stores a pool under its content: ``{own, title, n, counts}``."""
    digest = hashlib.sha256(b"".join(array.tobytes() for array in arrays.values())).hexdigest()
    key = key_of("fair.own", 1, content=digest)
    services().store.put(key, arrays)
    counts = [int((arrays["truth"] == sign).sum()) for sign in (-1, 0, 1)]
    return {"own": key, "title": title[:200], "n": len(arrays["scores"]), "counts": counts}


def told(own: str, rows: Sequence[int]) -> dict[str, Any]:
    """What the page says of an own pool: ``{query, labels}`` of items by their row; of registered
    pairs also ``names`` of the groups -1, 0 and +1, ``source``, and where their ``pictures`` are.
    """
    arrays = services().store.get(own)
    if arrays is None:
        return {"query": "your table", "labels": {}}
    items = arrays["ids"]
    found = {"query": "your table", "labels": {str(row): str(items[row]) for row in set(rows)}}
    if "space" not in arrays:
        return found
    key, title = arrays["space"].tolist()
    return {
        **found,
        "query": str(arrays["query"][0]),
        "names": arrays["names"].tolist(),
        "source": title,
        "pictures": f"/_gap/thumb/{key}",
    }
