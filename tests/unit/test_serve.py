"""The server as a process: one line, an end without remains, and sentences for bad settings."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from backend.settings import PROJECT
from tests.waiting import until

END_S = 10.0


def free_port() -> int:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return int(held.getsockname()[1])


def environment(state: Path, **more: str) -> dict[str, str]:
    return {**os.environ, "LOUPE_STATE_DIR": str(state), "LOUPE_LOG": "INFO", **more}


@contextmanager
def served(state: Path, **more: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A server as users start it, and its address."""
    env = environment(state, PORT=str(free_port()), **more)
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(
        [sys.executable, "app.py"],
        cwd=PROJECT,
        env=env,
        text=True,
        **pipes,  # type: ignore[call-overload]
    ) as server:
        try:
            assert server.stdout is not None
            line = server.stdout.readline()
            assert line == f"Loupe is at http://127.0.0.1:{env['PORT']}\n"
            yield server, line.split()[-1]
        finally:
            server.kill()


def children(pid: int) -> list[int]:
    """Processes started by ``pid``."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, parent = stat.read_text().rpartition(")")[2].split()[:2]
        except OSError:  # it ended meanwhile
            continue
        if int(parent) == pid and state != "Z":
            found.append(int(stat.parent.name))
    return found


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_one_line_then_sigterm_ends_everything(tmp_path: Path) -> None:
    with served(tmp_path) as (server, url):
        with urllib.request.urlopen(f"{url}/healthz", timeout=10) as answer:
            assert answer.status == 200
        workers = until(lambda: children(server.pid))
        start_s = time.monotonic()
        server.send_signal(signal.SIGTERM)
        server.send_signal(signal.SIGINT)  # an impatient second signal changes nothing
        out, err = server.communicate(timeout=END_S)
        assert server.returncode == 0, err
        assert time.monotonic() - start_s < END_S
        assert out == ""
        assert "Traceback" not in err
        assert not any(is_alive(pid) for pid in workers)
    assert list(tmp_path.rglob("*.part")) == []


def test_killed_server_leaves_no_worker(tmp_path: Path) -> None:
    with served(tmp_path) as (server, _url):
        workers = until(lambda: children(server.pid))
        server.kill()
    until(lambda: not any(is_alive(pid) for pid in workers), END_S)


def test_an_answer_under_way_is_sent_whole_after_sigterm(tmp_path: Path) -> None:
    """A stop must not cut off what was taken on; new connections are refused."""
    with served(tmp_path) as (server, url):
        until(lambda: children(server.pid))
        port = int(url.rpartition(":")[2])
        codes: list[int] = []

        def ask() -> None:
            with urllib.request.urlopen(f"{url}/_dash-dependencies", timeout=10) as answer:
                codes.append(answer.status if answer.read().endswith(b"]") else 0)

        threads = [threading.Thread(target=ask) for _ in range(12)]
        for thread in threads:
            thread.start()
        until(lambda: codes)
        server.send_signal(signal.SIGTERM)
        for thread in threads:
            thread.join()
        assert codes == [200] * 12
        assert server.wait(END_S) == 0
        with socket.socket() as gone:
            assert gone.connect_ex(("127.0.0.1", port)) != 0


@pytest.mark.parametrize(
    ("setting", "value", "message"),
    [
        ("PORT", "abc", "PORT='abc' is not a whole number"),
        ("HOST", "0.0.0.0", "HOST='0.0.0.0' can be reached from other machines"),
        ("LOUPE_STATE_DIR", "~nobody-here/x", "is not a folder"),
        ("LOUPE_DATABASE_URL", "mssql+pymssql://x", "needs the Python package pymssql"),
    ],
)
def test_bad_settings_are_one_sentence(
    tmp_path: Path, setting: str, value: str, message: str
) -> None:
    refused(environment(tmp_path, **{"PORT": str(free_port()), setting: value}), message)


def test_taken_port_is_one_sentence(tmp_path: Path) -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        held.listen()
        port = held.getsockname()[1]
        refused(environment(tmp_path, PORT=str(port)), f"Port {port} of 127.0.0.1 cannot be used")


def refused(env: dict[str, str], message: str) -> None:
    """Starting fails with ``message`` in one line, and nothing else is said."""
    command = [sys.executable, "app.py"]
    done = subprocess.run(
        command, cwd=PROJECT, env=env, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 1
    assert done.stdout == ""
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1
