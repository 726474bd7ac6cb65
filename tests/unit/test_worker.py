"""The child's side of a lane, in this process: messages in, messages out."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest

from backend import wire
from backend.cache import ArrayStore, key_of
from backend.errors import Cancelled
from backend.protocols import Progress
from backend.worker import Ticket, Worker, failure
from tests.fake_work import WORKS

KEY = key_of("test", 1)


@pytest.fixture
def store(tmp_path: Path) -> ArrayStore:
    return ArrayStore(tmp_path, 10_000_000)


@pytest.fixture
def pipe(store: ArrayStore) -> Iterator[Connection]:
    ours, theirs = Pipe()
    worker = Worker(theirs, {name: work.run for name, work in WORKS.items()}, store)
    thread = threading.Thread(target=worker.serve)
    thread.start()
    yield ours
    say(ours, do="quit")
    thread.join()
    ours.close()
    theirs.close()


def say(pipe: Connection, **message: Any) -> None:
    pipe.send_bytes(orjson.dumps(message))


def hear(pipe: Connection) -> dict[str, Any]:
    assert pipe.poll(10)
    data = pipe.recv_bytes()
    if data[:4] == wire.MAGIC:
        arrays, meta = wire.unpack(data)
        return {**meta, "is": "answer", "arrays": arrays}
    message: dict[str, Any] = orjson.loads(data)
    return message


def run(pipe: Connection, work: str, **params: Any) -> None:
    say(pipe, do="run", job="1", key=KEY, work=work, params=params)


def test_run_stores_the_result_and_says_so_in_order(pipe: Connection, store: ArrayStore) -> None:
    run(pipe, "test.sleep", seconds=0.02, value=4)
    heard = [hear(pipe)]
    while heard[-1]["is"] != "done":
        heard.append(hear(pipe))
    kinds = [message["is"] for message in heard]
    assert kinds[:2] == ["started", "log"]
    assert heard[-2] == {"is": "step", "job": "1", "done": 2, "total": 2, "text": "slept"}
    arrays = store.get(KEY)
    assert arrays is not None
    assert arrays["x"][0] == 4


def test_call_answers_with_a_wire_message(pipe: Connection, store: ArrayStore) -> None:
    say(pipe, do="call", job="2", work="test.echo", params={"values": [1.5]})
    heard = hear(pipe)
    np.testing.assert_array_equal(heard["arrays"]["x"], np.float32([1.5]))
    assert not store.has(KEY)


def test_cancel_of_what_is_unknown_or_over_changes_nothing(pipe: Connection) -> None:
    say(pipe, do="cancel", job="nobody")
    say(pipe, do="call", job="2", work="test.echo", params={})
    assert hear(pipe)["is"] == "answer"


def test_import_of_a_missing_function_is_only_logged(
    pipe: Connection, caplog: pytest.LogCaptureFixture
) -> None:
    say(pipe, do="import")
    run(pipe, "test.echo")
    while hear(pipe)["is"] != "done":
        pass
    assert "test.missing cannot be imported" in caplog.text


def test_ticket_stops_at_the_step_after_a_cancel(store: ArrayStore) -> None:
    sent: list[Any] = []
    ticket = Ticket("1", sent.append, store)
    progress: Progress = ticket
    progress(1, 3)
    ticket.cancel()
    assert ticket.is_cancelled
    with pytest.raises(Cancelled):
        ticket.step(2, 3)
    assert (ticket.done, ticket.total) == (1, 3)
    assert [message["done"] for message in sent] == [1]


def test_ticket_reports_rarely_but_always_the_last_step(store: ArrayStore) -> None:
    sent: list[Any] = []
    ticket = Ticket("1", sent.append, store)
    for done in range(10_001):
        ticket.step(done, 10_000)
    assert len(sent) < 100
    assert sent[-1]["done"] == 10_000


def test_log_lines_are_cut(store: ArrayStore) -> None:
    sent: list[Any] = []
    Ticket("1", sent.append, store).log("x" * 5000)
    assert len(sent[0]["text"]) == 2000


def test_no_memory_is_a_sentence() -> None:
    told = failure(MemoryError())
    assert told["kind"] == "DeviceFull"
    assert told["text"] == "The memory of this machine is full."
