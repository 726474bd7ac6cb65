"""Files are replaced whole; what is no file is written to and stays what it is."""

from __future__ import annotations

import os
import stat
import threading
from pathlib import Path

import pytest

from backend import files


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path):
    path = tmp_path / "table.csv"
    path.write_bytes(b"old")

    def broken(out) -> None:
        out.write(b"half")
        raise ValueError("no")

    with pytest.raises(ValueError):
        files.write_atomic(path, broken)
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["table.csv"]


def test_a_pipe_is_written_to_and_stays_a_pipe(tmp_path: Path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.append(pipe.read_bytes()))
    reader.start()
    assert files.write_atomic(pipe, lambda out: out.write(b"rows")) == 4
    reader.join(5)
    assert got == [b"rows"]
    assert stat.S_ISFIFO(pipe.stat().st_mode)
