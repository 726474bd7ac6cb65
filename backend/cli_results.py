"""``python -m backend results export|import``: computed on one machine, seen on another."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any, Final

from backend import cli_files, sidecar
from backend.errors import BadRequest
from backend.nero import exchange
from backend.nero.requests import OrbitRequest
from backend.registry import computed

KINDS: Final = ("orbit", *computed.KINDS)


def add(commands: Any) -> None:
    """Adds the subcommands."""
    command = commands.add_parser("results", help="computed results as files, to be seen elsewhere")
    actions = command.add_subparsers(dest="action", required=True, metavar="ACTION")
    one = actions.add_parser("export", help="an .npz and a .json; computed where it is missing")
    one.add_argument("npz", type=Path)
    one.add_argument("--kind", default=KINDS[0], choices=KINDS, help="orbit unless given")
    one.add_argument("--task", default="digits", help="of an orbit, as in the address of the page")
    one.add_argument("--data", default="", help="a registered set, for other kinds")
    one.add_argument("--model", required=True)
    one.add_argument("--orbit", default="", help="family-level, such as rotation-15")
    one.set_defaults(run=_export)
    one = actions.add_parser("import", help="take such a result in: its page then shows it")
    one.add_argument("npz", type=Path, nargs="+")
    one.set_defaults(run=_import)


def _export(asked: argparse.Namespace) -> None:
    if asked.npz.suffix != ".npz" or not asked.npz.resolve().parent.is_dir():
        raise BadRequest(f"{asked.npz} is not usable.", "Name an .npz in a folder that exists.")
    beside = _orbit(asked) if asked.kind == "orbit" else _computed(asked)
    sys.stdout.write(f"Written to {asked.npz} and {beside.name}\n")


def _orbit(asked: argparse.Namespace) -> Path:
    request = OrbitRequest(asked.task, asked.model, asked.orbit)
    arrays = exchange.result_of(request, cli_files.results(), _progress)
    return exchange.write(request, arrays, asked.npz)


def _computed(asked: argparse.Namespace) -> Path:
    from backend.registry import computing

    if not asked.data:
        raise BadRequest(f"{asked.kind} are of a data set.", "Name a registered one with --data.")
    rows, arrays = computing.computed(asked.kind, asked.model, asked.data, _progress)
    return computed.write(asked.npz, asked.kind, asked.data, asked.model, rows, arrays)


def _import(asked: argparse.Namespace) -> None:
    store = cli_files.results()
    for path in asked.npz:
        if sidecar.schema_of(path) == computed.SCHEMA:
            found = computed.take_in(path)
            link = f"/images?set={found.data}&with={found.key}"
            sys.stdout.write(f"{path.name}: {found.kind} of {found.model}: {link}\n")
            continue
        request = exchange.take_in(path, store)
        sys.stdout.write(
            f"{path.name}: {request.model}, {request.orbit}: "
            f"/nero?task={request.task}&models={request.model}&focus={request.model}\n"
        )


def _progress(done: int, total: int) -> None:
    sys.stderr.write(f"\r{done} of {total}")
    sys.stderr.flush()
