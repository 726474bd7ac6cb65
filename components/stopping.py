"""Serving until a signal, and a stop that sends every answer it has taken on."""

from __future__ import annotations

import logging
import signal
import threading
import time
from types import FrameType
from typing import Any, Final

from waitress import wasyncore

ENDINGS: Final = (signal.SIGTERM, signal.SIGINT)
TURN_S: Final = 0.25  # how soon a signal is seen
GRACE_S: Final = 0.4
LIMIT_S: Final = 8.0  # for answers under way
log = logging.getLogger("loupe.serve")


def interrupt(_signal: int, _frame: FrameType | None) -> None:
    """What a signal does while the server starts."""
    for ending in ENDINGS:  # an impatient second one must not spare the workers
        signal.signal(ending, lambda _signal, _frame: None)
    raise KeyboardInterrupt


def run(server: Any) -> None:
    """Serve until SIGTERM or SIGINT; then take no new connection, finish what was begun, return.

    waitress itself stops sending with its loop, so an answer under way would be cut off.
    """
    stop = threading.Event()
    for ending in ENDINGS:
        signal.signal(ending, lambda _signal, _frame: stop.set())
    held: dict[int, Any] = server.map if hasattr(server, "effective_listen") else server._map
    while not stop.is_set():
        _turn(held)
    log.info("stopping")
    _turns(held, GRACE_S)  # takes what waits to be accepted: closing would reset it
    for one in [one for one in held.values() if getattr(one, "accepting", False)]:
        one.del_channel(held)
        one.socket.close()
    _turns(held, GRACE_S)  # the requests of connections just accepted arrive
    end_s = time.monotonic() + LIMIT_S
    while time.monotonic() < end_s and any(_is_busy(one) for one in held.values()):
        _turn(held)
    server.task_dispatcher.shutdown(timeout=1)
    wasyncore.close_all(held)


def _turns(held: dict[int, Any], seconds: float) -> None:
    end_s = time.monotonic() + seconds
    while time.monotonic() < end_s:
        _turn(held, 0.05)


def _turn(held: dict[int, Any], timeout_s: float = TURN_S) -> None:
    wasyncore.loop(timeout=timeout_s, use_poll=hasattr(wasyncore.select, "poll"), map=held, count=1)


def _is_busy(one: Any) -> bool:
    """Whether a connection waits for an answer, or has not sent all of one."""
    return bool(getattr(one, "requests", None)) or getattr(one, "total_outbufs_len", 0) > 0
