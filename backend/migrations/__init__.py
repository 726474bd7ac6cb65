"""The steps that bring a database's tables of answers to the present form, run by Alembic.

Jobs and links can be lost and are made anew; answers cannot, so their tables change by written
steps only. To change them: add ``versions/aNNNN_what.py`` and the columns in the table's module.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
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


def _run(engine: Engine, revision: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
