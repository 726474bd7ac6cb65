"""``python -m backend project load|save``: a project's models and data from one ``loupe.toml``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from backend.errors import BadRequest
from backend.files import write_atomic
from backend.registry import project


def add(commands: Any) -> None:
    """Adds the subcommands."""
    command = commands.add_parser("project", help="models and data sets named in a loupe.toml")
    actions = command.add_subparsers(dest="action", required=True, metavar="ACTION")
    one = actions.add_parser("load", help="register what a loupe.toml, or a folder with one, names")
    one.add_argument("path", type=Path)
    one.set_defaults(run=_load)
    one = actions.add_parser("save", help="write what is registered to a loupe.toml")
    one.add_argument("path", type=Path)
    one.set_defaults(run=_save)


def _load(asked: argparse.Namespace) -> None:
    failed = project.load(asked.path, _say)
    if failed:
        raise BadRequest("\n".join(failed))


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")


def _save(asked: argparse.Namespace) -> None:
    text = project.written(asked.path.resolve().parent)
    write_atomic(asked.path, lambda out: out.write(text.encode()))
    sys.stdout.write(f"Written to {asked.path}\n")
