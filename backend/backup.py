"""One file with everything that cannot be made anew, and the way back from it.

A backup is a tar archive: the rows of every table as JSON lines, the files of the state folder,
and a list of all with their sha256. It does not depend on the kind of database, so it also moves an
installation from SQLite to PostgreSQL.
"""

from __future__ import annotations

import hashlib
import io
import os
import tarfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, Final

import orjson
from sqlalchemy import Engine, MetaData, Table, func, insert, select, text

from backend import migrations
from backend.database import answering, make_tables
from backend.errors import BadRequest, StorageFull
from backend.files import CLAIM, PART, claim, private_folder, refused, write_atomic
from backend.settings import Settings

FORM: Final = 1
LIST: Final = "loupe-backup.json"
LEFT_OUT: Final = ("loupe.db", "loupe.db-wal", "loupe.db-shm", CLAIM)
REMADE: Final = ("results", "media", "zoom/pyramids")
"""Folders that ``is_small`` leaves out. Sets of the user's own lie in ``results``."""
ROWS: Final = 500
LARGEST_ROW: Final = 50_000_000


def write(settings: Settings, engine: Engine, path: Path, *, is_small: bool = False) -> int:
    """Write a backup to ``path`` while the app runs or not; returns the number of its parts.

    Each table is read in one transaction of its own. Only its owner can read the file.

    Raises:
        StorageFull: the database cannot be read, or the file not be written.
    """
    listed: dict[str, str] = {}

    def fill(out: BinaryIO) -> None:
        with tarfile.open(fileobj=out, mode="w:gz", compresslevel=3) as archive:
            for name, data in _tables(engine):
                listed[name] = hashlib.sha256(data).hexdigest()
                _put(archive, name, data)
            for name, file in _files(settings.state_dir, is_small):
                listed[name] = _put_file(archive, name, file)
            head = {"form": FORM, "made_at": time.time(), "parts": listed}
            head["revision"] = migrations.present(engine)
            _put(archive, LIST, orjson.dumps(head))

    write_atomic(path, fill)
    os.chmod(path, 0o600)
    return len(listed)


def read(settings: Settings, engine: Engine, path: Path) -> int:
    """Fill an empty state folder and an empty database from a backup; returns its parts.

    Everything is checked before anything is written.

    Raises:
        BadRequest: the file is no whole backup or of a newer version, or something is there.
        StorageFull: the disk or the database refuses.
    """
    head = _checked(path)
    held = claim(settings.state_dir)
    if held is None:
        raise BadRequest("Loupe runs on this state folder.", "Stop it, then restore.")
    with held:
        _must_be_empty(settings, engine)
        make_tables(engine)
        migrations.upgrade(engine, head["revision"] or "head")
        with answering("The backup cannot be restored"):
            _fill(engine, path)
        migrations.upgrade(engine)
        _unpack(path, settings.state_dir)
    return len(head["parts"])


def _tables(engine: Engine) -> Iterator[tuple[str, bytes]]:
    with answering("The tables cannot be read"):
        found = _reflected(engine)
        for table in found.sorted_tables:
            lines = io.BytesIO()
            with engine.connect() as connection:
                for row in connection.execute(select(table)).mappings():
                    values = {str(name): value for name, value in row.items()}
                    lines.write(orjson.dumps(values) + b"\n")
            yield f"tables/{table.name}.jsonl", lines.getvalue()


def _reflected(engine: Engine) -> MetaData:
    found = MetaData()
    found.reflect(engine)
    if "alembic_version" in found.tables:
        found.remove(found.tables["alembic_version"])
    return found


def _files(folder: Path, is_small: bool) -> Iterator[tuple[str, Path]]:
    for file in sorted(folder.rglob("*")):
        name = file.relative_to(folder).as_posix()
        is_remade = is_small and name.startswith(tuple(f"{one}/" for one in REMADE))
        is_ours = name not in LEFT_OUT and file.suffix != PART and not is_remade
        if is_ours and file.is_file() and not file.is_symlink():
            yield f"state/{name}", file


def _put(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size, info.mode = len(data), 0o600
    archive.addfile(info, io.BytesIO(data))


def _put_file(archive: tarfile.TarFile, name: str, file: Path) -> str:
    """Adds a file as it is now; its sha256. Files of the state folder are renamed into place."""
    try:
        data = file.read_bytes()
    except OSError as error:  # evicted meanwhile
        raise refused("A file cannot be read", error) from error
    _put(archive, name, data)
    return hashlib.sha256(data).hexdigest()


def _checked(path: Path) -> dict[str, Any]:
    """The list of a backup whose every part is there and unchanged."""
    found: dict[str, str] = {}
    head: dict[str, Any] = {}
    for name, data in _parts(path):
        if name == LIST:
            head = orjson.loads(data)
        else:
            found[name] = hashlib.sha256(data).hexdigest()
    if head.get("form") != FORM or head.get("parts") != found:
        raise BadRequest(
            f"{path.name} is not a whole backup of Loupe.", "Part of it is missing or was changed."
        )
    if head["revision"] is not None and head["revision"] not in migrations.known():
        raise BadRequest(f"{path.name} was made by a newer Loupe.", "Update Loupe, then restore.")
    return head


def _parts(path: Path) -> Iterator[tuple[str, bytes]]:
    try:
        with tarfile.open(path, "r:gz") as archive:
            for info in archive:
                steps = info.name.split("/")
                if not info.isreg() or info.name.startswith("/") or ".." in steps:
                    raise BadRequest(f"{path.name} holds a path of its own.", "It is no backup.")
                file = archive.extractfile(info)
                yield info.name, file.read() if file else b""
    except FileNotFoundError as error:
        raise BadRequest(f"There is no file {path.name}.", "Name the backup.") from error
    except (tarfile.TarError, EOFError, OSError) as error:
        raise BadRequest(f"{path.name} is not a backup of Loupe.", "It cannot be read.") from error


def _must_be_empty(settings: Settings, engine: Engine) -> None:
    there = [name for name, _ in _files(settings.state_dir, is_small=False)]
    with answering("The database cannot be read"):
        tables = _reflected(engine).sorted_tables
        with engine.connect() as connection:
            full = [
                t.name for t in tables if connection.scalar(select(func.count()).select_from(t))
            ]
    if there or full:
        what = f"the state folder holds {there[0]}" if there else f"the table {full[0]} has rows"
        raise BadRequest(
            f"A backup is restored into an empty place, and {what}.",
            "Set LOUPE_STATE_DIR, and LOUPE_DATABASE_URL where it is used, to empty ones.",
        )


def _fill(engine: Engine, path: Path) -> None:
    rows = {
        name.removeprefix("tables/").removesuffix(".jsonl"): data
        for name, data in _parts(path)
        if name.startswith("tables/")
    }
    with engine.begin() as connection:
        for table in _reflected(engine).sorted_tables:
            lines = rows.get(table.name, b"").splitlines()
            made = [orjson.loads(line) for line in lines]
            for start in range(0, len(made), ROWS):
                connection.execute(insert(table), made[start : start + ROWS])
            if made and engine.dialect.name == "postgresql":
                _go_on_counting(connection, table)


def _go_on_counting(connection: Any, table: Table) -> None:
    """Rows came with their numbers; the next new one must not meet them."""
    for column in table.primary_key.columns:
        if column.type.python_type is int:
            name = connection.scalar(select(func.pg_get_serial_sequence(table.name, column.name)))
            if name:
                newest = connection.scalar(select(func.max(column)))
                connection.execute(
                    text("SELECT setval(:name, :newest)"), {"name": name, "newest": newest}
                )


def _write(data: bytes, out: BinaryIO) -> None:
    out.write(data)


def _unpack(path: Path, folder: Path) -> None:
    for name, data in _parts(path):
        if name.startswith("state/"):
            target = folder / name.removeprefix("state/")
            private_folder(target.parent)
            write_atomic(target, partial(_write, data))
            os.chmod(target, 0o600)
    if not folder.is_dir():
        raise StorageFull("The state folder was not made.")
