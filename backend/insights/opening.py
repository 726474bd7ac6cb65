"""The results that the Insights page opens with, so that they can be shipped with the weights."""

from __future__ import annotations

from backend.insights import contents, registry, requests
from backend.jobs import JobRequest


def jobs() -> list[JobRequest]:
    """Predictions, history and errors of every bundled set whose model is there."""
    return [
        job(item_set)
        for item_set in contents.bundled()
        if registry.known(item_set)
        for job in (requests.predict_job, requests.history_job, requests.baselines_job)
    ]
