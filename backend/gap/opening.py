"""The results that the Modality gap page opens with, so that they can be shipped."""

from __future__ import annotations

from typing import Final

from backend.gap import requests, spaces
from backend.gap.requests import MapSettings
from backend.jobs import JobRequest

PAIR: Final = 402
"""The pair that the page opens with; see components.gap_state."""


def jobs() -> list[JobRequest]:
    """Layouts, numbers and shifts of every bundled model; words and places of the first pair."""
    held = [spaces.load(key) for key in spaces.BUNDLED]
    made = [
        job(space) for space in held for job in (requests.measure_job, requests.sweep_job, _map_job)
    ]
    first = spaces.load(spaces.DEFAULT[0])
    return [*made, requests.tokens_job(first, PAIR)]


def _map_job(space: spaces.Space) -> JobRequest:
    return requests.map_job(space, MapSettings())
