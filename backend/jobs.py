"""Jobs as the app sees them: what is asked for, how far it is, how it ended.

``backend/runner.py`` runs them in worker processes of this machine.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from backend.cache import key_of
from backend.errors import BackendError
from backend.protocols import JSON
from backend.work import WORK, Work, find


class NoAnswer(BackendError):
    """The worker did not answer in time, or ended before it could."""


class JobState(StrEnum):
    """Where a job is. The last four are final."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"

    @property
    def is_final(self) -> bool:
        return self not in (JobState.QUEUED, JobState.RUNNING)


@dataclass(frozen=True, slots=True)
class JobRequest:
    """One piece of work.

    Attributes:
        work: name of a row of ``backend.work.WORK``.
        params: JSON for the work function, which checks it.
        title: what the user reads in the job list.
        view: newest-wins channel, for example ``nero-orbit@<tab id>``: a newer request of the
            same view cancels the older one. Empty: this job is never cancelled by another.
    """

    work: str
    params: Mapping[str, JSON]
    title: str
    view: str = ""

    @property
    def key(self) -> str:
        """Name of the result in the :class:`~backend.cache.ArrayStore`."""
        return key_for(self, WORK)


def key_for(request: JobRequest, works: Mapping[str, Work]) -> str:
    """Name of the result of ``request``, with the versions of ``works``.

    Raises:
        NotFound: the work is unknown.
        BadRequest: the params are not JSON.
    """
    return key_of(request.work, find(request.work, works).version, params=dict(request.params))


@dataclass(frozen=True, slots=True)
class JobView:
    """One look at a job. Times are in seconds, ``submitted_at`` since 1970 (UTC).

    Attributes:
        key: name of the result; it can be read once ``state`` is ``done``.
        fraction: 0 to 1, or ``None`` while the work does not say.
        left_s: estimated from the rate of steps; ``None`` when unknown.
    """

    id: str
    key: str
    work: str
    title: str
    state: JobState
    fraction: float | None
    message: str
    elapsed_s: float
    left_s: float | None
    error_message: str
    error_hint: str
    submitted_at: float
    params: Mapping[str, JSON] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LaneStanding:
    """How busy a lane is; ``pid`` is the process of its worker, ``None`` before the first job."""

    queued: int
    running: int
    pid: int | None


class JobRunner(Protocol):
    """Runs jobs away from the web server. All methods may be called from any thread."""

    def submit(self, request: JobRequest) -> str:
        """Id of a job that computes ``request``; a job alive or done with equal key is shared.

        Raises:
            NotFound, BadRequest: the work is unknown, the params are not JSON.
            StorageFull: the job cannot be written down.
        """
        ...

    def view(self, job_id: str) -> JobView:
        """How the job stands.

        Raises:
            NotFound: there is no such job.
        """
        ...

    def cancel(self, job_id: str) -> None:
        """Ask the job to stop; a job that has ended stays as it is. Raises ``NotFound``."""
        ...

    def release(self, view: str) -> None:
        """``view`` waits for nothing any more: cancel what only it waited for."""
        ...

    def rerun(self, job_id: str) -> str:
        """Id of a job that computes the same again. Raises ``NotFound``."""
        ...

    def recent(self, limit: int = 100, work: str = "") -> list[JobView]:
        """The newest jobs first, those of earlier runs of the app among them; of one work only
        where ``work`` names it.
        """
        ...

    def log(self, job_id: str) -> list[str]:
        """The last 200 lines the work wrote. Raises ``NotFound``."""
        ...

    def call(
        self, work: str, params: Mapping[str, JSON], timeout_s: float = 10.0
    ) -> dict[str, NDArray[np.generic]]:
        """The answer of a quick piece of work, at once, also while a job runs. Not in the history.

        Raises:
            NoAnswer: it took longer than ``timeout_s``, or the worker ended.
            BackendError: what the work function raised.
        """
        ...

    def standing(self) -> dict[str, LaneStanding]:
        """How busy each lane is."""
        ...

    def warm(self, lanes: Sequence[str] = ("model", "analysis")) -> None:
        """Start the workers now, so that the first job need not wait for it."""
        ...

    def close(self) -> None:
        """End the workers; unfinished jobs become ``interrupted``."""
        ...


@dataclass(slots=True)
class Rate:
    """Time left, from the pace of the steps since the present total was first named."""

    total: int = 0
    done: int = 0
    first: tuple[float, int] = (0.0, 0)
    last_s: float = 0.0

    def step(self, done: int, total: int, now_s: float) -> None:
        if total != self.total or done < self.done:
            self.first = (now_s, done)
        self.total, self.done, self.last_s = total, done, now_s

    def fraction(self) -> float | None:
        return min(1.0, max(0.0, self.done / self.total)) if self.total > 0 else None

    def left_s(self, now_s: float) -> float | None:
        since_s, from_done = self.first
        if self.total <= 0 or self.done <= from_done:
            return None
        per_step_s = (self.last_s - since_s) / (self.done - from_done)
        return max(0.0, (self.total - self.done) * per_step_s - (now_s - self.last_s))
