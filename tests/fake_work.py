"""Work functions for tests and benchmarks: they wait, fail, hang or die on purpose."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Mapping
from typing import Any

import numpy as np

from backend.errors import BadRequest
from backend.protocols import Arrays
from backend.work import Work, table
from backend.worker import Ticket

Params = Mapping[str, Any]


def sleep(params: Params, ticket: Ticket) -> Arrays:
    """Wait ``seconds`` in steps of 10 ms, then answer ``{"x": [value]}``."""
    total = max(1, round(params.get("seconds", 0.01) * 100))
    ticket.log(f"sleeping {total} steps")
    for done in range(total):
        ticket.step(done, total, f"step {done}")
        time.sleep(0.01)
    ticket.step(total, total, "slept")
    return {"x": np.array([params.get("value", 0)], dtype=np.float32)}


def until_file(params: Params, ticket: Ticket) -> Arrays:
    """Go on until ``params["file"]`` exists: the test decides when it ends."""
    done = 0
    while not os.path.exists(params["file"]):
        done += 1
        ticket.step(done, 1_000_000, "waiting")
        time.sleep(0.005)
    return {"x": np.array([params.get("value", 0)], dtype=np.float32)}


def echo(params: Params, _ticket: Ticket) -> Arrays:
    return {
        "x": np.array(params.get("values", []), dtype=np.float32),
        "thread": np.array(threading.current_thread().name),
        "pid": np.array([os.getpid()], dtype=np.int64),
    }


def fail(params: Params, _ticket: Ticket) -> Arrays:
    if params.get("kind") == "sentence":
        raise BadRequest("angle='x' is not a number.", "Use 0 to 360.")
    raise RuntimeError("secret detail /root/path")


def hang(_params: Params, ticket: Ticket) -> Arrays:
    """Never step again."""
    ticket.step(0, 1, "hanging")
    threading.Event().wait()
    return {}


def die(_params: Params, ticket: Ticket) -> Arrays:
    """End the whole worker, as the kernel does when memory runs out."""
    ticket.step(1, 4)
    os._exit(9)


def burn(params: Params, ticket: Ticket) -> Arrays:
    """Keep all cores busy with matrix products, in pieces of about 50 ms, for ``seconds``."""
    matrix = np.random.default_rng(0).random((1200, 1200), dtype=np.float32)
    end_s = time.monotonic() + params["seconds"]
    done = 0
    while time.monotonic() < end_s:
        matrix = (matrix @ matrix) % np.float32(1.0)
        done += 1
        ticket.step(done, 1_000_000, "busy")
    return {"x": matrix[:1]}


def big(params: Params, _ticket: Ticket) -> Arrays:
    return {"x": np.zeros(int(params["bytes"]), dtype=np.uint8)}


WORKS = table(
    Work("test.sleep", 1, "model", "tests.fake_work:sleep"),
    Work("test.until", 1, "model", "tests.fake_work:until_file"),
    Work("test.until2", 1, "analysis", "tests.fake_work:until_file"),
    Work("test.echo", 1, "model", "tests.fake_work:echo"),
    Work("test.fail", 1, "model", "tests.fake_work:fail"),
    Work("test.hang", 1, "model", "tests.fake_work:hang"),
    Work("test.die", 1, "model", "tests.fake_work:die"),
    Work("test.burn", 1, "model", "tests.fake_work:burn"),
    Work("test.big", 1, "model", "tests.fake_work:big"),
    Work("test.missing", 1, "model", "tests.fake_work:not_there"),
)
