"""The steps that bring a database's tables of answers to the present form, run by Alembic.

Jobs and links can be lost and are made anew; answers cannot, so their tables change by written
steps only. To change them: add ``versions/aNNNN_what.py`` and the columns in the table's module.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util.exc import CommandError
from sqlalchemy import Engine

from backend.database import TAKEN, answering
from backend.errors import BadRequest

FOLDER: Final = Path(__file__).resolve().parent
logging.getLogger("alembic").setLevel(logging.WARNING)  # it tells of every step at every start


def upgrade(engine: Engine, revision: str = "head") -> None:
    """Runs the steps that are missing, in one transaction; without any, it reads one row.

    Raises:
        StorageFull: the database cannot be opened or written.
        BadRequest: a newer Loupe has written this database.
    """
    try:
        with answering("The answers' tables cannot be made"):
            try:
                _run(engine, revision)
            except TAKEN:  # a second server was faster
                _run(engine, revision)
    except CommandError as error:
        raise BadRequest(
            "This database was written by a newer version of Loupe.",
            "Update Loupe, or set LOUPE_DATABASE_URL to another database.",
        ) from error


def downgrade(engine: Engine, revision: str) -> None:
    """Takes steps back, for a return to an older Loupe. Raises as :func:`upgrade`.

    Raises:
        BadRequest: a step back would delete what people have entered; or there is no such step.
    """
    try:
        with answering("The tables cannot be changed"):
            _run(engine, revision, command.downgrade)
    except (CommandError, NotImplementedError) as error:
        raise BadRequest(
            f"There is no way back to {revision!r}: answers and drafts are never deleted.",
            "Restore a backup of that version instead.",
        ) from error


def present(engine: Engine) -> str | None:
    """The step that a database is at; ``None`` before the first. Raises ``StorageFull``."""
    with answering("The database cannot be read"), engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def newest() -> str:
    """The step that this Loupe brings a database to."""
    return str(ScriptDirectory.from_config(_config()).get_current_head())


def known() -> set[str]:
    """Every step of this Loupe."""
    return {one.revision for one in ScriptDirectory.from_config(_config()).walk_revisions()}


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    return config


def _run(
    engine: Engine, revision: str, way: Callable[[Config, str], None] = command.upgrade
) -> None:
    config = _config()
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        way(config, revision)
