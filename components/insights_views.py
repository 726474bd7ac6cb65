"""HTTP routes of what the Insights page shows from stored results: lists, advice, trust, errors."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from flask import Blueprint, Flask, Response

from backend.insights import views
from components import insights_asked as asked_for
from components.figures import (
    insights_clusters,
    insights_contents,
    insights_errors,
    insights_trust,
)
from components.insights_state import SORTS
from components.nero_figures import plain
from components.runtime import services

PAGE_ITEMS: Final = 24
MOST_ITEMS: Final = 96
LEVELS: Final = ("phrase", "word")
MODALITIES: Final = ("text", "image")
REFERENCE: Final = "glm"
blueprint = Blueprint("insights_views", __name__, url_prefix="/_insights")


def register(server: Flask) -> None:
    """Adds the routes."""
    server.register_blueprint(blueprint)


@blueprint.get("/contents")
def send_contents() -> Response:
    """``{total, offset, items}``: one page of the contents of a domain and period."""
    asked = asked_for.arguments()
    sort = asked_for.one_of(asked, "sort", tuple(SORTS), "predicted")
    start = asked_for.whole(asked, "offset", 0, 0, 10**7)
    count = asked_for.whole(asked, "n", PAGE_ITEMS, 1, MOST_ITEMS)
    where = _where(asked)

    def made() -> dict[str, Any]:
        found = views.listing(services().store, **where, sort=sort, offset=start, n=count)
        return {**found, "offset": start}

    return asked_for.told(made, "contents", asked.get("visit", ""))


@blueprint.get("/scatter")
def send_scatter() -> Response:
    """``{figure, n}``: predicted against actual success of a domain and period."""
    asked = asked_for.arguments()
    return asked_for.told(lambda: _scatter(asked), "contents", asked.get("visit", ""))


def _scatter(asked: dict[str, Any]) -> dict[str, Any]:
    where = _where(asked)
    rows, predicted, actual = views.rates(services().store, **where)
    view = " ".join(map(str, where.values()))
    figure = insights_contents.scatter(rows, predicted, actual, view=view)
    return {"figure": plain(figure), "n": len(rows)}


@blueprint.get("/content")
def send_content() -> Response:
    """One content: its text by part, features, prediction, measured success, siblings."""
    asked = asked_for.arguments()
    held = asked_for.contents_of(asked)
    row, model = asked_for.row(asked, held, "content"), asked_for.model_key(asked)

    def made() -> dict[str, Any]:
        return views.content(services().store, held.key, model, row)

    return asked_for.told(made, "content", asked.get("visit", ""))


@blueprint.get("/phrases")
def send_phrases() -> Response:
    """``{positive, negative, note, n_contents, ms}``: phrases or words of a domain."""
    asked = asked_for.arguments()
    where, method = _where(asked), asked_for.method(asked)
    level = asked_for.one_of(asked, "level", LEVELS, "phrase")
    count = asked_for.whole(asked, "k", 10, 1, 50)

    def made() -> dict[str, Any]:
        return views.phrases(services().store, **where, method=method, level=level, k=count)

    return asked_for.told(made, "phrases", asked.get("visit", ""))


@blueprint.get("/patches")
def send_patches() -> Response:
    """``{positive, negative, elbow, figure, split_at_median, note}``: groups of patches."""
    asked = asked_for.arguments()
    where, method = _where(asked), asked_for.method(asked)
    count = asked_for.whole(asked, "k", 10, 1, 50)

    def made() -> dict[str, Any]:
        found = views.patches(services().store, **where, method=method, k=count)
        elbow, view = found["elbow"], " ".join(map(str, where.values()))
        figure = insights_clusters.elbow(
            elbow["k"], elbow["inertia"], elbow["chosen"], view=f"{view} {method}"
        )
        return {**found, "figure": plain(figure)}

    return asked_for.told(made, "patches", asked.get("visit", ""))


@blueprint.get("/trust")
def send_trust() -> Response:
    """The Trust Score, its pairs, its null, every method, and figures of the last three."""
    asked = asked_for.arguments()
    return asked_for.told(lambda: trust(asked), "trust", asked.get("visit", ""))


def trust(asked: dict[str, Any]) -> dict[str, Any]:
    """What :func:`send_trust` says. Raises ``NotComputed``."""
    held = asked_for.contents_of(asked)
    domain, method = asked_for.domain(asked, held), asked_for.method(asked)
    modality = asked_for.one_of(asked, "modality", MODALITIES, "text")
    model = asked_for.model_key(asked)
    found = views.trust(services().store, held.key, model, domain, method, modality)
    view = f"{held.key} {model} {domain} {method} {modality}"
    pairs = found["pairs"]
    d_c, d_y = (np.array([one[name] for one in pairs], np.float64) for name in ("d_c", "d_y"))
    ends = (_number(found["low"]), _number(found["high"]))
    null = insights_trust.null(
        np.asarray(found["null"], np.float64), _number(found["rho"]), ends, view=view
    )
    figures = {
        "null": plain(null),
        "pairs": plain(insights_trust.pairs(d_c, d_y, view=view)),
        "methods": plain(insights_trust.methods(found["methods"], view=view, chosen=method)),
    }
    return {**found, "figures": figures}


@blueprint.get("/errors")
def send_errors() -> Response:
    """``{rows, figure}``: errors of the model and of simpler ones, in and out of domain."""
    asked = asked_for.arguments()
    held, model = asked_for.contents_of(asked), asked_for.model_key(asked)
    metric = asked_for.one_of(asked, "metric", tuple(insights_errors.METRICS), "rmse")

    def made() -> dict[str, Any]:
        found = views.errors(services().store, held.key, model)
        figure = insights_errors.errors(
            found["rows"], metric=metric, reference=REFERENCE, view=f"{held.key} {model} {metric}"
        )
        return {**found, "figure": plain(figure)}

    return asked_for.told(made, "errors", asked.get("visit", ""))


def _where(asked: dict[str, Any]) -> dict[str, Any]:
    """Set, model, domain and period, as the views take them."""
    held = asked_for.contents_of(asked)
    return {
        "set_key": held.key,
        "model": asked_for.model_key(asked),
        "domain": asked_for.domain(asked, held),
        **asked_for.period(asked),
    }


def _number(value: float | None) -> float:
    return float("nan") if value is None else float(value)
