"""The route that says how the patches of a model's neurons were voted on."""

from __future__ import annotations

from dataclasses import asdict

import orjson
from flask import Blueprint, Flask, Response, request

from backend.crayon import aggregate, requests
from backend.crayon.answers import SET, SOURCES, Scope
from backend.errors import BadRequest
from components.runtime import services

blueprint = Blueprint("crayon-votes", __name__, url_prefix="/_crayon")


def register(server: Flask) -> None:
    """Adds the route."""
    server.register_blueprint(blueprint)


@blueprint.get("/votes")
def send_votes() -> Response:
    """``{votes: {patch: 1, -1 or 0}}`` of everyone from one source, ``source=human`` unless given.

    Patches that nobody was asked about are left out.
    """
    key, source = request.args.get("set", ""), request.args.get("source", "human")
    if not SET.fullmatch(key):
        raise BadRequest(f"set={key[:40]!r} is not usable.", "Open the page again.")
    if source not in SOURCES:
        raise BadRequest(f"source={source[:40]!r} is not known.", f"One of {', '.join(SOURCES)}.")
    scope = Scope(key, requests.fingerprint(key, request.args.get("parent", "")), "patch")
    stored = services().answers.current(scope)
    votes = aggregate.patches(asdict(a) for a in stored if a.source == source)
    told = {"votes": {str(patch): vote for patch, vote in sorted(votes.items())}}
    answer = Response(orjson.dumps(told), mimetype="application/json")
    answer.headers["Cache-Control"] = "no-store"
    return answer
