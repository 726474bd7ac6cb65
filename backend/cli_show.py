"""``python -m backend models list`` and ``data list``: what is installed."""

from __future__ import annotations

import argparse
import sys
from typing import Any

import pandas as pd

from backend import catalog, cli_files, datasets


def add(commands: Any) -> None:
    """Adds both subcommands."""
    for name, make, what in (("models", models, "models"), ("data", data, "data sets")):
        command = commands.add_parser(name, help=f"the {what} that come with the app")
        actions = command.add_subparsers(dest="action", required=True, metavar="list")
        listing = actions.add_parser("list", help=f"one line for each of the {what}")
        cli_files.add_formats(listing, ("json", "csv", "parquet"))
        listing.set_defaults(run=lambda asked, make=make: _show(asked, make()))


def models() -> pd.DataFrame:
    """One row per model: what it takes and how well it does."""
    return pd.DataFrame(
        [
            {
                "key": card.key,
                "title": card.title,
                "task": card.task,
                "input": f"{card.input.channels}x{card.input.height}x{card.input.width}",
                "classes": len(card.classes),
                "upright_accuracy": card.metrics.get("upright_accuracy"),
                "fingerprint": card.fingerprint,
                "licence": card.licence,
            }
            for card in catalog.models().values()
        ]
    )


def data() -> pd.DataFrame:
    """One row per data set."""
    return pd.DataFrame(
        [
            {
                "key": info.key,
                "title": info.title,
                "task": info.task,
                "items": info.count,
                "shape": "x".join(str(length) for length in info.shape),
                "licence": info.licence,
            }
            for info in datasets.bundled().values()
        ]
    )


def _show(asked: argparse.Namespace, table: pd.DataFrame) -> None:
    if not cli_files.write(asked, table, {}):
        sys.stdout.write(table.to_string(index=False) + "\n")
