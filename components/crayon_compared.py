"""HTTP routes of the comparison: runs over seeds, controls, changes item by item, curves."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Final

import numpy as np
from flask import Blueprint, Flask, Response

from backend.crayon import change, curve, methods, panels, reported, runs, sets
from backend.crayon.curve import CurveRequest
from backend.errors import NotFound
from backend.media import encoded
from components.crayon_refine import SHORT
from components.crayon_runs import told
from components.crayon_spec import obtain
from components.crayon_views import asked, number, read, reply, whole
from components.figures import crayon_runs as figures
from components.json_body import json_body
from components.nero_figures import plain
from components.runtime import services

KEPT: Final = "public, max-age=31536000, immutable"
RUN: Final = re.compile(r"[0-9a-f]{64}\Z")
NUMBERS: Final = ("wga_after", "mga_after", "energy_after")
WEIGHTED: Final = ("attention", "pruning+attention")
KINDS: Final = ("Crayon", "control", "baseline")
PAGE_ITEMS, MOST_ITEMS = 12, 48
blueprint = Blueprint("crayon_compared", __name__, url_prefix="/_crayon")


def register(server: Flask) -> None:
    """Adds the routes."""
    server.register_blueprint(blueprint)


@blueprint.get("/compare")
def send_comparison() -> Response:
    """``{rows, missing, gains, energy, sweep, swept}`` of a set; the last but one are figures."""
    item_set = asked("set")
    sets.load(item_set)
    found = runs.of_set(services().jobs, services().store, item_set)
    groups = runs.grouped(found)
    points = [point(run) for run in found if run.is_stored]
    weighted = [p for p in points if p["method"] in WEIGHTED]
    pairs = {(p["per_relevant"], p["per_irrelevant"]) for p in weighted}
    return reply(
        {
            "rows": rows(groups),
            "missing": [one for group in groups for one in missing(group, found)],
            "gains": [line for group in groups if (line := gain(group, found))],
            "energy": plain(figures.energy(points, view=item_set)),
            "sweep": plain(figures.sweep(weighted, view=item_set)),
            "swept": len(pairs),
            "count": len(points),
        }
    )


@blueprint.get("/change")
def send_change() -> Response:
    """``{counts, total, items}``: test items before and after a run, the worst changes first."""
    held, key = sets.load(asked("set")), run_key(asked("run"))
    run = read(services().store, key)
    places = change.ordered(held, run, asked("change", "probability"), asked("flip", "all"))
    start, count = whole("offset", 0, 0, 10**7), whole("n", PAGE_ITEMS, 1, MOST_ITEMS)
    shown = [_pair(held, key, int(place)) for place in places[start : start + count]]
    counts = change.counts(held, run)
    return reply({"counts": counts, "total": len(places), "offset": start, "items": shown})


def _pair(held: sets.GuidedSet, key: str, place: int) -> dict[str, Any]:
    run = read(services().store, key)
    row = int(run["rows"][place])
    y = int(held.labels[row])
    found: dict[str, Any] = {
        "id": row,
        "name": held.names[row] if held.names else f"item {row}",
        "group": held.group_names[int(held.groups[row])],
        "truth": held.classes[y],
    }
    for side in ("before", "after"):
        said = int(run[f"pred_{side}"][place])
        truth = run.get(f"truth_{side}")
        base = f"/_crayon/changed/{held.key}/{key}/{side}/{place}"
        found[side] = {
            "pred": held.classes[said],
            "right": said == y,
            "truth": number(truth[place]) if truth is not None else None,
            "energy": number(run[f"energy_{side}"][place]),
            "panels": {name: f"{base}/{name}.webp" for name in ("red", "overlay")},
        }
    return found


@blueprint.get("/changed/<item_set>/<key>/<side>/<int:place>/<name>.webp")
def send_changed(item_set: str, key: str, side: str, place: int, name: str) -> Response:
    """A test image under the map it had before or after a run; named by its content, so kept."""
    tag = f"crayon-changed:{item_set}:{key}:{side}:{place}:{name}"
    data = services().small.get(tag)
    if data is None:
        held, run = sets.load(item_set[:80]), read(services().store, run_key(key))
        is_known = side in ("before", "after") and name in ("red", "overlay")
        if not is_known or place >= len(run["rows"]):
            raise NotFound("There is no such picture.", "Reload the page.")
        shown = np.asarray(run[f"maps_{side}"][place], np.float32)
        drawn = panels.panel(name, held.image(int(run["rows"][place])), shown)
        data = encoded(drawn, lossless=False)
        services().small.put(tag, data)
    answer = Response(data, mimetype="image/webp")
    answer.headers["Cache-Control"] = KEPT
    return answer


@blueprint.post("/curve")
def send_curve() -> Response:
    """``{part, figure, sentence}``: accuracy against answers under the settings of a run.

    Body: the settings of a run, with ``start`` true to compute what is missing. ``part`` names the
    result and its job; without a result there is no figure. Where there are no answers yet, the
    reply is ``{part: null, message, hint}``: that is a state of the page, not a failure.
    """
    body = json_body()
    try:
        return reply(_curve(body))
    except NotFound as error:
        return reply({"part": None, "message": error.message, "hint": error.hint})


def _curve(body: dict[str, Any]) -> dict[str, Any]:
    wanted = {name: value for name, value in body.items() if value is not None}
    wanted["seeds"] = max(curve.FEWEST_SEEDS, min(curve.MOST_SEEDS, _seeds(body)))
    job = CurveRequest.of(wanted).job(services().answers, services().store)
    if not services().store.has(job.key):
        missing_part = {"result": job.key, "job": None}
        return {"part": obtain(job) if body.get("start") is True else missing_part}
    found = read(services().store, job.key)
    test, validation = curve.bands(found, "wga"), curve.bands(found, "wga_validation")
    estimate = curve.estimate(found["budgets"], found["wga_validation"])
    return {
        "part": {"result": job.key, "job": None},
        "figure": plain(figures.learning(test, validation, view=job.key)),
        "sentence": f"On validation: {estimate.sentence}",
        "seeds": test["count"],
        "collapsed": int(np.asarray(found["collapsed"]).sum()),
        "source": str(job.params.get("source", "")),
    }


def _seeds(body: dict[str, Any]) -> int:
    value = body.get("seeds")
    return value if isinstance(value, int) and not isinstance(value, bool) else curve.FEWEST_SEEDS


@blueprint.get("/reported")
def send_reported() -> Response:
    """``{tables}``: the shipped experiment and the paper's tables as texts, each with source and
    the mark it must carry.
    """
    own = [_table(table) | {"source": "Loupe"} for table in reported.experiment().values()]
    theirs = [_table(table) | {"source": reported.SOURCE} for table in reported.tables().values()]
    return reply({"tables": own + theirs})


def _table(table: reported.Table) -> dict[str, Any]:
    body = [[row.name, row.annotation, *(_cell(v) for v in row.values)] for row in table.rows]
    has_notes = any(row.annotation for row in table.rows)
    head = [table.x or "method", "annotation", *table.column_titles]
    if not has_notes:
        head, body = [head[0], *head[2:]], [[row[0], *row[2:]] for row in body]
    names = ("key", "title", "unit", "note", "mark")
    return {**{name: getattr(table, name) for name in names}, "head": head, "rows": body}


def _cell(value: reported.Value | None) -> str:
    if value is None:
        return "–"
    return f"{value.mean:g}" if value.std is None else f"{value.mean:g} ± {value.std:g}"


def point(run: runs.Run) -> dict[str, Any]:
    """A run as a mark of a plot."""
    return told(run) | {"short": SHORT[run.request.method]}


def rows(groups: Sequence[runs.Group]) -> list[dict[str, Any]]:
    """One row a group of runs that differ in their seed only; texts beside the numbers. Crayon
    comes first, then its controls, then the baselines."""
    found = [_row(group) for group in groups]
    return sorted(found, key=lambda row: KINDS.index(row["kind"]))


def _row(group: runs.Group) -> dict[str, Any]:
    first, asked_ = group.runs[0], group.request
    method = asked_.method
    found: dict[str, Any] = {
        "id": first.key,
        "method": method,
        "name": SHORT[method],
        "kind": _kind(method),
        "n": len(group.runs),
        "seeds": ", ".join(map(str, group.seeds)),
        "epochs": asked_.epochs,
        "lr": asked_.lr,
        "weights": weights(group),
        "answers": answers(group),
        "source": first.source,
        "start": asked_.parent[:8] or "original",
        "collapsed": f"{group.collapsed} of {len(group.runs)}" if group.collapsed else "",
        "wga_before": number(first.numbers.wga_before),
    }
    for name in NUMBERS:
        spread = group.spread(name)
        found[name] = number(spread.mean)
        found[f"{name}_std"] = number(spread.std)
        found[f"{name}_text"] = plus_minus(spread)
    return found


def _kind(method: str) -> str:
    if method in methods.VARIANTS:
        return KINDS[0]
    return KINDS[1] if method in methods.CONTROLS else KINDS[2]


def weights(group: runs.Group) -> str:
    """The weights of one sample, where the method has them."""
    one = group.request
    if one.method in methods.USES_MAPS:
        return f"{one.per_relevant:g} / {one.per_irrelevant:g}"
    return f"{one.strength:g}" if one.method in methods.BASELINES else ""


def answers(group: runs.Group) -> str:
    """How many answers were used, and whether they were simulated or transferred."""
    first = group.runs[0]
    parts = []
    if first.request.method in methods.USES_MAPS:
        parts.append(f"{first.numbers.relevant} + {first.numbers.irrelevant} maps")
    if first.request.method in methods.USES_MASK:
        parts.append(f"{first.numbers.pruned} of {first.numbers.neurons} pruned")
    if first.source == "simulated":
        parts.append("simulated")
    if first.transferred:
        parts.append("transferred")
    return ", ".join(parts) or "none"


def plus_minus(spread: runs.Spread, *, signed: bool = False) -> str:
    """Mean ± standard deviation (n - 1) in points; the deviation only where there are two runs."""
    if not math.isfinite(spread.mean):
        return "–"
    mean = f"{100 * spread.mean:{'+' if signed else ''}.1f}"
    return f"{mean} ± {100 * spread.std:.1f}" if math.isfinite(spread.std) else mean


def missing(group: runs.Group, found: Sequence[runs.Run]) -> list[dict[str, Any]]:
    """The mandatory controls a group lacks, each with the runs to start."""
    return [
        {
            "group": f"{SHORT[group.request.method]}, {group.request.epochs} epochs",
            "control": SHORT[one.control],
            "sentence": one.sentence,
            "requests": [asdict(request) for request in one.requests],
        }
        for one in runs.missing(group, found)
    ]


def gain(group: runs.Group, found: Sequence[runs.Run]) -> str:
    """How far a variant of Crayon lies from each of its controls at the same seeds; no judgement
    beyond the numbers. Empty for other methods."""
    told_ = runs.gains(group, found)
    parts = [
        f"{plus_minus(spread, signed=True)} against {SHORT[name]} ({spread.count} "
        f"seed{'s' if spread.count > 1 else ''})"
        for name, spread in told_.items()
        if spread.count
    ]
    if not parts:
        return ""
    mark = " on simulated answers" if group.runs[0].source == "simulated" else ""
    used = f"{SHORT[group.request.method]}, {group.request.epochs} epochs{mark}"
    return f"{used}: worst group accuracy {'; '.join(parts)}, in points."


def run_key(text: str) -> str:
    """The key of a run.

    Raises:
        NotFound: it is none.
    """
    if not RUN.match(text):
        raise NotFound("There is no such run.", "Choose a run that has finished.")
    return text
