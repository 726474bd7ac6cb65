"""The web process's end of one worker process: start, talk, listen, restart.

``subprocess`` and not ``multiprocessing``: a spawned child of the latter imports the parent's
main module again, which would pull the whole web app into each worker. Both exec a fresh
interpreter; nothing is forked with threads or a device context in it.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
from collections.abc import Mapping
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import Any, Protocol

import orjson

from backend import wire
from backend.jobs import NoAnswer
from backend.protocols import JSON
from backend.settings import PROJECT

log = logging.getLogger(__name__)


class Listener(Protocol):
    """What a lane tells the runner; called from the lane's reader thread."""

    def received(self, lane: Lane, message: dict[str, Any]) -> None: ...

    def died(self, lane: Lane, pid: int) -> None:
        """Process ``pid`` has ended; :meth:`Lane.send` starts another. Called under the lock."""
        ...


class Lane:
    """One long-lived worker process, started at the first :meth:`send` and again after a death.

    ``lock`` is the runner's: :meth:`send` must be called with it held, so that a message is
    either lost with the process that :meth:`Listener.died` then reports, or goes to the next.
    """

    def __init__(
        self,
        name: str,
        start: Mapping[str, JSON],
        env: Mapping[str, str],
        lock: threading.RLock,
        listener: Listener,
    ) -> None:
        self.name = name
        self._start = dict(start)
        self._env = dict(env)
        self._lock = lock
        self._listener = listener
        self._process: subprocess.Popen[bytes] | None = None
        self._pipe: Connection | None = None
        self._reader: threading.Thread | None = None
        self._is_closed = False

    @property
    def pid(self) -> int | None:
        """Process number of the worker, if one runs."""
        process = self._process
        return process.pid if process else None

    def send(self, message: Mapping[str, JSON]) -> None:
        """Send ``message``, starting the process when there is none.

        Raises:
            NoAnswer: no process can be started.
        """
        if self._is_closed:
            return
        pipe = self._pipe or self._spawn()
        try:
            pipe.send_bytes(orjson.dumps(message))
        except OSError:  # it has just died: the reader is about to report that
            log.debug("%s worker does not listen", self.name)

    def kill(self) -> None:
        """End the process at once; the reader then reports its death."""
        process = self._process
        if process:
            process.kill()

    def quit(self) -> None:
        """Tell the process to end; :meth:`close` waits for that."""
        with self._lock:
            self._is_closed = True
            if self._pipe:
                try:
                    self._pipe.send_bytes(orjson.dumps({"do": "quit"}))
                except OSError:
                    log.debug("%s worker had ended", self.name)

    def close(self, wait_s: float = 3.0) -> None:
        """End the process for good and wait for it."""
        with self._lock:
            process, reader = self._process, self._reader
        self.quit()
        if process:
            try:
                process.wait(wait_s)
            except subprocess.TimeoutExpired:
                process.kill()
        if reader and reader is not threading.current_thread():
            reader.join()

    def _spawn(self) -> Connection:
        ours, process = self._started()
        self._process, self._pipe = process, ours
        self._reader = threading.Thread(
            target=self._read, args=(process, ours), name=f"{self.name}-reader", daemon=True
        )
        self._reader.start()
        log.debug("%s worker started, process %d", self.name, process.pid)
        return ours

    def _started(self) -> tuple[Connection, subprocess.Popen[bytes]]:
        try:
            ours, theirs = Pipe()
            with theirs:
                start = {**self._start, "lane": self.name, "fd": theirs.fileno()}
                process = subprocess.Popen(
                    [sys.executable, "-m", "backend.worker", orjson.dumps(start).decode()],
                    cwd=PROJECT,
                    env={**os.environ, **self._env},
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    pass_fds=[theirs.fileno()],
                )
        except OSError as error:  # no memory, no process or no open file left
            reason = (error.strerror or "unknown reason").lower()
            raise NoAnswer(
                f"The worker process cannot be started: {reason}.",
                "Close other programs, then try again.",
            ) from error
        return ours, process

    def _read(self, process: subprocess.Popen[bytes], pipe: Connection) -> None:
        while True:
            try:
                data = pipe.recv_bytes()
            except (EOFError, OSError):
                break
            if data[:4] == wire.MAGIC:
                arrays, meta = wire.unpack(data)
                self._listener.received(self, {**meta, "is": "answer", "arrays": arrays})
            else:
                self._listener.received(self, orjson.loads(data))
        process.kill()  # a closed pipe without an end cannot be talked to any more
        process.wait()
        with self._lock:
            pipe.close()
            self._process = self._pipe = None
            self._listener.died(self, process.pid)
        if not self._is_closed:
            log.warning("%s worker ended with code %s", self.name, process.returncode)
