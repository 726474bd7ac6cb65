"""The results that the metric-learning page opens with, shipped so that it opens at once."""

from __future__ import annotations

from backend.jobs import JobRequest
from backend.metric_learning import requests, words

QUERY, PROPERTY, LOSS, NOTION = 0, "car_model", "multi-similarity", "car colour"


def jobs() -> list[JobRequest]:
    """The sweep, the backgrounds and the words of the opening state; and the split by values."""
    return [
        requests.job("sweep", {"row": QUERY, "property": PROPERTY}),
        requests.job("values", {}),
        requests.job("swap", {"row": QUERY, "loss": LOSS}),
        requests.job("words", {"prompts": words.prompts(NOTION), "dimensions": words.DIMENSIONS}),
    ]
