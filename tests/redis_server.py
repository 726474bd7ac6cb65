"""A Redis server for tests, where one is installed: on a socket of its own, without a port."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.waiting import until

URL = "LOUPE_TEST_REDIS"  # of a server whose database tests may empty, instead of one here


class RedisServer:
    """A server that tests may stop and start again; what it held is gone then."""

    def __init__(self, folder: Path) -> None:
        self.socket = folder / "redis.sock"
        self.url = f"unix://{self.socket}?db=0"
        self._command = ["redis-server", "--port", "0", "--unixsocket", str(self.socket)]
        self._command += ["--save", "", "--appendonly", "no", "--dir", str(folder)]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        quiet = subprocess.DEVNULL
        self._process = subprocess.Popen(self._command, stdout=quiet, stderr=quiet)
        until(self.socket.exists)

    def stop(self) -> None:
        if self._process:
            self._process.kill()
            self._process.wait()
            self.socket.unlink(missing_ok=True)
            self._process = None


@contextmanager
def server() -> Iterator[RedisServer]:
    """A running server; skips the test where Redis is not to be had."""
    pytest.importorskip("redis", reason="redis is not installed (requirements-dev.txt)")
    if shutil.which("redis-server") is None:
        pytest.skip("Redis is not installed (apt-get install redis-server)")
    with tempfile.TemporaryDirectory(prefix="redis-", dir="/tmp") as name:
        os.chmod(name, 0o700)
        made = RedisServer(Path(name))
        made.start()
        try:
            yield made
        finally:
            made.stop()
