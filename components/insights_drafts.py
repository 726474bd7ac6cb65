"""HTTP routes of drafts: list, save, versions, delete."""

from __future__ import annotations

from typing import Any

import orjson
from flask import Blueprint, Response, request

from backend.errors import BadRequest
from backend.insights import changes, contents
from backend.insights.contents import Contents
from backend.insights.drafts import Draft
from components.json_body import json_body
from components.runtime import services

blueprint = Blueprint("insights_drafts", __name__, url_prefix="/_insights/drafts")


@blueprint.get("")
def list_drafts() -> Response:
    """The newest version of each draft of ``?set=``: ``{drafts: [{id, row, name, version, …}]}``.

    Drafts of contents that the set no longer has are left out.
    """
    held = contents.load(request.args.get("set", ""))
    found = services().drafts.newest(held.key)
    return _reply({"drafts": [_told(held, one) for one in found if one.content in held.ids]})


@blueprint.post("")
def save() -> Response:
    """Stores ``{set, row, name, draft, predicted?, model?, id?}``; with ``id``, its next version.

    ``{id, version, saved_at}`` once it is on disk.
    """
    body = json_body()
    held, row = contents.load(str(body.get("set", ""))), body.get("row")
    if type(row) is not int:
        raise BadRequest(f"row={str(row)[:40]!r} is not a whole number.")
    predicted, draft = body.get("predicted"), body.get("id", "")
    if isinstance(predicted, bool) or not isinstance(predicted, int | float | None):
        raise BadRequest(f"predicted={str(predicted)[:40]!r} is not a number.")
    if not isinstance(draft, str) or not isinstance(body.get("name"), str):
        raise BadRequest("A draft has a name, and an id where it is saved again.")
    stored = services().drafts.save(
        Draft(
            item_set=held.key,
            content=held.ids[held.checked_row(row)],
            name=body["name"].strip(),
            changes=changes.checked(held, body.get("draft")).told(),
            model=str(body.get("model", ""))[:64],
            predicted=predicted,
            draft=draft,
        )
    )
    told = {"id": stored.draft, "version": stored.version, "saved_at": stored.saved_at}
    return _reply(told)


@blueprint.get("/<draft>")
def versions(draft: str) -> Response:
    """All versions of a draft, the oldest first: ``{versions: [...]}``."""
    found = services().drafts.versions(draft)
    held = contents.load(found[0].item_set)
    return _reply({"versions": [_told(held, one) for one in found]})


@blueprint.post("/<draft>/delete")
def delete(draft: str) -> Response:
    """Hides a draft; its versions stay in the database."""
    services().drafts.delete(draft)
    return _reply({})


def _told(held: Contents, draft: Draft) -> dict[str, Any]:
    return {
        "id": draft.draft,
        "row": held.row_of(draft.content),
        "content": draft.content,
        "name": draft.name,
        "version": draft.version,
        "saved_at": draft.saved_at,
        "predicted": draft.predicted,
        "model": draft.model,
        "draft": draft.changes,
    }


def _reply(told: dict[str, Any]) -> Response:
    answer = Response(orjson.dumps(told), mimetype="application/json")
    answer.headers["Cache-Control"] = "no-store"
    return answer
