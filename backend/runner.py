"""The job runner of one machine: a queue and a worker process per lane."""

from __future__ import annotations

import atexit
import contextlib
import logging
import os
import threading
import time
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from backend.cache import ArrayStore
from backend.errors import NotFound, StorageFull
from backend.history import History
from backend.job_record import DIED, ENDED, FINAL, PROGRESS, Call, Job, failure_of
from backend.jobs import JobRequest, JobState, JobView, LaneStanding, NoAnswer, key_for
from backend.lane import Lane
from backend.protocols import JSON
from backend.settings import Settings
from backend.work import WORK, Work, find

log = logging.getLogger(__name__)
SEAT_S: Final = 0.25  # how long a call waits for others to be answered
LATER: Final = "The machine is busy or still loading the model; try again in a moment."
KEEP: Final = 200  # ended jobs kept in memory; older ones are read from the history


class LocalJobs:
    """A :class:`~backend.jobs.JobRunner` with one worker process per lane of ``works``.

    The queue lives here and the worker gets one job at a time, so a worker that dies takes
    nothing with it but that job. A state is written to ``history`` before anyone is told of it.

    Args:
        grace_s: how long a cancelled job may go on before its worker is ended.
        is_alone: no other server writes this history, so what it says to run was cut off.
    """

    def __init__(
        self,
        settings: Settings,
        history: History,
        store: ArrayStore,
        works: Mapping[str, Work] = WORK,
        grace_s: float = 10.0,
        *,
        is_alone: bool = True,
    ) -> None:
        self._history = history
        self._store = store
        self._works = dict(works)
        self._grace_s = grace_s
        self._lock = threading.RLock()
        self._jobs: dict[str, Job] = {}
        self._alive: dict[str, str] = {}  # key -> id of the job that others may share
        self._queues: dict[str, deque[Job]] = {}
        self._running: dict[str, Job] = {}
        self._calls: dict[str, Call] = {}
        self._is_closed = False
        # A call holds a thread of the web server while it waits; the other half stays free.
        self._seats = threading.BoundedSemaphore(max(1, settings.threads // 2))
        self._lanes: dict[str, Lane] = {
            name: Lane(name, _start(settings, store, name, works), _env(settings), self._lock, self)
            for name in sorted({work.lane for work in works.values()})
        }
        for name in self._lanes:
            self._queues[name] = deque()
        interrupted = history.interrupt_unfinished() if is_alone else 0
        if interrupted:
            log.info("%d jobs of an earlier run were interrupted", interrupted)
        atexit.register(self.close)

    def submit(self, request: JobRequest) -> str:
        key = key_for(request, self._works)
        if self._store.has(key):
            return self._known(request, key)
        return self._submit(request, key)

    def view(self, job_id: str) -> JobView:
        with self._lock:
            job = self._jobs.get(job_id)
            if job:
                return job.view()
        return self._past(job_id)

    def cancel(self, job_id: str) -> None:
        with self._lock:
            job = self._jobs.get(job_id)
            if job:
                self._cancel([job])
                return
        self._past(job_id)

    def release(self, view: str) -> None:
        with self._lock:
            self._supersede(view, "")

    def rerun(self, job_id: str) -> str:
        past = self.view(job_id)
        request = JobRequest(past.work, past.params, past.title)
        return self._submit(request, key_for(request, self._works))

    def recent(self, limit: int = 100, work: str = "") -> list[JobView]:
        past = self._history.recent(limit, work)
        with self._lock:
            return [self._jobs[job.id].view() if job.id in self._jobs else job for job in past]

    def log(self, job_id: str) -> list[str]:
        with self._lock:
            job = self._jobs.get(job_id)
            if job:
                return list(job.log)
        self._past(job_id)
        return self._history.log(job_id)

    def call(
        self, work: str, params: Mapping[str, JSON], timeout_s: float = 10.0
    ) -> dict[str, NDArray[np.generic]]:
        lane = self._lanes[find(work, self._works).lane]
        if not self._seats.acquire(timeout=SEAT_S):
            raise NoAnswer("The models are answering other questions.", LATER)
        try:
            return self._answer(lane, work, params, timeout_s)
        finally:
            self._seats.release()

    def _answer(
        self, lane: Lane, work: str, params: Mapping[str, JSON], timeout_s: float
    ) -> dict[str, NDArray[np.generic]]:
        call_id, call = uuid4().hex, Call(lane.name)
        with self._lock:
            self._check_open()
            lane.send({"do": "call", "job": call_id, "work": work, "params": dict(params)})
            self._calls[call_id] = call
        is_answered = call.answered.wait(timeout_s)
        with self._lock:
            self._calls.pop(call_id, None)
            if not is_answered and lane.pid:
                lane.send({"do": "cancel", "job": call_id})
        if not is_answered:
            raise NoAnswer(f"There was no answer within {timeout_s:g} s.", LATER)
        if call.error:
            raise call.error
        return call.arrays

    def standing(self) -> dict[str, LaneStanding]:
        with self._lock:
            return {
                name: LaneStanding(len(self._queues[name]), int(name in self._running), lane.pid)
                for name, lane in self._lanes.items()
            }

    def warm(self, lanes: Sequence[str] = ("model", "analysis")) -> None:
        with self._lock:
            for name in lanes:
                if name in self._lanes:
                    with contextlib.suppress(NoAnswer):  # told again by the first job
                        self._lanes[name].send({"do": "import"})

    def close(self) -> None:
        with self._lock:
            if self._is_closed:
                return
            self._is_closed = True
            unfinished = [job for job in self._jobs.values() if not job.state.is_final]
        for lane in self._lanes.values():
            lane.quit()  # all of them, before waiting for any
        for lane in self._lanes.values():
            lane.close()
        with self._lock:
            for job in unfinished:
                if not job.state.is_final:
                    self._end(job, JobState.INTERRUPTED, ENDED)
            for call in self._calls.values():
                call.refuse(NoAnswer(*ENDED))
        atexit.unregister(self.close)

    # Called by the lanes' reader threads.

    def received(self, lane: Lane, message: dict[str, Any]) -> None:
        job_id, kind = message["job"], message["is"]
        with self._lock:
            call, job = self._calls.get(job_id), self._jobs.get(job_id)
        if call:
            if kind == "answer":
                call.arrays = message["arrays"]
                call.answered.set()
            elif kind == "refused":
                call.refuse(failure_of(message))
        elif job and kind in PROGRESS:
            with self._lock:
                PROGRESS[kind](job, message)
        elif job and kind in FINAL:
            error = (message["text"], message["hint"]) if kind == "failed" else ("", "")
            self._end(job, FINAL[kind], error)

    def died(self, lane: Lane, pid: int) -> None:
        self._store.sweep(pid)
        for call in self._calls.values():
            if call.lane == lane.name:
                call.refuse(NoAnswer("The worker process ended before it answered.", "Try again."))
        job = self._running.get(lane.name)
        if job and job.is_cancelling:
            self._end(job, JobState.CANCELLED)
        elif job and not self._is_closed:
            self._end(job, JobState.INTERRUPTED, DIED)

    # Inside.

    def _submit(self, request: JobRequest, key: str) -> str:
        with self._lock:
            self._check_open()
            shared = self._share(request, key)
        if shared:
            return shared
        lane = find(request.work, self._works).lane
        job = Job(uuid4().hex, key, request, lane, time.time(), {request.view})
        self._history.save(job.view())  # written down before its id is given out
        with self._lock:
            shared = self._share(request, key)  # another tab was quicker
            if not shared:
                self._jobs[job.id] = job
                self._alive[key] = job.id
                self._queues[lane].append(job)
                self._supersede(request.view, job.id)
                self._dispatch(lane)
        if shared:
            with contextlib.suppress(StorageFull):  # one row too many in the list
                self._history.remove(job.id)
        return shared or job.id

    def _share(self, request: JobRequest, key: str) -> str | None:
        job_id = self._alive.get(key)
        if job_id:
            self._jobs[job_id].views.add(request.view)
            self._supersede(request.view, job_id)
        return job_id

    def _supersede(self, view: str, newest_id: str) -> None:
        """Cancel what only ``view`` waited for: it now waits for ``newest_id``."""
        if not view:
            return
        forsaken: list[Job] = []
        for job_id in list(self._alive.values()):
            job = self._jobs[job_id]
            if job_id != newest_id and view in job.views:
                job.views.discard(view)
                if not job.views:
                    forsaken.append(job)
        self._cancel(forsaken)

    def _known(self, request: JobRequest, key: str) -> str:
        """Id of the job that made a stored result; one that is done at once if it is unknown."""
        with self._lock:
            self._check_open()
            self._supersede(request.view, "")
        known = self._history.done(key)
        if known:
            return known
        job = Job(
            uuid4().hex,
            key,
            request,
            find(request.work, self._works).lane,
            time.time(),
            state=JobState.DONE,
            message="Read from the results on disk.",
        )
        self._history.save(job.view())
        return job.id

    def _past(self, job_id: str) -> JobView:
        job = self._history.find(job_id) if len(job_id) <= 64 else None
        if job is None:
            raise NotFound("There is no such job.", "It may have been removed from the list.")
        return job

    def _dispatch(self, lane: str) -> None:
        if lane in self._running or self._is_closed or not self._queues[lane]:
            return
        job = self._running[lane] = self._queues[lane].popleft()
        job.state, job.started_s = JobState.RUNNING, time.monotonic()
        message: dict[str, JSON] = {"do": "run", "job": job.id, "key": job.key}
        message |= {"work": job.request.work, "params": dict(job.request.params)}
        try:
            self._lanes[lane].send(message)
        except NoAnswer as refused:
            self._end(job, JobState.FAILED, (refused.message, refused.hint))

    def _cancel(self, jobs: Iterable[Job]) -> None:
        for job in jobs:
            if job.state.is_final or job.is_cancelling:
                continue
            job.is_cancelling = True
            if self._alive.get(job.key) == job.id:
                del self._alive[job.key]
            if job.state is JobState.QUEUED:
                self._queues[job.lane].remove(job)
                self._end(job, JobState.CANCELLED)
            else:
                self._lanes[job.lane].send({"do": "cancel", "job": job.id})
                job.grace = threading.Timer(self._grace_s, self._end_worker_of, [job])
                job.grace.daemon = True
                job.grace.start()

    def _end_worker_of(self, job: Job) -> None:
        with self._lock:
            if self._running.get(job.lane) is job:
                log.warning("job %s did not stop; its worker is ended", job.id)
                self._lanes[job.lane].kill()

    def _end(self, job: Job, state: JobState, error: tuple[str, str] = ("", "")) -> None:
        """Write the end of ``job`` down, then show it and start the next one."""
        with self._lock:
            if job.state.is_final:
                return
            elapsed_s = time.monotonic() - job.started_s if job.started_s else 0.0
            final = replace(
                job.view(),
                state=state,
                fraction=1.0 if state is JobState.DONE else job.rate.fraction(),
                message=job.message,
                elapsed_s=elapsed_s,
                error_message=error[0],
                error_hint=error[1],
            )
            lines = list(job.log)
        try:
            self._history.save(final, lines)
        except StorageFull as refused:  # the result may be fine: the user still gets it
            log.error("the end of job %s is not in the history: %s", job.id, refused)
        with self._lock:
            job.state, job.elapsed_s, job.error = state, elapsed_s, error
            if job.grace:
                job.grace.cancel()
            if self._alive.get(job.key) == job.id:
                del self._alive[job.key]
            if self._running.get(job.lane) is job:
                del self._running[job.lane]
            self._forget()
            self._dispatch(job.lane)

    def _forget(self) -> None:
        ended = [job_id for job_id, job in self._jobs.items() if job.state.is_final]
        for job_id in ended[:-KEEP]:
            del self._jobs[job_id]

    def _check_open(self) -> None:
        if self._is_closed:
            raise NoAnswer(*ENDED)


def _start(
    settings: Settings, store: ArrayStore, lane: str, works: Mapping[str, Work]
) -> dict[str, JSON]:
    return {
        "root": str(store.root),
        "budget_bytes": store.budget_bytes,
        "bundled": [str(path) for path in store.bundled],
        "runs": {name: work.run for name, work in works.items() if work.lane == lane},
        "log_level": settings.log_level,
        "log_format": settings.log_format,
    }


def _env(settings: Settings) -> dict[str, str]:
    """What a worker's own ``Settings.from_env`` must read."""
    return {
        "LOUPE_DEVICE": settings.device,
        "LOUPE_TORCH_THREADS": str(settings.torch_threads),
        "LOUPE_STATE_DIR": str(settings.state_dir),
        "LOUPE_RAY_ADDRESS": settings.ray_address,
        "LOUPE_IMAGE_ROOTS": os.pathsep.join(map(str, settings.image_roots[1:])),
        "LOUPE_ROOTS": os.pathsep.join(map(str, settings.roots[1:])),
        "LOUPE_UPLOAD_MB": str(settings.upload_bytes // 1_000_000),
        "LOUPE_DATABASE_URL": settings.database_url,
        "LOUPE_CACHE_MB": str(max(16, settings.cache_bytes // 1_000_000)),
        # Threads of a forward pass that wait for each other must sleep, not spin: on a busy machine
        # spinning made an orbit five times slower. OpenMP reads this when torch is loaded.
        "OMP_WAIT_POLICY": "PASSIVE",
    }
