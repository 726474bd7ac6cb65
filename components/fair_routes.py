"""HTTP routes of the fair-retrieval page: answers, the survey of all queries, pictures."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

import orjson
from flask import Blueprint, Flask, Response, request

from backend.fair import opening
from backend.fair import pool as pools
from backend.jobs import JobRequest
from components import fair_own, fair_state
from components.figures import fair_curves as figures
from components.json_body import json_body
from components.nero_figures import plain
from components.runtime import services

IMMUTABLE: Final = "public, max-age=31536000, immutable"
SLOW_S: Final = 60.0  # the first typed query loads the encoder
blueprint = Blueprint("fair", __name__, url_prefix="/_fair")


def register(server: Flask) -> None:
    """Adds the routes."""
    server.register_blueprint(blueprint)
    server.register_blueprint(fair_own.blueprint)


@blueprint.get("/pool")
def send_pool() -> Response:
    """What the page knows of the pool: queries, groups, looks and places of its pictures."""
    held = pools.people()
    return reply(
        {
            "n": len(held),
            "fingerprint": held.fingerprint,
            "activities": held.activities,
            "activity": held.activity,
            "looks": held.looks,
            "groups": held.groups,
            "names": pools.NAMES,
            "colours": figures.GROUP_COLOURS,
            "sheet": pools.SHEET,
            "xy": held.xy,
        }
    )


@blueprint.get("/people.webp")
def send_people() -> Response:
    """All pictures of the pool on one sheet; ``v`` is the pool's fingerprint."""
    data = (pools.FOLDER / "people.webp").read_bytes()
    answer = Response(data, mimetype="image/webp")
    answer.set_etag(hashlib.sha256(data).hexdigest())
    answer.headers["Cache-Control"] = IMMUTABLE
    answer.make_conditional(request)
    return answer


@blueprint.post("/answer")
def send_answer() -> Response:
    """One query before and after, from a state of the page, with its figures."""
    values = fair_state.checked(json_body())
    found = answered(values)
    view = f"{values['attribute']} {values['own']}"
    found["figures"] = {
        "curves": plain(figures.bias(found, view=view)),
        "quantiles": plain(figures.quantiles(found, view=view)),
    }
    return reply(found)


@blueprint.post("/overview")
def send_overview() -> Response:
    """All queries of the pool, with figures; ``{job, result, title}`` while it is made."""
    body = json_body()
    values = fair_state.checked(body)
    job = survey_job(values)
    arrays = services().store.get(job.key)
    if arrays is None:
        visit = str(body.get("visit", ""))[:64]
        job = JobRequest(job.work, job.params, job.title, f"fair-overview@{visit}" if visit else "")
        submitted = services().jobs.submit(job)
        return reply({"result": job.key, "job": submitted, "title": job.title})
    found = document(arrays)
    view = str(values["attribute"])
    found["figures"] = {
        "tradeoff": plain(figures.tradeoff(found, p=float(values["p"]), view=view)),
        "queries": plain(figures.queries(found, chosen=str(values["query"]), view=view)),
        "methods": plain(figures.methods(found, view=view)),
        "predictor": plain(figures.noise(found, view=view)),
    }
    return reply(found)


def answered(values: Mapping[str, Any]) -> dict[str, Any]:
    """What the worker says of one query; ids of an imported table have their names with them."""
    asked = fair_state.params(values)
    own, typed = str(values["own"]), " ".join(str(values["typed"]).split())
    if own:
        asked["own"] = own
    elif typed:
        asked["vectors"] = vectors_of(typed)
    else:
        asked["query"] = str(values["query"])
    found = document(services().jobs.call("fair.answer", asked, SLOW_S))
    found["query"] = typed or values["query"]
    if own:
        found |= fair_own.told(own, [*found["before"]["ids"], *found["after"]["ids"]])
    found["neutral"] = not (set(typed.lower().split()) & pools.GROUP_WORDS)
    return found


@lru_cache(maxsize=64)
def _encoded(typed: str, server: int) -> tuple[tuple[float, ...], ...]:
    arrays = services().jobs.call("fair.encode", {"text": typed}, SLOW_S)
    return tuple(map(tuple, arrays["vectors"].astype(float).tolist()))


def vectors_of(typed: str) -> list[list[float]]:
    """A typed query and its prompts as the encoder's vectors."""
    return [list(row) for row in _encoded(typed, id(services()))]


def survey_job(values: Mapping[str, Any]) -> JobRequest:
    """The job that surveys all queries of the pool, for a checked state."""
    return opening.survey_job(fair_state.params(values))


def surveyed(values: Mapping[str, Any]) -> dict[str, Any] | None:
    """The stored survey of a checked state, or None."""
    arrays = services().store.get(survey_job(values).key)
    return None if arrays is None else document(arrays)


def document(arrays: Mapping[str, Any]) -> dict[str, Any]:
    """The JSON that a worker packed."""
    found: dict[str, Any] = orjson.loads(arrays["json"].tobytes())
    return found


def reply(value: Mapping[str, object]) -> Response:
    """JSON that nobody keeps; what is not finite is null."""
    packed = orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY)
    answer = Response(packed, mimetype="application/json")
    answer.headers["Cache-Control"] = "no-store"
    return answer
