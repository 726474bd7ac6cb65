"""``python -m backend metric …``: what an embedding reacts to, on the caller's own arrays."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pandas as pd

from backend import cli_files, cli_metric_cars, metrics
from backend.cache import ArrayStore
from backend.errors import BadRequest
from backend.metric_learning import counting, properties, sensitivity, significance
from backend.metric_learning.counting import Counts
from backend.metric_learning.distances import DISTANCES
from backend.metric_learning.neighbours import TIES
from backend.metric_learning.properties import Property
from backend.protocols import JSON
from backend.settings import Settings


def add(commands: Any) -> None:
    """Adds the subcommands."""
    command = commands.add_parser("metric", help="which properties an embedding reacts to")
    actions = command.add_subparsers(dest="action", required=True, metavar="ACTION")
    one = actions.add_parser("nr-precision", help="NR-Prec of every property in a table")
    _inputs(one)
    one.add_argument("--sigma", default="std", choices=get_args(metrics.Sigma))
    one.add_argument("--ties", default="index", choices=TIES)
    one.add_argument("--permutations", type=int, default=0, help="shufflings of each property")
    one.add_argument("--seed", type=int, default=0)
    cli_files.add_formats(one, ("json", "csv", "parquet"))
    one.set_defaults(run=nr_precision)
    one = actions.add_parser("retrieval", help="R-Precision, MAP@R and precision@1 of one property")
    _inputs(one)
    one.add_argument("--label", required=True, help="the column that holds the class")
    cli_files.add_formats(one, ("json", "csv", "parquet"))
    one.set_defaults(run=retrieval)
    one = actions.add_parser("scaling", help="how NR-Prec of one property grows with the images")
    _inputs(one)
    one.add_argument("--label", required=True, help="the property")
    one.add_argument("--seed", type=int, default=0)
    cli_files.add_formats(one, ("json", "csv", "parquet"))
    one.set_defaults(run=scaling)
    one = actions.add_parser("independence", help="tests of every pair of properties in a table")
    one.add_argument("--properties", type=Path, required=True, metavar="FILE")
    one.add_argument("--columns", default="", help="properties to take, separated by commas")
    cli_files.add_formats(one, ("json", "csv", "parquet"))
    one.set_defaults(run=independence)
    one = actions.add_parser("families", help="whether two families of losses differ")
    one.add_argument("table", type=Path, help="family, loss, fold, property, nr_precision")
    one.add_argument("--unit", default="fold", choices=("fold", "loss"))
    cli_files.add_formats(one, ("json", "csv", "parquet"))
    one.set_defaults(run=families)
    cli_metric_cars.add(actions)


def _inputs(command: argparse.ArgumentParser) -> None:
    command.add_argument("--embeddings", type=Path, required=True, metavar="FILE.npy")
    command.add_argument(
        "--properties", type=Path, required=True, metavar="FILE", help=".csv or .parquet"
    )
    command.add_argument("--columns", default="", help="properties to take, separated by commas")
    command.add_argument("--distance", default="euclidean", help=f"one of {', '.join(DISTANCES)}")


def nr_precision(asked: argparse.Namespace) -> None:
    """Writes the table of every property.

    Raises:
        BadRequest: a file or a value is not usable; see
            :func:`backend.metric_learning.sensitivity.sensitivity`.
    """
    x, held = _read(asked)
    found = sensitivity.sensitivity(
        x,
        held,
        asked.distance,
        asked.sigma,
        asked.ties,
        _count(asked.permutations),
        asked.seed,
        _progress,
        _counted(asked, x, held),
    )
    for note in found.notes:
        sys.stderr.write(f"{note}\n")
    _show(asked, found.frame, found.document())


def _counted(asked: argparse.Namespace, x: Any, held: list[Property]) -> Counts | None:
    """What the cluster of ``LOUPE_RAY_ADDRESS`` counts; None where none is set."""
    settings = Settings.from_env()
    usable = [one for one in held if not one.problem]
    if not settings.ray_address or not usable:
        return None
    how: dict[str, JSON] = {name: getattr(asked, name) for name in ("distance", "ties", "seed")}
    how["permutations"] = _count(asked.permutations)
    store = ArrayStore(settings.state_dir / "results", settings.cache_bytes)
    return counting.on_cluster(store, x, usable, _progress, how)


def retrieval(asked: argparse.Namespace) -> None:
    """Writes the retrieval measures of one property. Raises as :func:`metrics.r_precision`."""
    x, held = _read(asked)
    label = _one(held, asked.label)
    values = np.asarray(label.values)[label.codes]
    row: dict[str, Any] = {"property": label.name, "n": len(values), "distance": asked.distance}
    for measure in (metrics.r_precision, metrics.map_at_r, metrics.precision_at_1):
        row[measure.__name__] = measure(x, values, asked.distance)
    _show(asked, pd.DataFrame([row]))


def scaling(asked: argparse.Namespace) -> None:
    """Writes NR-Prec of parts of the images. Raises as :func:`significance.scaling`."""
    x, held = _read(asked)
    label = _one(held, asked.label)
    _show(asked, significance.scaling(x, label, asked.distance, seed=asked.seed))


def independence(asked: argparse.Namespace) -> None:
    """Writes the tests of independence. Raises as :func:`properties.independence`."""
    _show(asked, properties.independence(properties.read(asked.properties, _columns(asked))))


def families(asked: argparse.Namespace) -> None:
    """Writes the Mann-Whitney tests. Raises as :func:`significance.families`."""
    _show(asked, significance.families(properties.frame_of(asked.table), unit=asked.unit))


def _read(asked: argparse.Namespace) -> tuple[Any, list[properties.Property]]:
    x = cli_files.read_array(asked.embeddings, "The embeddings")
    if x.ndim != 2:
        raise BadRequest(f"The embeddings have the shape {x.shape}.", "Give an array (n, d).")
    return x, properties.read(asked.properties, _columns(asked), len(x))


def _columns(asked: argparse.Namespace) -> list[str]:
    return [name.strip() for name in asked.columns.split(",") if name.strip()]


def _one(held: list[properties.Property], name: str) -> properties.Property:
    for label in held:
        if label.name == name:
            if label.problem:
                raise BadRequest(label.problem)
            return label
    names = ", ".join(label.name for label in held)
    raise BadRequest(f"There is no property {name[:80]!r}.", f"There is {names}.")


def _count(permutations: int) -> int:
    if not 0 <= permutations <= significance.MOST:
        raise BadRequest(
            f"{permutations} permutations are out of range.", f"Give 0 to {significance.MOST}."
        )
    return permutations


def _progress(done: int, total: int) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(f"\r{done} of {total}" + ("\n" if done == total else ""))


def _show(asked: argparse.Namespace, table: pd.DataFrame, document: Any = None) -> None:
    if not cli_files.write(asked, table, {}, document):
        sys.stdout.write(table.to_string(index=False) + "\n")
