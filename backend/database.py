"""The database of one installation: SQLite in a file by default, any SQLAlchemy URL for a team."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.pool import ConnectionPoolEntry

from backend.errors import BadRequest
from backend.files import private_folder


class Base(DeclarativeBase):
    """Tables of the app; each module that stores something adds its own."""


def open_engine(url: str) -> Engine:
    """An engine for ``url``, with all tables of :class:`Base` made.

    SQLite runs with a write-ahead log, so readers never wait for a writer, and with
    ``synchronous=FULL``, so what was committed survives a power cut.

    Raises:
        BadRequest: the URL is not one.
        StorageFull: the folder of the SQLite file cannot be made.
    """
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise BadRequest(
            "LOUPE_DATABASE_URL is not a SQLAlchemy URL.", "Example: sqlite:////data/loupe.db"
        ) from error
    is_sqlite = parsed.get_backend_name() == "sqlite"
    if is_sqlite and parsed.database and parsed.database != ":memory:":
        private_folder(Path(parsed.database).parent)
    engine = create_engine(parsed, pool_pre_ping=not is_sqlite)
    if is_sqlite:
        event.listen(engine, "connect", _tune_sqlite)
    return engine


def make_tables(engine: Engine) -> None:
    """Create the tables that are missing."""
    Base.metadata.create_all(engine)


def _tune_sqlite(connection: object, _entry: ConnectionPoolEntry) -> None:
    cursor = connection.cursor()  # type: ignore[attr-defined]
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=5000"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()
