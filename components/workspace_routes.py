"""HTTP routes of the workspace: the selection for scripts, and the project file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from flask import Blueprint, Flask, Response, request

from backend import selections, workspace
from backend.errors import BadRequest
from backend.selections import Kept, SelectionStore
from components import identity
from components.json_body import json_body
from components.runtime import services

blueprint = Blueprint("workspace", __name__, url_prefix="/_workspace")


def register(server: Flask) -> None:
    """Adds the routes."""
    server.register_blueprint(blueprint)


def _store() -> SelectionStore:
    return SelectionStore(services().settings.state_dir)


def _whose() -> str:
    asks = identity.person()
    return asks.name if asks else ""


@blueprint.post("/selection")
def tell_selection() -> Response:
    """What the browser has selected: ``{current: {items, ids, link}, shelf: [{name, …}]}``."""
    body = json_body()
    current = selections.from_json(body.get("current"))
    _store().put(current, selections.listed(body.get("shelf", [])), _whose())
    return _reply({})


@blueprint.get("/selection")
def ask_selection() -> Response:
    """The same, for a notebook and for the next opening; ``at`` is 0 where nobody told any."""
    kept = _store().get(_whose())
    shelf = [one.to_json() for one in kept.shelf]
    return _reply({"current": kept.current.to_json(), "shelf": shelf, "at": kept.at})


@blueprint.get("/project.json")
def export_project() -> Response:
    """The workspace as a file: data, models, selections and notes."""
    told = workspace.exported(services().engine, _store().get(_whose()))
    answer = Response(workspace.written(told), mimetype="application/json")
    answer.headers["Cache-Control"] = "no-store"
    answer.headers.set("Content-Disposition", "attachment", filename="loupe-project.json")
    return answer


@blueprint.post("/project")
def open_project() -> Response:
    """Takes notes and selections of a file in; ``{link, selections, notes, missing}``.

    What is missing here can run code or lies in files of the machine: its owner loads it.
    """
    file = request.files.get("file")
    if file is None:
        raise BadRequest("No file was given.", "Choose a project file.")
    found = workspace.read(file.read())
    notes = workspace.restore_notes(services().engine, found)
    before = _store().get(_whose())
    named = {one.name: one for one in (*before.shelf, *found.selections) if one.name}
    kept = Kept(before.current, tuple(named.values()))
    _store().put(kept.current, kept.shelf, _whose())
    shelf = [{**one.to_json(), "ids": list(one.ids)} for one in kept.shelf]
    current = next((one for one in found.selections if not one.name), None)
    return _reply(
        {
            "link": found.link,
            "shelf": shelf,
            "current": {"items": current.items, "ids": list(current.ids)} if current else None,
            "notes": notes,
            "missing": found.missing(),
        }
    )


def _reply(told: Mapping[str, Any]) -> Response:
    answer = Response(orjson.dumps(dict(told)), mimetype="application/json")
    answer.headers["Cache-Control"] = "no-store"
    return answer
