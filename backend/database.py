"""The database of one installation: SQLite in a file by default, any SQLAlchemy URL for a team."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from sqlalchemy import URL, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import (
    ArgumentError,
    DBAPIError,
    IntegrityError,
    OperationalError,
    ProgrammingError,
    SQLAlchemyError,
)
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.pool import ConnectionPoolEntry

from backend.errors import BadRequest, StorageFull
from backend.files import private_folder

BUSY_MS: Final = 15_000
"""A writer waits so long for another one: a busy disk can hold one for more than 5 s."""
PATIENCE: Final = {"connect_timeout": 5, "tcp_user_timeout": 10_000}  # seconds; milliseconds
TAKEN: Final = (OperationalError, ProgrammingError, IntegrityError)
"""What databases say when another server has just made the same table."""
HINT: Final = (
    "Free some space in the state folder, or set LOUPE_STATE_DIR or LOUPE_DATABASE_URL to a place "
    "that works."
)
HINT_LOCKED: Final = "The disk is slow or another program holds the file: try again in a moment."


class Base(DeclarativeBase):
    """Tables of the app; each module that stores something adds its own."""


def open_engine(url: str) -> Engine:
    """An engine for ``url``; nothing is connected yet.

    SQLite runs with a write-ahead log, so readers never wait for a writer, and with
    ``synchronous=FULL``, so what was committed survives a power cut.

    Raises:
        BadRequest: the URL is not one, or the Python package for its database is missing.
        StorageFull: the folder of the SQLite file cannot be made.
    """
    try:
        parsed = make_url(url)
        is_sqlite = parsed.get_backend_name() == "sqlite"
        if parsed.drivername in ("postgresql", "postgres"):
            parsed = parsed.set(drivername="postgresql+psycopg")
        waits = {} if is_sqlite else _patience(parsed)
        engine = create_engine(parsed, pool_pre_ping=not is_sqlite, connect_args=waits)
    except (ArgumentError, ValueError) as error:
        raise BadRequest(
            "LOUPE_DATABASE_URL is not a SQLAlchemy URL.", "Example: sqlite:////data/loupe.db"
        ) from error
    except ImportError as error:
        package = {"psycopg": "'psycopg[binary]'"}.get(str(error.name), error.name)
        raise BadRequest(
            f"LOUPE_DATABASE_URL needs the Python package {error.name}, which is not installed.",
            f"Run `.venv/bin/pip install {package}`, or leave LOUPE_DATABASE_URL empty.",
        ) from error
    if is_sqlite and parsed.database and parsed.database != ":memory:":
        private_folder(Path(parsed.database).parent)
    if is_sqlite:
        event.listen(engine, "connect", _tune_sqlite)
    return engine


def _patience(url: URL) -> dict[str, int]:
    """How long PostgreSQL may be silent, where the URL does not say: unasked, it may be minutes."""
    if url.get_backend_name() != "postgresql":
        return {}
    return {name: value for name, value in PATIENCE.items() if name not in url.query}


def make_tables(engine: Engine) -> None:
    """Create the tables that are missing.

    Raises:
        StorageFull: the database cannot be opened or written.
    """
    with answering("The database cannot be opened"):
        try:
            Base.metadata.create_all(engine)
        except TAKEN:  # a second server started at the same moment made them
            Base.metadata.create_all(engine)


@contextmanager
def answering(what: str) -> Iterator[None]:
    """Turn what the database refuses inside the block into a sentence that begins with ``what``.

    Raises:
        StorageFull: with the reason where SQLite gives it; other databases name their hosts.
    """
    try:
        yield
    except IntegrityError:
        raise
    except SQLAlchemyError as error:
        reason = "the database does not answer"
        if isinstance(error, DBAPIError) and isinstance(error.orig, sqlite3.Error):
            reason = str(error.orig)[:120]
        hint = HINT_LOCKED if "locked" in reason else HINT
        raise StorageFull(f"{what}: {reason}.", hint) from error


def _tune_sqlite(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
    cursor = connection.cursor()
    for pragma in (f"busy_timeout={BUSY_MS}", "journal_mode=WAL", "synchronous=FULL"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()
