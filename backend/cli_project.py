"""``python -m backend project load|save``: a ``loupe.toml``, or a project file with notes."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from backend import workspace
from backend.errors import BadRequest
from backend.files import write_atomic
from backend.registry import project, store
from backend.selections import SelectionStore


def add(commands: Any) -> None:
    """Adds the subcommands."""
    command = commands.add_parser("project", help="models, data, selections and notes in one file")
    actions = command.add_subparsers(dest="action", required=True, metavar="ACTION")
    one = actions.add_parser(
        "load", help="register what a loupe.toml (or its folder) or a project .json names"
    )
    one.add_argument("path", type=Path)
    one.set_defaults(run=_load)
    one = actions.add_parser(
        "save", help="what is registered as .toml; as .json with selections and notes too"
    )
    one.add_argument("path", type=Path)
    one.set_defaults(run=_save)


def _load(asked: argparse.Namespace) -> None:
    path: Path = asked.path
    failed = _restored(path) if path.suffix == ".json" else project.load(path, _say)
    if failed:
        raise BadRequest("\n".join(failed))


def _restored(path: Path) -> list[str]:
    try:
        found = workspace.read(path.read_bytes())
    except OSError as error:
        raise BadRequest(f"There is no {path.name} to be read.", "Check the path.") from error
    engine, state_dir = store.required().engine, store.settings().state_dir
    failed = workspace.restore(engine, state_dir, found, path.resolve().parent, _say)
    if found.link:
        _say(f"The view: {found.link}")
    return failed


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")


def _save(asked: argparse.Namespace) -> None:
    folder = asked.path.resolve().parent
    if not folder.is_dir():
        raise BadRequest(f"The folder of {asked.path} does not exist.", "Create it first.")
    if asked.path.suffix == ".json":
        kept = SelectionStore(store.settings().state_dir).get()
        data = workspace.written(workspace.exported(store.required().engine, kept, folder))
    else:
        data = project.written(folder).encode()
    write_atomic(asked.path, lambda out: out.write(data))
    sys.stdout.write(f"Written to {asked.path}\n")
