"""HTTP routes of what the Modality gap page shows from stored results and small sums."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from flask import Blueprint, Response

from backend.errors import NotFound
from backend.gap import bundled, record, requests, spaces, views
from backend.gap.views import Layout
from backend.gap.work import COSINES
from components import gap_asked as asked_for
from components import gap_state
from components.figures import gap_map
from components.gap_spec import colour_of
from components.json_body import json_body
from components.nero_figures import plain
from components.routes import kept
from components.runtime import services

SHOWN = (-0.6, 1.0)
SLOW_S = 30.0  # the first look compiles, and reads the whole index
blueprint = Blueprint("gap_views", __name__, url_prefix="/_gap")


@blueprint.get("/map")
def send_maps() -> Response:
    """``{maps, reach, refining}``: the layout of each space that is shown, a figure where it has
    few points, else where the points lie; ``refining`` are jobs that make better ones.
    """
    asked = asked_for.arguments()
    held, settings = asked_for.shown(asked), asked_for.settings(asked)

    def made() -> dict[str, Any]:
        found, reach = views.layouts(services().store, held, settings)
        view = f"{[space.key for space in held]} {settings}"
        maps = [
            {"space": space.key, "n": len(one.rows), "recall": one.recall, "kept": one.kept}
            | (_points(one) if requests.is_large(space, settings) else _figure(one, reach, view))
            for space, one in zip(held, found, strict=True)
        ]
        jobs = [
            asked_for.submitted(one.refines, f"map-{i}", asked.get("visit", ""))
            for i, one in enumerate(found)
            if one.refines
        ]
        return {"maps": maps, "reach": reach, "refining": jobs}

    return asked_for.told(made, "map", asked.get("visit", ""))


def _figure(one: Layout, reach: float, view: str) -> dict[str, Any]:
    figure = gap_map.joint(one.rows, one.images, one.texts, reach=reach, view=view)
    return {"figure": plain(figure)}


def _points(one: Layout) -> dict[str, Any]:
    """The stored result with the places, and how it is centred and turned."""
    return {"points": {"key": one.key, "middle": one.middle, "turn": one.turn}}


@blueprint.get("/numbers")
def send_numbers() -> Response:
    """``{spaces: [{key, n, rows, result}], gaps, cosines}``: exact numbers and two figures; the
    gaps of the pairs are the array ``gaps`` of a space's ``result``.
    """
    asked = asked_for.arguments()
    held = asked_for.shown(asked)

    def made() -> dict[str, Any]:
        found = [views.numbers(services().store, space) for space in held]
        names = [space.title for space in held]
        colours = [colour_of(space.key) for space in held]
        view = " ".join(space.key for space in held)
        means = [_value(one, "mean_pair_gap") for one in found]
        gaps = gap_map.histograms(
            [one["gap_counts"] for one in found], names, colours, means, ends=views.GAP_RANGE,
            label="distance of an image from its text", view=view,
        )  # fmt: skip
        across = [_value(one, "unmatched_cosine") for one in found]
        cosines = gap_map.histograms(
            [one["cosine_counts"] for one in found], names, colours, across,
            ends=COSINES, label="cosine with another pair's text", view=view,
            shown=SHOWN,
        )  # fmt: skip
        listed = [
            {"key": space.key, "n": one["n"], "rows": one["rows"], "result": one["result"],
             "n_unmatched": one["n_unmatched"], "is_exact": one["is_uniformity_exact"]}
            for space, one in zip(held, found, strict=True)
        ]  # fmt: skip
        return {"spaces": listed, "gaps": plain(gaps), "cosines": plain(cosines)}

    return asked_for.told(made, "numbers", asked.get("visit", ""))


def _value(found: dict[str, Any], name: str) -> float:
    return next(float(row["value"]) for row in found["rows"] if row["name"] == name)


@blueprint.get("/sweep")
def send_sweep() -> Response:
    """``{points, best, gap, top, figure}``: what holds along the gap vector."""
    asked = asked_for.arguments()
    held, top = asked_for.space(asked), asked_for.whole(asked, "top", 1)

    def made() -> dict[str, Any]:
        found = views.swept(services().store, held, top)
        figure = gap_map.sweep(
            found["points"], top=found["top"], best=found["best"], gap=found["gap"],
            view=f"{held.key} {top}",
        )  # fmt: skip
        return {**found, "figure": plain(figure)}

    return asked_for.told(made, "sweep", asked.get("visit", ""))


@blueprint.get("/pairs")
def send_pairs() -> Response:
    """``{captions, groups}`` of every pair of a space, in order; none where none is known."""
    held = asked_for.space(asked_for.arguments())
    captions = held.captions if any(held.captions) else ()
    return asked_for.reply({"captions": captions, "groups": held.groups})


@blueprint.get("/pair")
def send_pair() -> Response:
    """One pair: its gap, and its nearest neighbours in the other modality. Among very many an
    index finds them; ``recall`` is the share that it does find.
    """
    asked = asked_for.arguments()
    held, row = asked_for.space(asked), asked_for.whole(asked, "row", 0)
    if len(held) <= requests.LISTED_TO:
        return asked_for.reply(views.neighbours(held, row))
    job = requests.index_job(held)

    def made() -> dict[str, Any]:
        if not services().store.has(job.key):
            raise views.NotComputed(job)
        params = {**requests.named(held), "row": held.row(row), "k": 4 * views.NEIGHBOURS}
        return views.found_near(held, row, services().jobs.call("gap.near", params, SLOW_S))

    return asked_for.told(made, "pair", asked.get("visit", ""))


@blueprint.get("/tokens")
def send_tokens() -> Response:
    """Words and places of a pair, with the check by deletion."""
    asked = asked_for.arguments()
    held, row = asked_for.space(asked), asked_for.whole(asked, "row", 0)
    method = asked_for.method(asked)

    def made() -> dict[str, Any]:
        arrays = views.stored(services().store, requests.tokens_job(held, row, method))
        return {name: array.tolist() for name, array in arrays.items()}

    return asked_for.told(made, "tokens", asked.get("visit", ""))


@blueprint.post("/words")
def send_words() -> Response:
    """``{words: [{word, first, second, z}]}`` of two selections: ``{space, a, b}``."""
    body = json_body()
    first, second = (gap_state.selection_of(body.get(name)) for name in ("a", "b"))
    return asked_for.reply({"words": views.words(asked_for.space(body), first, second)})


@blueprint.get("/record")
def send_record() -> Response:
    """What was measured here over seeds, and what was reported."""
    return asked_for.reply({"measured": record.measured(), "reported": record.reported()})


@blueprint.get("/sheet/<int:number>.webp")
def send_sheet(number: int) -> Response:
    """A sheet of the bundled pictures, 32 x 16 of 64 px."""
    return kept(Response(bundled.sheet_path(number).read_bytes(), mimetype="image/webp"))


@blueprint.get("/thumb/<key>/<int:row>.png")
def send_thumb(key: str, row: int) -> Response:
    """The thumbnail of an imported pair."""
    from PIL import Image

    held = spaces.load(key, services().store)
    if held.thumbs is None:
        raise NotFound("These pairs were imported without pictures.", "Add an array thumbs.")
    out = io.BytesIO()
    Image.fromarray(np.asarray(held.thumbs[held.row(row)])).save(out, "PNG")
    return kept(Response(out.getvalue(), mimetype="image/png"))
