"""The job runner of an app with a login: whoever may not compute sees what is stored only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from backend.cache import ArrayStore
from backend.errors import NotFound
from backend.jobs import JobRequest, JobRunner, JobView, LaneStanding, key_for
from backend.protocols import JSON
from backend.team.people import ANNOTATOR
from backend.work import Work
from components.identity import WORKERS, need, person


class GuardedJobs:
    """A :class:`~backend.jobs.JobRunner` in front of another. One place for every page."""

    def __init__(self, jobs: JobRunner, store: ArrayStore, works: Mapping[str, Work]) -> None:
        self._jobs = jobs
        self._store = store
        self._works = works

    def submit(self, request: JobRequest) -> str:
        if not self._store.has(key_for(request, self._works)):
            need(WORKERS, "Computing what is not stored")
        return self._jobs.submit(request)

    def view(self, job_id: str) -> JobView:
        self._hide(job_id)
        return self._jobs.view(job_id)

    def cancel(self, job_id: str) -> None:
        need(WORKERS, "Cancelling a job")
        self._jobs.cancel(job_id)

    def release(self, view: str) -> None:
        self._jobs.release(view)

    def rerun(self, job_id: str) -> str:
        need(WORKERS, "Running a job again")
        return self._jobs.rerun(job_id)

    def recent(self, limit: int = 100, work: str = "") -> list[JobView]:
        return [] if _is_annotator() else self._jobs.recent(limit, work)

    def log(self, job_id: str) -> list[str]:
        self._hide(job_id)
        return self._jobs.log(job_id)

    def call(
        self, work: str, params: Mapping[str, JSON], timeout_s: float = 10.0
    ) -> dict[str, NDArray[np.generic]]:
        return self._jobs.call(work, params, timeout_s)

    def standing(self) -> dict[str, LaneStanding]:
        return self._jobs.standing()

    def warm(self, lanes: Sequence[str] = ("model", "analysis")) -> None:
        self._jobs.warm(lanes)

    def close(self) -> None:
        self._jobs.close()

    def _hide(self, job_id: str) -> None:
        if _is_annotator():
            raise NotFound("There is no such job.", f"{job_id[:12]} may have been removed.")


def _is_annotator() -> bool:
    asks = person()
    return asks is not None and asks.role == ANNOTATOR
