"""HTTP routes of training runs: what a run would use and cost, starting it, and what has run."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from typing import Any, Final

import numpy as np
from flask import Blueprint, Flask, Response

from backend.crayon import aggregate, methods, runs, sets
from backend.crayon.requests import RefineRequest
from backend.errors import BadRequest, NotFound
from backend.jobs import JobState, JobView
from components.crayon_state import MOST_SEEDS
from components.crayon_views import asked, number, reply
from components.json_body import json_body
from components.runtime import services

MOST_RUNS: Final = 60  # of one press
blueprint = Blueprint("crayon_runs", __name__, url_prefix="/_crayon")


def register(server: Flask) -> None:
    """Adds the routes."""
    server.register_blueprint(blueprint)


@blueprint.post("/plan")
def send_plan() -> Response:
    """What the runs that a body describes would use, and what they would cost; nothing starts.

    ``{runs: [{method, seed, done}], relevant, irrelevant, neurons, pruned, transferred, seconds,
    known_from, stale, message, hint}``; a message means that they cannot run. ``stale`` counts the
    answers that are left out because something else had been shown, with a sentence.
    """
    request, wanted = _wanted(json_body())
    told: dict[str, Any] = {"transferred": False, "message": "", "hint": ""}
    try:
        told |= _used(request)
    except (NotFound, BadRequest) as error:
        told |= {"message": error.message, "hint": error.hint}
    past = services().jobs.recent(runs.MOST, runs.WORK)
    seconds, known = cost(wanted, past)
    told |= {"seconds": number(seconds), "known_from": known}
    return reply(told | {"runs": [{"method": one.method, "seed": one.seed} for one in wanted]})


@blueprint.post("/refine")
def start() -> Response:
    """``{jobs: [{job, key, method, seed}]}``: one run a seed, then the controls it needs.

    Controls that cannot run for want of answers about neurons are left out and named.
    """
    request, wanted = _wanted(json_body())
    held, started, left_out = services(), [], {}
    for one in wanted:
        try:
            job = one.job(held.answers, held.store)
        except (NotFound, BadRequest) as error:
            if one.method == request.method:
                raise
            left_out[one.method] = error.message
            continue
        told = {"method": one.method, "seed": one.seed, "key": job.key}
        started.append({**told, "job": held.jobs.submit(job)})
    return reply({"jobs": started, "left_out": left_out})


@blueprint.get("/runs")
def send_runs() -> Response:
    """``{runs, tree}`` of a set, the newest run first."""
    item_set = asked("set")
    sets.load(item_set)
    found = runs.of_set(services().jobs, services().store, item_set)
    return reply(
        {"runs": [told(run) for run in found], "tree": [_node(n) for n in runs.tree(found)]}
    )


def _wanted(body: dict[str, Any]) -> tuple[RefineRequest, list[RefineRequest]]:
    """The first run that a body describes, and all of them: each seed, then each control."""
    request = RefineRequest.of({name: value for name, value in body.items() if value is not None})
    if request.method not in methods.METHODS:
        raise BadRequest(
            f"There is no method {request.method[:40]!r}.", f"{', '.join(methods.METHODS)}."
        )
    count = _whole(body, "seeds", 1)
    if not 1 <= count <= MOST_SEEDS:
        raise BadRequest(f"seeds={count} is not usable.", f"Allowed are 1 to {MOST_SEEDS}.")
    mine = [replace(request, seed=request.seed + i) for i in range(count)]
    wanted = [one.canonical() for one in mine]
    if body.get("controls") is True:
        controls = methods.MANDATORY.get(request.method, ())
        wanted += [runs.matching(one, control) for control in controls for one in mine]
    if len(wanted) > MOST_RUNS:
        raise BadRequest(f"{len(wanted)} runs are too many.", f"At most {MOST_RUNS} at once.")
    return request, wanted


def _used(request: RefineRequest) -> dict[str, Any]:
    """How many items' answers and how many neurons the run would use. Raises as the run does."""
    guide, told = request.guidance(services().answers, services().store)
    found: dict[str, Any] = {"transferred": told["transferred"]}
    if "verdict" in guide:
        counts = request.map_answers(services().answers, services().store)[2]
        found["stale"] = {**asdict(counts), "sentence": counts.sentence}
        verdict = np.asarray(guide["verdict"], np.int64)
        found["answered"] = int((verdict != 0).sum())
        if request.budget:
            verdict = aggregate.budget(verdict, request.budget, request.seed)
        found["relevant"] = int((verdict == 1).sum())
        found["irrelevant"] = int((verdict == -1).sum())
        if not found["relevant"] + found["irrelevant"]:
            found["message"] = "No map has enough answers that agree."
            found["hint"] = (
                "Annotate more maps, lower the answers an item needs, or raise the budget."
            )
    if "keep" in guide:
        keep = np.asarray(guide["keep"], bool)
        found |= {"neurons": len(keep), "pruned": int((~keep).sum())}
    return found


def cost(wanted: Sequence[RefineRequest], past: Iterable[JobView]) -> tuple[float, int]:
    """Seconds that the runs will take on this machine, and from how many finished runs that is
    known: the median time an epoch of the same set, of the same method where one has run.

    NaN and 0 where nothing has run.
    """
    rates: dict[str, list[float]] = {}
    for job in past:
        epochs = job.params.get("epochs")
        is_mine = wanted and job.params.get("item_set") == wanted[0].item_set
        if job.state is JobState.DONE and is_mine and isinstance(epochs, int) and job.elapsed_s > 0:
            rates.setdefault(str(job.params.get("method")), []).append(job.elapsed_s / epochs)
    every = [rate for held in rates.values() for rate in held]
    if not every:
        return float("nan"), 0
    each = (statistics.median(rates.get(one.method, every)) * one.epochs for one in wanted)
    return sum(each), len(every)


def told(run: runs.Run) -> dict[str, Any]:
    """One run as JSON; numbers that are not known are None."""
    values = {
        name: number(value) if isinstance(value, float) else value
        for name, value in asdict(run.numbers).items()
    }
    request = asdict(run.request)
    request.pop("source")
    return {
        **request,
        **values,
        "key": run.key,
        "job": run.job_id,
        "title": run.title,
        "source": run.source,
        "guidance": run.guidance[:12],
        "transferred": run.transferred,
        "created_s": run.created_s,
        "state": run.state.value,
        "stored": run.is_stored,
    }


def _node(node: runs.Node) -> dict[str, Any]:
    return {
        "key": node.key,
        "title": node.title,
        "run": told(node.run) if node.run else None,
        "lost": node.is_lost,
        "children": [_node(child) for child in node.children],
    }


def _whole(body: dict[str, Any], name: str, default: int) -> int:
    value = body.get(name, default)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**31:
        raise BadRequest(f"{name}={str(value)[:40]!r} is not usable.", "Give a whole number.")
    return value
