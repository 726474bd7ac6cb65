"""What goes wrong outside: broken databases, damaged results, no room, no processes left."""

from __future__ import annotations

import errno
import os
import signal
import sqlite3
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from flask import Flask

from backend import errors, job_record
from backend.cache import ArrayStore, key_of
from backend.database import open_engine
from backend.errors import BadRequest, StorageFull
from backend.files import claim
from backend.jobs import JobRequest, JobState, JobView, NoAnswer
from backend.runner import LocalJobs
from backend.settings import Settings
from components import routes
from components.runtime import Services, create_services
from components.security import STATUS
from tests.fake_work import WORKS
from tests.waiting import until

KEY = key_of("test", 1)
Start = Callable[[], Services]


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def start(state: Path) -> Iterator[Start]:
    """Starts the services of a server on one state folder."""
    opened: list[Services] = []

    def make() -> Services:
        env = {"LOUPE_STATE_DIR": str(state), "LOUPE_THREADS": "2"}
        opened.append(create_services(Settings.from_env(env), WORKS))
        return opened[-1]

    yield make
    for services in opened:
        services.close()


def ended(services: Services, job_id: str) -> JobView:
    until(lambda: services.jobs.view(job_id).state.is_final)
    return services.jobs.view(job_id)


def sleep(value: int = 0) -> JobRequest:
    return JobRequest("test.sleep", {"value": value}, "Sleep")


def parts(state: Path) -> list[Path]:
    return list(state.rglob("*.part"))


# The database


def test_foreign_database_file_is_a_sentence(start: Start, state: Path) -> None:
    state.mkdir()
    (state / "loupe.db").write_bytes(b"not a database" * 1000)
    with pytest.raises(StorageFull, match=r"^The database cannot be opened: file is not a"):
        start()


def test_database_that_cannot_be_opened_is_a_sentence(start: Start, state: Path) -> None:
    (state / "loupe.db").mkdir(parents=True)
    with pytest.raises(StorageFull, match="unable to open database file") as told:
        start()
    assert str(state) not in f"{told.value.message} {told.value.hint}"


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("nope://x", "is not a SQLAlchemy URL"),
        ("postgresql://u:secret@h:abc/x", "is not a SQLAlchemy URL"),
        ("mssql+pymssql://u:secret@h/x", "needs the Python package pymssql"),
    ],
)
def test_unusable_database_urls_are_sentences(url: str, message: str) -> None:
    with pytest.raises(BadRequest, match=message) as told:
        open_engine(url)
    assert "secret" not in f"{told.value.message} {told.value.hint}"


def test_job_ends_although_the_database_was_damaged_meanwhile(start: Start, state: Path) -> None:
    """The lane must go on: its reader is what would hear of the next job."""
    services = start()
    services.jobs.call("test.echo", {})
    gate = state / "gate"
    job_id = services.jobs.submit(JobRequest("test.until", {"file": str(gate)}, "Wait"))
    services.engine.dispose()
    for name in ("loupe.db-wal", "loupe.db-shm"):
        (state / name).unlink(missing_ok=True)
    (state / "loupe.db").write_bytes(b"rubbish" * 10_000)
    gate.touch()
    assert ended(services, job_id).state is JobState.DONE
    for ask in (lambda: services.jobs.submit(sleep()), services.jobs.recent):
        with pytest.raises(StorageFull, match=r"not a database|malformed"):
            ask()
    with pytest.raises(StorageFull, match="The link cannot be stored"):
        services.links.put("/nero", "{}")
    assert services.jobs.call("test.echo", {"values": [1]})["x"][0] == 1


def test_locked_database_is_a_sentence(
    start: Start, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backend.database.BUSY_MS", 50)
    services = start()
    other = sqlite3.connect(state / "loupe.db", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(StorageFull, match="database is locked") as refused:
        services.jobs.submit(sleep())
    assert "slow" in refused.value.hint
    assert services.jobs.recent() == []  # reading goes on
    other.execute("ROLLBACK")
    other.close()
    assert ended(services, services.jobs.submit(sleep())).state is JobState.DONE


def test_two_servers_on_one_state_folder(start: Start, state: Path) -> None:
    first = start()
    gate = state / "gate"
    job_id = first.jobs.submit(JobRequest("test.until", {"file": str(gate)}, "Wait"))
    second = start()
    assert second.jobs.view(job_id).state is JobState.QUEUED  # not called interrupted
    mine = [second.jobs.submit(sleep(value)) for value in range(3)]
    assert {ended(second, job).state for job in mine} == {JobState.DONE}
    gate.touch()
    assert ended(first, job_id).state is JobState.DONE
    assert second.jobs.view(job_id).state is JobState.DONE
    assert claim(state) is None
    first.close()
    held = claim(state)
    assert held is not None
    held.close()


def test_writers_of_two_servers_never_meet_a_lock(start: Start) -> None:
    servers = [start(), start()]
    failures: list[BaseException] = []

    def write(services: Services, worker: int) -> None:
        try:
            for n in range(10):
                services.links.put("/nero", f'{{"n": {worker * 100 + n}}}')
                services.jobs.recent()
        except StorageFull as error:
            failures.append(error)

    threads = [threading.Thread(target=write, args=(servers[n % 2], n)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


# Results


def damage(path: Path, how: str) -> None:
    data = bytearray(path.read_bytes())
    if how == "half":
        del data[len(data) // 2 :]
    else:
        data[len(data) // 2] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("how", ["half", "flip"])
def test_damaged_result_is_computed_again(start: Start, how: str) -> None:
    services = start()
    request = sleep(5)
    done = ended(services, services.jobs.submit(request))
    assert services.store.has(done.key)
    damage(services.store.path(done.key), how)
    if how == "flip":  # same file, same size: found at the next look into it
        assert services.store.get(done.key) is None
    again = ended(services, services.jobs.submit(request))
    assert again.id != done.id
    arrays = services.store.get(done.key)
    assert arrays is not None
    assert arrays["x"][0] == 5


@pytest.mark.parametrize("how", ["half", "flip"])
def test_damaged_bundled_result_counts_as_absent(tmp_path: Path, how: str) -> None:
    made = ArrayStore(tmp_path / "made", 10**9)
    made.put(KEY, {"x": np.arange(100)})
    bundled = tmp_path / "bundled"
    bundled.mkdir()
    made.path(KEY).rename(bundled / f"{KEY}.npz")
    store = ArrayStore(tmp_path / "own", 10**9, [bundled])
    assert store.has(KEY)
    damage(bundled / f"{KEY}.npz", how)
    assert store.get(KEY) is None
    assert not store.has(KEY)
    assert not ArrayStore(tmp_path / "other", 10**9, [bundled]).has(KEY)
    store.put(KEY, {"x": np.arange(100)})
    assert store.has(KEY)
    assert store.get(KEY) is not None


def test_job_done_before_its_result_was_evicted_runs_again(start: Start) -> None:
    services = start()
    done = ended(services, services.jobs.submit(sleep(1)))
    services.store.path(done.key).unlink()
    again = ended(services, services.jobs.submit(sleep(1)))
    assert again.id != done.id
    assert services.store.has(done.key)


def test_unfinished_files_do_not_stay(start: Start, state: Path) -> None:
    folder = state / "results" / "ab"
    folder.mkdir(parents=True)
    (folder / "1-x.part").touch()
    services = start()
    assert parts(state) == []
    job_id = services.jobs.submit(JobRequest("test.hang", {}, "Hang"))
    pid = int(services.jobs.call("test.echo", {})["pid"][0])
    (folder / f"{pid}-x.part").touch()
    (folder / "1-other.part").touch()  # of a process that may be alive
    os.kill(pid, signal.SIGKILL)
    assert ended(services, job_id).state is JobState.INTERRUPTED
    assert [path.name for path in parts(state)] == ["1-other.part"]


# Processes


def test_worker_that_cannot_be_started_is_a_sentence(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    services = start()

    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    with monkeypatch.context() as patch:
        patch.setattr(subprocess, "Popen", refuse)
        services.jobs.warm()
        jobs = [services.jobs.submit(sleep(value)) for value in range(2)]
        for job_id in jobs:
            view = services.jobs.view(job_id)
            assert view.state is JobState.FAILED
            assert view.error_message.startswith("The worker process cannot be started")
        with pytest.raises(NoAnswer, match="cannot be started"):
            services.jobs.call("test.echo", {})
    assert ended(services, services.jobs.rerun(jobs[0])).state is JobState.DONE
    assert len(services.jobs.call("test.echo", {})["pid"]) == 1


def test_waiting_calls_leave_threads_for_others(start: Start) -> None:
    """With two threads of the web server, one may wait for a model."""
    services = start()
    services.jobs.call("test.echo", {})
    told: list[NoAnswer] = []

    def ask() -> None:
        try:
            services.jobs.call("test.hang", {}, timeout_s=2)
        except NoAnswer as refused:
            told.append(refused)

    first = threading.Thread(target=ask)
    first.start()
    until(lambda: len(services.jobs._calls) == 1)  # type: ignore[attr-defined]
    with pytest.raises(NoAnswer, match="other questions"):
        services.jobs.call("test.echo", {})
    first.join()
    assert "within 2 s" in told[0].message
    assert services.jobs.call("test.echo", {"values": [3]})["x"][0] == 3


def test_refused_weights_keep_their_kind_through_the_pipe() -> None:
    message = {"kind": "WeightsRefused", "text": "Not the file.", "hint": "Restore it."}
    error = job_record.failure_of(message)
    assert isinstance(error, errors.WeightsRefused)
    assert STATUS[errors.WeightsRefused] == 409


def test_device_is_empty_until_the_worker_can_say(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error status would be an error in every browser's console while the server starts."""
    services = start()
    server = Flask("device-test")
    routes.register(server, services)
    client = server.test_client()
    assert client.get("/_device").get_json() == {"text": ""}  # these works have no such question
    answer = {"text": np.frombuffer(b"CPU, 2 threads", np.uint8)}
    monkeypatch.setattr(LocalJobs, "call", lambda *_, **__: answer)
    assert client.get("/_device").get_json() == {"text": "CPU, 2 threads"}
    monkeypatch.undo()
    assert client.get("/_device").get_json() == {"text": "CPU, 2 threads"}  # asked once
