"""The results that the Zoom-In page opens with, so that they can be shipped with the weights.

Costs are not among them: they are measured on the machine that shows them.
"""

from __future__ import annotations

from typing import Final

from backend.jobs import JobRequest
from backend.zoom import own
from backend.zoom.maps import AnswersRequest
from backend.zoom.requests import MODEL, LookRequest

IMAGE: Final = "needle:27"  # one whose digit is found, among pieces that do not show it
DRAWS: Final = 20


def jobs() -> list[JobRequest]:
    """One look, its repetitions, and the whole list; nothing before the model is trained."""
    if MODEL not in own.models():
        return []
    return [
        LookRequest(IMAGE).job(),
        LookRequest(IMAGE, draws=DRAWS).job(),
        AnswersRequest(MODEL).job(),
    ]
