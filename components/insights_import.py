"""HTTP routes that bring contents in: look at a table, correct its map of columns, import it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import orjson
from flask import Blueprint, Response, request

from backend.errors import BadRequest, NotFound
from backend.insights import contents, importer, library, stash
from components.json_body import json_body
from components.runtime import services

AT_ONCE: Final = 40
"""Imported while the browser waits; more images are a job."""
blueprint = Blueprint("insights_import", __name__, url_prefix="/_insights/import")


@blueprint.post("/preview")
def preview() -> Response:
    """What a table holds and what is wrong with it.

    Takes the files ``table`` and ``images`` (a zip) and ``mapping`` as a form, or JSON with
    ``{token, mapping}`` of an earlier preview or ``{path, images?, mapping?}`` of files below the
    allowed folders. ``{token, columns, mapping, rows, preview, problems: [{row, sentence}],
    n_problems, notes, summary}``.
    """
    if request.mimetype == "application/json":
        body = json_body()
        mapping, token = _mapping(body.get("mapping")), body.get("token", "")
        if not token:
            token = stash.put_path(_text(body, "path"), _text(body, "images"))
    else:
        table, images = request.files.get("table"), request.files.get("images")
        if table is None or not table.filename:
            raise BadRequest("No table was given.", "Choose a .csv or .parquet file.")
        mapping = _mapping(request.form.get("mapping"))
        token = stash.put(table.read(), table.filename, images.read() if images else None)
    return _reply({"token": token, **importer.preview(stash.get(str(token)), mapping)})


@blueprint.post("/confirm")
def confirm() -> Response:
    """Imports what was looked at: ``{token, mapping, title}``.

    ``{set, title, contents}``; with many images ``{job, result}``, and the set from ``/done``.
    """
    body = json_body()
    token, title = _text(body, "token"), _text(body, "title")
    mapping, upload = _mapping(body.get("mapping")), stash.get(token)
    found = importer.preview(upload, mapping)
    if not found["n_problems"] and found["summary"]["with_image"] > AT_ONCE:
        made = stash.job(token, mapping, title)
        return _reply({"job": services().jobs.submit(made), "result": made.key})
    held = library.add(upload, mapping, title)
    stash.drop(token)
    return _reply({"set": held.key, "title": held.title, "contents": len(held)})


@blueprint.get("/done/<result>")
def done(result: str) -> Response:
    """The set that a job imported: ``{set, title, contents}``."""
    arrays = services().store.get(result)
    if arrays is None or "set" not in arrays:
        raise NotFound("The import is not finished.", "Wait for the job, or look at its log.")
    held = contents.load(arrays["set"].tobytes().decode())
    return _reply({"set": held.key, "title": held.title, "contents": len(held)})


@blueprint.post("/remove")
def remove() -> Response:
    """Forgets a set of the user's: ``{set}``."""
    library.remove(_text(json_body(), "set"))
    return _reply({})


def _mapping(given: object) -> Mapping[str, Any]:
    """The map of columns that was sent; what it leaves out is guessed."""
    if isinstance(given, str) and given:
        try:
            given = orjson.loads(given)
        except orjson.JSONDecodeError as error:
            raise BadRequest("The map of columns is not JSON.", "Reload the page.") from error
    if given in (None, ""):
        return {}
    if not isinstance(given, Mapping):
        raise BadRequest("The map of columns is not a JSON object.", "Reload the page.")
    return given


def _text(body: Mapping[str, Any], name: str) -> str:
    value = body.get(name, "")
    if not isinstance(value, str):
        raise BadRequest(f"{name}={str(value)[:40]!r} is not a text.")
    return value


def _reply(told: dict[str, Any]) -> Response:
    answer = Response(orjson.dumps(told), mimetype="application/json")
    answer.headers["Cache-Control"] = "no-store"
    return answer
