"""A worker process: takes work from the web process, one batch job and quick calls at a time.

Started by ``backend/lane.py`` as ``python -m backend.worker <json>``. Messages in both directions
are JSON; the answer of a quick call is a ``backend.wire`` message. Results of jobs go straight to
the store, only their key travels. The process ends when the web process does.
"""

from __future__ import annotations

import importlib
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import orjson

from backend import logs, own_sets, plugins, wire
from backend.cache import ArrayStore
from backend.errors import BackendError, Cancelled, DeviceFull
from backend.protocols import JSON, Arrays

log = logging.getLogger("loupe.worker")
NICE: Final = 10  # pages stay quick on a machine whose cores are all busy with a job
REPORT_EVERY_S: Final = 0.05
MAX_THREADS: Final = 32
Send = Callable[[Mapping[str, JSON]], None]
WorkFunction = Callable[[Mapping[str, JSON], "Ticket"], Arrays]


class Ticket:
    """Handed to a work function, which calls :meth:`step` once per batch.

    Attributes:
        store: results of earlier work, by key.
        done, total: the last step.
    """

    def __init__(self, job_id: str, send: Send, store: ArrayStore) -> None:
        self.store = store
        self.done = 0
        self.total = 0
        self._job_id = job_id
        self._send = send
        self._stop = threading.Event()
        self._reported_s = 0.0

    def step(self, done: int, total: int, message: str = "") -> None:
        """Report progress; the place where a cancel takes effect.

        Raises:
            Cancelled: the user pressed Cancel, or a newer request took over.
        """
        if self._stop.is_set():
            raise Cancelled
        self.done, self.total = done, total
        now_s = time.monotonic()
        if done >= total or now_s - self._reported_s >= REPORT_EVERY_S:
            self._reported_s = now_s
            self._send(
                {"is": "step", "job": self._job_id, "done": done, "total": total, "text": message}
            )

    def __call__(self, done: int, total: int) -> None:
        """The same as :meth:`step`: a ticket is a ``backend.protocols.Progress``."""
        self.step(done, total)

    def log(self, text: str) -> None:
        """Add a line to the log that the user can open."""
        self._send({"is": "log", "job": self._job_id, "text": text[:2000]})

    def cancel(self) -> None:
        """Make the next :meth:`step` raise."""
        self._stop.set()

    @property
    def is_cancelled(self) -> bool:
        return self._stop.is_set()


class Worker:
    """The process: the main thread listens, one thread runs jobs, another answers quick calls."""

    def __init__(self, pipe: Connection, runs: Mapping[str, str], store: ArrayStore) -> None:
        self._pipe = pipe
        self._runs = runs
        self._store = store
        self._send_lock = threading.Lock()
        self._tickets: dict[str, Ticket] = {}
        self._answering = ""
        self._batch = ThreadPoolExecutor(1, thread_name_prefix="batch")
        self._quick = ThreadPoolExecutor(1, thread_name_prefix="quick")

    def serve(self) -> None:
        """Handle messages until the web process closes the pipe or says ``quit``."""
        while True:
            try:
                message = orjson.loads(self._pipe.recv_bytes())
            except (EOFError, OSError):  # the web process is gone
                return
            match message["do"]:
                case "run":
                    self._start(self._batch, message, self._stored, self._report_job)
                case "call":
                    self._start(self._quick, message, self._answer, self._report_call)
                case "cancel":
                    self._cancel(message["job"])
                case "import":
                    self._batch.submit(self._import_all)
                case _:
                    return

    def _start(
        self,
        pool: ThreadPoolExecutor,
        message: dict[str, Any],
        work: Callable[[dict[str, Any], Ticket], None],
        report: Callable[[str, Future[None]], None],
    ) -> None:
        job_id = message["job"]
        ticket = self._tickets[job_id] = Ticket(job_id, self._send, self._store)
        # A future carries any exception out, also those nobody thought of.
        pool.submit(work, message, ticket).add_done_callback(lambda end: report(job_id, end))

    def _stored(self, message: dict[str, Any], ticket: Ticket) -> None:
        self._send({"is": "started", "job": message["job"]})
        arrays = self._computed(message["work"], message["params"], ticket)
        self._store.put(message["key"], arrays)

    def _computed(self, work: str, params: Mapping[str, JSON], ticket: Ticket) -> Arrays:
        """On the cluster where there is one and the work can be cut, else here."""
        address = os.environ.get("LOUPE_RAY_ADDRESS", "")
        if address:
            from backend.cluster import parts, ray_jobs

            if parts.can_run(work, params):
                return ray_jobs.run(work, params, self._store, address, ticket)
        return self._function(work)(params, ticket)

    def _answer(self, message: dict[str, Any], ticket: Ticket) -> None:
        if ticket.is_cancelled:  # nobody waits any more
            raise Cancelled
        self._answering = message["job"]
        arrays = self._function(message["work"])(message["params"], ticket)
        self._send_bytes(wire.pack(arrays, {"job": message["job"]}))

    def _report_job(self, job_id: str, end: Future[None]) -> None:
        del self._tickets[job_id]
        error = end.exception()
        if error is None:
            self._send({"is": "done", "job": job_id})
        elif isinstance(error, Cancelled):
            self._send({"is": "cancelled", "job": job_id})
        else:
            self._send({"is": "failed", "job": job_id, **failure(error)})

    def _report_call(self, job_id: str, end: Future[None]) -> None:
        del self._tickets[job_id]
        error = end.exception()
        if error is not None and not isinstance(error, Cancelled):
            self._send({"is": "refused", "job": job_id, **failure(error)})

    def _cancel(self, job_id: str) -> None:
        ticket = self._tickets.get(job_id)
        if ticket:
            ticket.cancel()
        if job_id == self._answering and threading.active_count() < MAX_THREADS:
            # Nobody waits for this call any more, so the next one must not wait behind it.
            self._quick = ThreadPoolExecutor(1, thread_name_prefix="quick")

    def _function(self, work: str) -> WorkFunction:
        module, _, name = self._runs[work].partition(":")
        function: WorkFunction = getattr(importlib.import_module(module), name)
        return function

    def _import_all(self) -> None:
        for work in self._runs:
            try:
                self._function(work)
            except (ImportError, AttributeError) as error:  # told again when it is asked for
                log.warning("work %s cannot be imported: %s", work, error)

    def _send(self, message: Mapping[str, JSON]) -> None:
        self._send_bytes(orjson.dumps(message))

    def _send_bytes(self, data: bytes) -> None:
        try:
            with self._send_lock:
                self._pipe.send_bytes(data)
        except OSError:  # the web process is gone: nobody to tell, and the main thread ends us
            log.debug("nobody listens")


def failure(error: BaseException) -> dict[str, JSON]:
    """What the user is told about ``error``: its sentence, or a reference number to the log."""
    if isinstance(error, MemoryError):
        error = DeviceFull("The memory of this machine is full.", "Ask for fewer items at once.")
    if isinstance(error, BackendError):
        return {"kind": type(error).__name__, "text": error.message, "hint": error.hint}
    number = uuid4().hex[:8]
    log.error("work failed, reference %s", number, exc_info=error)
    return {
        "kind": "BackendError",
        "text": f"Something went wrong while computing this (reference {number}).",
        "hint": "Run it again; if it stays, look for the reference number in the server's log.",
    }


def main() -> None:
    """Read the start message from the command line and serve."""
    start = orjson.loads(sys.argv[1])
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the web process, which ends us
    os.nice(NICE)
    logs.configure(start["log_level"], start.get("log_format", "text"), start["lane"])
    store = ArrayStore(
        Path(start["root"]), start["budget_bytes"], [Path(path) for path in start["bundled"]]
    )
    own_sets.use(store)
    plugins.load()
    Worker(Connection(start["fd"]), start["runs"], store).serve()
    os._exit(0)  # threads may be deep inside a forward pass; the results on disk are whole files


if __name__ == "__main__":
    main()
