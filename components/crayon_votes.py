"""The route that says how the patches of a model's neurons were voted on."""

from __future__ import annotations

from dataclasses import asdict, replace

from flask import Blueprint, Flask, Response, request

from backend.crayon import aggregate
from backend.crayon.answers import ADJUDICATED, HUMAN, SOURCES
from backend.errors import BadRequest
from components import crayon_asked as asked
from components.runtime import services

blueprint = Blueprint("crayon-votes", __name__, url_prefix="/_crayon")


def register(server: Flask) -> None:
    """Adds the route."""
    server.register_blueprint(blueprint)


@blueprint.get("/votes")
def send_votes() -> Response:
    """``{votes: {patch: 1, -1 or 0}}`` of everyone from one source, ``source=human`` unless given.

    Adjudications are people's too. Patches that nobody was asked about are left out.
    """
    source = request.args.get("source", HUMAN)
    if source not in SOURCES:
        raise BadRequest(f"source={source[:40]!r} is not known.", f"One of {', '.join(SOURCES)}.")
    wanted = (HUMAN, ADJUDICATED) if source == HUMAN else (source,)
    stored = services().answers.current(replace(asked.scope(), kind="patch"))
    votes = aggregate.patches(asdict(a) for a in stored if a.source in wanted)
    return asked.reply({"votes": {str(patch): vote for patch, vote in sorted(votes.items())}})
