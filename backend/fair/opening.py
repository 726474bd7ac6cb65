"""The survey of all queries as a job, and those that the fair-retrieval page opens with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from backend.fair.pool import ATTRIBUTES, people
from backend.jobs import JobRequest
from backend.protocols import JSON

DEFAULTS: Final[Mapping[str, JSON]] = {
    "attribute": "gender",
    "share": 0.75,
    "predictor": "truth",
    "margin": 0.0,
    "dropped": 64,
    "seed": 0,
    "k": 24,
    "scoring": "plain",
    "p": 1.0,
}
"""What the page asks when it opens."""
SHIPPED: Final = ("truth", "mlp", "prompt", "words")


def survey_job(params: Mapping[str, JSON]) -> JobRequest:
    """The job that surveys all queries of the pool."""
    asked = {**params, "pool": people().fingerprint[:16]}
    return JobRequest("fair.overview", asked, "Fair retrieval: all queries of the list")


def jobs() -> list[JobRequest]:
    """Surveys of both attributes with each predictor."""
    return [
        survey_job({**DEFAULTS, "attribute": attribute, "predictor": predictor})
        for attribute in ATTRIBUTES
        for predictor in SHIPPED
    ]
