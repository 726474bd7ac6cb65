"""``python -m backend results export|import``: orbits computed on one machine, seen on another."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from backend import cli_files
from backend.errors import BadRequest
from backend.nero import exchange
from backend.nero.requests import OrbitRequest


def add(commands: Any) -> None:
    """Adds the subcommands."""
    command = commands.add_parser("results", help="orbit results as files, to be seen elsewhere")
    actions = command.add_subparsers(dest="action", required=True, metavar="ACTION")
    one = actions.add_parser("export", help="an .npz and a .json; computed where it is missing")
    one.add_argument("npz", type=Path)
    one.add_argument("--task", default="digits", help="as in the address of the page")
    one.add_argument("--model", required=True)
    one.add_argument("--orbit", default="", help="family-level, such as rotation-15")
    one.set_defaults(run=_export)
    one = actions.add_parser("import", help="take such a result in: the page then shows it")
    one.add_argument("npz", type=Path, nargs="+")
    one.set_defaults(run=_import)


def _export(asked: argparse.Namespace) -> None:
    if asked.npz.suffix != ".npz" or not asked.npz.resolve().parent.is_dir():
        raise BadRequest(f"{asked.npz} is not usable.", "Name an .npz in a folder that exists.")
    request = OrbitRequest(asked.task, asked.model, asked.orbit)
    arrays = exchange.result_of(request, cli_files.results(), _progress)
    beside = exchange.write(request, arrays, asked.npz)
    sys.stdout.write(f"Written to {asked.npz} and {beside.name}\n")


def _import(asked: argparse.Namespace) -> None:
    store = cli_files.results()
    for path in asked.npz:
        if not path.is_file():
            raise BadRequest(f"There is no file {path.name}.", "Check the path.")
        request = exchange.take_in(path, store)
        sys.stdout.write(
            f"{path.name}: {request.model}, {request.orbit}: "
            f"/nero?task={request.task}&models={request.model}&focus={request.model}\n"
        )


def _progress(done: int, total: int) -> None:
    sys.stderr.write(f"\r{done} of {total}")
    sys.stderr.flush()
