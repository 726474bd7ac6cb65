"""What the Zoom-In page starts by a click, as jobs: preparing an image, training."""

from __future__ import annotations

import re
from typing import Any, Final

import orjson
from flask import Blueprint, Flask, Response, request

from backend.errors import BadRequest
from backend.zoom.library import library
from backend.zoom.requests import TrainRequest, build_job, pyramid_job
from components.json_body import json_body
from components.runtime import services

blueprint = Blueprint("zoom_actions", __name__, url_prefix="/_zoom")
LARGE: Final = re.compile(r"large:([0-9]{1,6})\Z")


def register(server: Flask) -> None:
    """Adds the routes."""
    server.register_blueprint(blueprint)


@blueprint.post("/prepare")
def prepare() -> Response:
    """``{"job": id}`` of the job that an image needs before it can be looked at in full: a large
    set is built, a file gets its pyramid."""
    key = request.args.get("image", "")[:4200]
    found = library(services().settings).info(key)
    large = LARGE.match(key)
    job = build_job(int(large[1])) if large else pyramid_job(found.key)
    held = services()
    made_before = held.store.has(job.key)
    started = held.jobs.submit(job)
    if made_before and found.state != "ready":  # its file was removed to make room
        started = held.jobs.rerun(started)
    return _json({"job": started, "result": job.key})


@blueprint.post("/train")
def train() -> Response:
    """``{"job": id, "model": key}``; JSON body: folder, name, base, steps, n_tiles, seed."""
    asked = json_body()
    found = TrainRequest(
        str(asked.get("folder", "")),
        str(asked.get("name", "")),
        str(asked.get("base", "")),
        **{name: _whole(asked, name) for name in ("steps", "n_tiles", "seed")},
    )
    job = found.job()
    started = services().jobs.submit(job)
    return _json({"job": started, "result": job.key, "model": found.name})


def _json(answer: dict[str, str]) -> Response:
    response = Response(orjson.dumps(answer), mimetype="application/json")
    response.headers["Cache-Control"] = "no-store"
    return response


def _whole(body: dict[str, Any], name: str) -> int:
    value = body.get(name)
    if not isinstance(value, int) or isinstance(value, bool):
        raise BadRequest(f"{name}={str(value)[:40]} is not usable.", "Give a whole number.")
    return value
