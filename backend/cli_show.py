"""``python -m backend models list`` and ``data list``: what is installed and registered."""

from __future__ import annotations

import argparse
import sys
from typing import Any

import pandas as pd

from backend import catalog, cli_files, cli_registry, datasets
from backend.registry import store


def add(commands: Any) -> None:
    """Adds both subcommands."""
    rows = (
        ("models", models, "models", cli_registry.add_models),
        ("data", data, "data sets", cli_registry.add_data),
    )
    for name, make, what, add_own in rows:
        command = commands.add_parser(name, help=f"the {what}: bundled ones and your own")
        actions = command.add_subparsers(dest="action", required=True, metavar="ACTION")
        add_own(actions)
        listing = actions.add_parser("list", help=f"one line for each of the {what}")
        cli_files.add_formats(listing, ("json", "csv", "parquet"))
        listing.set_defaults(run=lambda asked, make=make: _show(asked, make()))


def models() -> pd.DataFrame:
    """One row per model: what it takes and how well it does."""
    own = [held.spec.card(held.fingerprint) for held in store.models().values()]
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
            for card in [*catalog.models().values(), *own]
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
        + [_own_set(held) for held in store.sets().values()]
    )


def _own_set(held: store.OwnSet) -> dict[str, Any]:
    low, high = held.summary["smallest"], held.summary["largest"]
    shape = f"{high[1]}x{high[0]}" if low == high else f"{low[1]}x{low[0]} to {high[1]}x{high[0]}"
    return {
        "key": held.spec.name,
        "title": held.spec.told,
        "task": f"{len(held.spec.classes)} classes",
        "items": held.summary["items"],
        "shape": shape,
        "licence": held.spec.licence or "not said",
    }


def _show(asked: argparse.Namespace, table: pd.DataFrame) -> None:
    if not cli_files.write(asked, table, {}):
        sys.stdout.write(table.to_string(index=False) + "\n")
