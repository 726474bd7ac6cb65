"""What the runner remembers of one job and of one quick call while the app runs."""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from backend import errors
from backend.errors import BackendError
from backend.jobs import JobRequest, JobState, JobView, Rate

LOG_LINES: Final = 200
# Kinds of failure that keep their meaning (and so their HTTP status) across the pipe.
KINDS: Final[dict[str, type[BackendError]]] = {
    kind.__name__: kind
    for kind in (
        errors.BadRequest,
        errors.NotFound,
        errors.DeviceFull,
        errors.StorageFull,
        errors.WeightsRefused,
    )
}
ENDED: Final = ("The app ended before this job did.", "Run it again.")
DIED: Final = ("The worker process ended while it computed this.", "Run it again.")


@dataclass(slots=True)
class Job:
    id: str
    key: str
    request: JobRequest
    lane: str
    submitted_at: float
    views: set[str] = field(default_factory=set)
    state: JobState = JobState.QUEUED
    message: str = ""
    started_s: float = 0.0
    elapsed_s: float = 0.0
    rate: Rate = field(default_factory=Rate)
    log: deque[str] = field(default_factory=lambda: deque(maxlen=LOG_LINES))
    error: tuple[str, str] = ("", "")
    is_cancelling: bool = False
    grace: threading.Timer | None = None

    def view(self) -> JobView:
        now_s = time.monotonic()
        is_running = self.state is JobState.RUNNING
        return JobView(
            id=self.id,
            key=self.key,
            work=self.request.work,
            title=self.request.title,
            state=self.state,
            fraction=1.0 if self.state is JobState.DONE else self.rate.fraction(),
            message="Stopping …" if self.is_cancelling and is_running else self.message,
            elapsed_s=now_s - self.started_s if is_running else self.elapsed_s,
            left_s=self.rate.left_s(now_s) if is_running else None,
            error_message=self.error[0],
            error_hint=self.error[1],
            submitted_at=self.submitted_at,
            params=self.request.params,
        )


@dataclass(slots=True)
class Call:
    lane: str
    answered: threading.Event = field(default_factory=threading.Event)
    arrays: dict[str, NDArray[np.generic]] = field(default_factory=dict)
    error: BackendError | None = None

    def refuse(self, error: BackendError) -> None:
        self.error = error
        self.answered.set()


def _started(job: Job, _message: dict[str, Any]) -> None:
    job.started_s = time.monotonic()


def _stepped(job: Job, message: dict[str, Any]) -> None:
    job.rate.step(message["done"], message["total"], time.monotonic())
    job.message = message["text"]


def _logged(job: Job, message: dict[str, Any]) -> None:
    job.log.append(message["text"])


PROGRESS: Final = {"started": _started, "step": _stepped, "log": _logged}
FINAL: Final = {
    "done": JobState.DONE,
    "failed": JobState.FAILED,
    "cancelled": JobState.CANCELLED,
}


def failure_of(message: dict[str, Any]) -> BackendError:
    return KINDS.get(message["kind"], BackendError)(message["text"], message["hint"])
