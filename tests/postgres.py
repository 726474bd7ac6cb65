"""A PostgreSQL server for tests, where one is installed: in a folder of its own, without a port."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

USER = "postgres"
URL = "LOUPE_TEST_POSTGRES"  # of an empty database that tests may wipe, instead of a server here


@contextmanager
def server() -> Iterator[str]:
    """The URL of an empty database; skips the test where PostgreSQL is not to be had."""
    pytest.importorskip("psycopg", reason="psycopg is not installed")
    if os.environ.get(URL):
        yield os.environ[URL]
        return
    programs = _programs()
    if programs is None:
        pytest.skip("PostgreSQL is not installed (apt-get install postgresql)")
    as_root = {"user": USER, "group": USER, "extra_groups": []} if os.geteuid() == 0 else {}
    if as_root and USER not in {one.pw_name for one in pwd.getpwall()}:
        pytest.skip("PostgreSQL does not run as root, and there is no user postgres")
    # The path of a socket may have 107 characters only, so not pytest's folder.
    with tempfile.TemporaryDirectory(prefix="pg-", dir="/tmp") as name:
        folder = Path(name)
        if as_root:
            shutil.chown(folder, USER, USER)
        options = {"cwd": folder, "check": True, "capture_output": True, "timeout": 60, **as_root}
        data = ["-D", str(folder / "data")]
        subprocess.run(
            [programs / "initdb", *data, "-U", USER, "-A", "trust", "--no-sync"], **options
        )
        settings = f"-c listen_addresses='' -c unix_socket_directories={folder}"
        log = ["-l", str(folder / "log")]
        subprocess.run([programs / "pg_ctl", *data, *log, "-o", settings, "-w", "start"], **options)
        try:
            yield f"postgresql://{USER}@/postgres?host={folder}"
        finally:
            subprocess.run([programs / "pg_ctl", *data, "-m", "immediate", "stop"], **options)


def emptied(url: str) -> str:
    """The same URL, its database without any table."""
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://", 1))
    with engine.begin() as connection:
        connection.execute(text("DROP SCHEMA public CASCADE"))
        connection.execute(text("CREATE SCHEMA public"))
    engine.dispose()
    return url


def _programs() -> Path | None:
    """The folder of initdb and pg_ctl; Debian keeps them off the path."""
    found = shutil.which("initdb")
    places = [Path(found).parent] if found else []
    places += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((place for place in places if (place / "initdb").exists()), None)
