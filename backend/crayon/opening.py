"""The results that the Crayon page opens with, so that they can be shipped with the weights."""

from __future__ import annotations

from backend import catalog
from backend.crayon import diagnosis
from backend.crayon.requests import ORIGINALS, maps_job, patches_job
from backend.jobs import JobRequest


def jobs() -> list[JobRequest]:
    """Maps, patches and the overview of every bundled set whose original model is there."""
    return [
        job(item_set)
        for item_set, model in ORIGINALS.items()
        if model in catalog.models()
        for job in (maps_job, patches_job, diagnosis.items_job)
    ]
