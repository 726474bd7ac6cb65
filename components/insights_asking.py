"""HTTP routes of the Insights page that ask the model anew: paint, what-if, interactions."""

from __future__ import annotations

import time
from typing import Any

from flask import Blueprint, Flask, Response

from backend.insights import requests, views
from backend.insights.contents import Contents
from components import insights_asked as asked_for
from components.insights_state import METHODS
from components.json_body import json_body
from components.runtime import services

PLAYERS = 6
SLOW_S = 60.0  # Kernel SHAP and PCA take seconds; the first phrases wait for the tagger
blueprint = Blueprint("insights_asking", __name__, url_prefix="/_insights")


def register(server: Flask) -> None:
    """Adds the routes."""
    server.register_blueprint(blueprint)


@blueprint.post("/attribution")
def send_attribution() -> Response:
    """What the prediction of a content, or of an edit of it, is made of.

    Body: ``{set, model, method, row, draft}``. Words with the places in their field, patches, the
    map of the picture, sums by modality; they add up to the prediction minus the baseline.
    """
    body = json_body()
    held, params, draft = _asked(body)
    params["method"] = asked_for.one_of(body, "method", tuple(METHODS), "integrated-gradients")
    arrays = services().jobs.call("insights.content", params, SLOW_S)
    return asked_for.reply(views.attribution_told(held, params["row"], arrays, draft))


@blueprint.post("/predict")
def send_prediction() -> Response:
    """``{predicted, low, high, draft, delta, delta_low, delta_high, ms}`` of an edit."""
    _, params, _ = _asked(json_body())
    start = time.perf_counter()
    found = views.whatif_told(services().jobs.call("insights.whatif", params))
    return asked_for.reply({**found, "ms": 1000 * (time.perf_counter() - start)})


@blueprint.post("/interactions")
def send_interactions() -> Response:
    """Phrase by patch of one content, with what each adds alone; all add up to the prediction."""
    held, params, draft = _asked(json_body())
    arrays = services().jobs.call("insights.interactions", {**params, "players": PLAYERS}, SLOW_S)
    return asked_for.reply(views.interactions_told(held, params["row"], arrays, draft))


@blueprint.post("/fit")
def start_fit() -> Response:
    """``{result, job, title}``: a model of a set that has none, fitted with the usual settings."""
    job = requests.fit_job(asked_for.contents_of(json_body()).key)
    told = {"result": job.key, "job": services().jobs.submit(job), "title": job.title}
    return asked_for.reply(told)


def _asked(body: dict[str, Any]) -> tuple[Contents, dict[str, Any], dict[str, Any] | None]:
    """Set, params of the work, and the checked draft."""
    held = asked_for.contents_of(body)
    draft = asked_for.draft(body.get("draft"), held)
    row, model = asked_for.row(body, held), asked_for.model_key(body)
    return held, {"set": held.key, "model": model, "row": row, "draft": draft}, draft
