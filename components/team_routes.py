"""HTTP routes of the team: users, invitations, the log of changes. ``access.py`` says for whom."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import urlsplit

import orjson
from flask import Blueprint, Flask, Response, g, request

from backend.crayon import sets
from backend.errors import BadRequest, NotFound
from backend.team.people import ADMIN, Person
from backend.team.team import Team
from components.identity import person
from components.json_body import json_body
from components.runtime import services

blueprint = Blueprint("team", __name__)
VIEW: Final = ("set", "model", "order", "overlap", "saliency", "step")


def register(server: Flask) -> None:
    """Adds the routes; without a login each answers that there is none."""
    server.register_blueprint(blueprint)


@blueprint.get("/_team/users")
def list_users() -> Response:
    """``{users: [{name, label, role, item_sets, is_disabled, created_at}]}``"""
    return _reply({"users": [_shown(one) for one in _team().people.everyone()]})


@blueprint.post("/_team/users")
def add_user() -> Response:
    """``{name, role, password}`` adds a user."""
    body, team = json_body(), _team()
    made = team.people.add(_text(body, "name"), _text(body, "role"), _text(body, "password"))
    _note("user added", f"{made.name}: {made.role}")
    return _reply({"user": _shown(made)})


@blueprint.post("/_team/users/<path:name>")
def change_user(name: str) -> Response:
    """One of ``{role}``, ``{password}`` and ``{is_disabled}``."""
    body, people = json_body(), _team().people
    if "role" in body:
        people.set_role(name, _text(body, "role"))
        _note("role changed", f"{name}: {body['role']}")
    elif "password" in body:
        people.set_password(name, _text(body, "password"))
        _note("password changed", name)
    elif isinstance(body.get("is_disabled"), bool):
        people.disable(name, body["is_disabled"])
        _note("user disabled" if body["is_disabled"] else "user enabled", name)
    else:
        raise BadRequest("Nothing is changed.", "Send role, password or is_disabled.")
    return _reply({"user": _shown(people.get(name))})


@blueprint.get("/_team/audit")
def list_changes() -> Response:
    """``{changes: [{at, who, action, target}]}``, the newest 200."""
    return _reply({"changes": _team().audit.newest()})


@blueprint.get("/_invites")
def list_invitations() -> Response:
    """``{invites: [{id, name, query, expires_at, is_open}]}``; links themselves are not kept."""
    return _reply({"invites": _team().invites.listed()})


@blueprint.post("/_invites")
def invite() -> Response:
    """``{name, view: {set, step, …}, days}`` makes a link that lets one annotator in."""
    body, team = json_body(), _team()
    given = body.get("view", {})
    if not isinstance(given, dict):
        raise BadRequest("view is not an object.", '{"set": "birds"}')
    view = {key: str(given[key])[:80] for key in VIEW if given.get(key)}
    if view.get("set") not in sets.known():
        raise BadRequest(
            f"There is no set {view.get('set', '')!r}.", f"One of {', '.join(sets.known())}."
        )
    token = team.invites.make(_text(body, "name"), view, [view["set"]], body.get("days", 14))
    _note("invited", f"{body['name']}: {view['set']}")
    parts = urlsplit(request.host_url)
    origin = request.headers.get("Origin") or f"{parts.scheme}://{parts.netloc}"
    return _reply({"url": f"{origin}/join/{token}"})


@blueprint.post("/_invites/<int:number>/revoke")
def revoke(number: int) -> Response:
    """Takes an invitation back and logs its annotator out."""
    _team().invites.revoke(number)
    _note("invitation revoked", str(number))
    return _reply({})


def may_manage() -> bool:
    """Whether whoever asks manages the team."""
    asks = person()
    return asks is not None and asks.role == ADMIN


def _team() -> Team:
    team = services().team
    if team is None:
        raise NotFound("No login is set up here.", "Set LOUPE_AUTH; see docs/operate.md.")
    return team


def _note(action: str, target: str) -> None:
    asks = person()
    _team().audit.add(asks.name if asks else "", action, target)
    g.audited = True


def _text(body: dict[str, Any], name: str) -> str:
    value = body.get(name, "")
    if not isinstance(value, str):
        raise BadRequest(f"{name} is not a text.", "Fill the form in again.")
    return value.strip() if name != "password" else value


def _shown(one: Person) -> dict[str, Any]:
    names = ("name", "label", "role", "item_sets", "is_disabled", "created_at")
    return {name: getattr(one, name) for name in names}


def _reply(value: dict[str, Any]) -> Response:
    response = Response(orjson.dumps(value), mimetype="application/json")
    response.headers["Cache-Control"] = "no-store"
    return response
