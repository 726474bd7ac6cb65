"""``python -m backend doctor|backup|restore``: running an installation."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from backend import backup, doctor, migrations
from backend.database import make_tables, open_engine
from backend.errors import BadRequest
from backend.settings import Settings


def add(commands: Any) -> None:
    """Adds the subcommands."""
    one = commands.add_parser("doctor", help="is this installation fit to work?")
    one.set_defaults(run=examine)
    one = commands.add_parser("backup", help="everything that cannot be made anew, in one file")
    one.add_argument("file", type=Path, help="a .tar.gz to write")
    one.add_argument("--small", action="store_true", help="without results that can be computed")
    one.set_defaults(run=save)
    one = commands.add_parser("restore", help="an empty state folder and database from a backup")
    one.add_argument("file", type=Path)
    one.set_defaults(run=restore)


def examine(_asked: argparse.Namespace) -> None:
    """One line a check. Raises ``BadRequest`` if one is bad, so that the exit code says it too."""
    bad = []
    for one in doctor.everything(Settings.from_env()):
        sys.stdout.write(f"{'ok ' if one.is_good else 'BAD'}  {one.name}: {one.told}\n")
        bad += [] if one.is_good else [one.name]
    if bad:
        raise BadRequest(f"Not fit: {', '.join(bad)}.", "The lines above say what to do.")


def save(asked: argparse.Namespace) -> None:
    """Raises as :func:`backup.write`."""
    settings = Settings.from_env()
    engine = open_engine(settings.database_url)
    make_tables(engine)
    migrations.upgrade(engine)
    count = backup.write(settings, engine, asked.file.absolute(), is_small=asked.small)
    sys.stderr.write(f"{count} parts, {asked.file.stat().st_size / 1e6:.1f} MB\n")


def restore(asked: argparse.Namespace) -> None:
    """Raises as :func:`backup.read`."""
    settings = Settings.from_env()
    count = backup.read(settings, open_engine(settings.database_url), asked.file)
    sys.stderr.write(f"{count} parts are back.\n")
