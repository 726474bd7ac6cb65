"""``python -m backend nero``: a model's answers along an orbit, from the command line."""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path
from typing import Any, Final

import numpy as np

from backend import catalog, cli_files, cli_images, datasets
from backend.errors import BadRequest, NotFound
from backend.nero import OrbitResult, evaluate, orbits, tables, tasks

SPAN: Final = re.compile(r"(\d{1,9})?(:)?(\d{1,9})?")
METRICS: Final = ("accuracy", "confidence")


def add(commands: Any) -> None:
    """Adds the subcommand."""
    command = commands.add_parser(
        "nero", help="run a model along the rotations of images and write its answers"
    )
    command.add_argument("--task", default="digits", help=f"one of {', '.join(tasks.names())}")
    command.add_argument("--model", default="plain", help="a model's key, or its last part")
    command.add_argument("--angles", type=_whole, default=72, help="how many rotations (72)")
    command.add_argument("--items", default="all", help="rows of the task's set: all, 7 or 0:50")
    command.add_argument(
        "--images",
        type=Path,
        nargs="+",
        help="your own images: .npy (n, h, w[, 3]) uint8, image files, or a folder of them",
    )
    command.add_argument(
        "--labels", nargs="+", help="their true classes: .npy (n,), or a class for each image"
    )
    command.add_argument("--control", action="store_true", help="turn there and back again")
    command.add_argument("--metric", choices=METRICS, default="accuracy", help="what is summed up")
    cli_files.add_formats(command, tuple(cli_files.FORMATS))
    command.set_defaults(run=run)


def run(asked: argparse.Namespace) -> None:
    """Evaluates and writes; without a file, the curve goes to standard output.

    Raises:
        BackendError: an argument or a file is not usable.
    """
    task = tasks.find(asked.task)
    key = model_key(asked.task, asked.model)
    items = _items(asked)
    orbit = orbits.rotations(asked.angles)
    result = evaluate(key, task, orbit, items, progress=_report, control=asked.control)
    sys.stderr.write("\n")
    if result.unanswered:
        sys.stderr.write(f"{result.unanswered} answers were not finite and count in no mean.\n")
    table = tables.aggregate({key: result})
    if not cli_files.write(asked, table, arrays(result)):
        column = "accuracy" if asked.metric == "accuracy" else "mean_confidence"
        sys.stdout.write(table[["angle_deg", "model", column, "n"]].to_string(index=False) + "\n")
    mean = float(np.nanmean(result.aggregate(asked.metric)))
    sys.stderr.write(f"{key}: mean {asked.metric} over {orbit.size} angles {mean:.4f}\n")


def arrays(result: OrbitResult) -> dict[str, Any]:
    """What ``--npz`` writes: the result's arrays under the names of the Python interface."""
    return {
        "metric": result.metric,
        "outputs": result.outputs,
        "angles_deg": result.angles_deg,
        "item_ids": result.item_ids,
        "labels": result.labels,
        "predicted": result.predicted,
        "classes": np.array(result.classes),
    }


def model_key(task: str, name: str) -> str:
    """The key of a model: itself, or ``plain`` for ``digits-plain`` among the task's models.

    Raises:
        NotFound: the task has no such model.
    """
    fitting = catalog.models_for(task)
    for key in fitting:
        if name in (key, key.rpartition("-")[2]):
            return key
    raise NotFound(f"There is no model {name!r} for {task}.", f"Models are {', '.join(fitting)}.")


def _items(asked: argparse.Namespace) -> Any:
    if (asked.images is None) != (asked.labels is None):
        raise BadRequest("--images and --labels belong together.", "Give both or neither.")
    if asked.images is not None:
        held = datasets.load(tasks.find(asked.task).item_set)
        images = cli_images.read_images(asked.images, held)
        labels = cli_images.read_labels(asked.labels, len(images), held)
        rows = span(asked.items, len(images))
        return (images[rows], labels[rows] if labels.shape[:1] == images.shape[:1] else labels)
    if asked.items == "all":
        return "all"
    held = datasets.load(tasks.find(asked.task).item_set)
    return np.arange(len(held.ids))[span(asked.items, len(held.ids))]


def span(text: str, count: int) -> slice:
    """``all``, ``7`` or ``0:50`` as a slice of ``count`` rows.

    Raises:
        BadRequest: it is none of these, or has no row within ``count``.
    """
    if text == "all":
        return slice(0, count)
    match = SPAN.fullmatch(text)
    if not match or not text.strip(":"):
        raise BadRequest(f"--items {text} is not usable.", "Give all, one row such as 7, or 0:50.")
    start = int(match[1] or 0)
    stop = int(match[3] or count) if match[2] else start + 1
    if not 0 <= start < stop <= count:
        raise BadRequest(
            f"--items {text} has rows outside the set.", f"Rows run from 0 to {count - 1}."
        )
    return slice(start, stop)


def _whole(text: str) -> int:
    # Left to orbits.rotations() to judge, so that page and command line say the same sentence.
    return int(text) if re.fullmatch(r"-?\d{1,9}", text) else 0


def _report(done: int, total: int) -> None:
    sys.stderr.write(f"\r{done} of {total} images")
    sys.stderr.flush()
