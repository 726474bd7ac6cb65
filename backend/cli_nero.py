"""``python -m backend nero``: a model's answers along an orbit, from the command line."""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from backend import catalog, cli_files, cli_own, datasets
from backend.errors import BadRequest, NotFound
from backend.nero import OrbitResult, evaluate, orbits, tables, tasks
from backend.nero.consensus import consensus as by_consensus
from backend.nero.evaluation import along, check_orbit
from backend.nero.orbits import Orbit
from backend.nero.tasks import Task

SPAN: Final = re.compile(r"(\d{1,9})?(:)?(\d{1,9})?")
ANGLES: Final = 72


def add(commands: Any) -> None:
    """Adds the subcommand."""
    command = commands.add_parser(
        "nero", help="run a model along the orbits of its inputs and write its answers"
    )
    command.add_argument("--task", default="digits", help=f"one of {', '.join(tasks.names())}")
    command.add_argument(
        "--model", default="", help="a model's key, or its last part; the task's first unless given"
    )
    command.add_argument(
        "--orbit", default="", help="family or family-sampling, such as blur or translations-8"
    )
    command.add_argument("--angles", type=_whole, help=f"how many rotations of images ({ANGLES})")
    command.add_argument("--items", default="all", help="rows of the task's set: all, 7 or 0:50")
    command.add_argument("--images", type=Path, nargs="+", help=cli_own.HELP)
    command.add_argument(
        "--labels", nargs="+", help="true classes of images: .npy (n,), or a class for each one"
    )
    command.add_argument("--control", action="store_true", help="there and back again")
    command.add_argument(
        "--consensus",
        action="store_true",
        help="measure by the model's own consensus instead of the truth",
    )
    command.add_argument(
        "--metric", default="", help="what is summed up; the task's own (accuracy)"
    )
    cli_files.add_formats(command, tuple(cli_files.FORMATS))
    command.set_defaults(run=run)


def run(asked: argparse.Namespace) -> None:
    """Evaluates and writes; without a file, the table goes to standard output.

    Raises:
        BackendError: an argument or a file is not usable.
    """
    task = tasks.find(asked.task)
    key, orbit = model_key(asked.task, asked.model), orbit_of(asked, task)
    check_orbit(task, orbit, asked.control)
    items = _items(asked, task)
    _check_metric(asked.metric, task)
    result = evaluate(key, task, orbit, items, progress=_report, control=asked.control)
    sys.stderr.write("\n")
    has_truth = bool(np.isfinite(result.metric).any())
    told = result
    if asked.consensus or (not has_truth and result.consensus is not None):
        told = by_consensus(result)
        sys.stderr.write("Measured by the model's own consensus, not by the truth.\n")
    if told.unanswered:
        sys.stderr.write(f"{told.unanswered} answers are not defined and count in no mean.\n")
    table = tables.aggregate({key: told}, orbit)
    if not cli_files.write(asked, table, _arrays(asked, task, orbit, items, result, told)):
        sys.stdout.write(table.to_string(index=False) + "\n")
    metric = asked.metric or _summary(task, has_truth)
    values = told.aggregate(metric)
    mean = float(np.nanmean(values)) if np.isfinite(values).any() else float("nan")
    sys.stderr.write(f"{key}: mean {metric} over {orbit.size} elements {mean:.4f}\n")


def orbit_of(asked: argparse.Namespace, task: Task) -> Orbit:
    """The orbit asked for: a family, a number of angles, or the first of the task's domain.

    Raises:
        BadRequest: angles were given for something that has none, or beside a family.
        NotFound: there is no such family or sampling.
    """
    if asked.orbit:
        if asked.angles is not None:
            raise BadRequest("--angles and --orbit exclude each other.", "Give one of them.")
        return orbits.find(asked.orbit)
    if task.domain == "image":
        return orbits.rotations(ANGLES if asked.angles is None else asked.angles)
    if asked.angles is not None:
        offered = ", ".join(orbits.families(task.domain))
        raise BadRequest(f"{task.name} has no --angles.", f"Give --orbit, one of {offered}.")
    return next(iter(orbits.families(task.domain).values())).orbit()


def _summary(task: Task, has_truth: bool) -> str:
    known = has_truth or task.kind != "invariant" or "agreement" not in task.metrics
    return task.summary if known else "agreement"


def _check_metric(metric: str, task: Task) -> None:
    if metric and metric not in task.metrics:
        raise BadRequest(
            f"{task.name} has no metric {metric[:40]!r}.", f"Metrics are {', '.join(task.metrics)}."
        )


def _arrays(
    asked: argparse.Namespace,
    task: Task,
    orbit: Orbit,
    items: Any,
    result: OrbitResult,
    told: OrbitResult,
) -> dict[str, NDArray[Any]]:
    """What ``--npz`` writes; nothing is computed for it where it is not asked for."""
    if asked.npz is None:
        return {}
    written = arrays(told, orbit)
    if result.consensus is not None:
        written["consensus"] = result.consensus.value
        written["consensus_used"] = result.consensus.used
    if not result.payload:
        written |= details(asked.model, task, orbit, items)
    return written


def arrays(result: OrbitResult, orbit: Orbit) -> dict[str, NDArray[Any]]:
    """A result's arrays under the names of the Python interface; ``metric`` is the main one."""
    main, *others = result.metrics
    found: dict[str, NDArray[Any]] = {"metric": result.metrics[main]}
    found |= {f"metric_{name}": result.metrics[name] for name in others}
    found |= {name: np.asarray(values) for name, values in result.payload.items()}
    if orbit.layout == "circle":
        found["angles_deg"] = result.angles_deg
    return found | {
        "positions": result.positions,
        "elements": np.array(result.elements),
        "item_ids": result.item_ids,
        "labels": result.labels,
        "classes": np.array(result.classes),
    }


def details(model: str, task: Task, orbit: Orbit, items: Any) -> dict[str, NDArray[Any]]:
    """The payload of every item ``(n, ...)`` where results do not keep it: asked once more."""
    source = task.gather(items)
    predict = task.predictor(model_key(task.name, model), None, source)
    made = []
    for row in range(len(source)):
        outputs = along(task, predict, orbit, source.read(row, row + 1))
        made.append(task.detail(orbit, outputs, source.truth(row, row + 1)))
    return {name: np.stack([one[name] for one in made]) for name in made[0]}


def model_key(task: str, name: str) -> str:
    """The key of a model: itself, or ``plain`` for ``digits-plain`` among the task's models.

    Raises:
        NotFound: the task has no such model.
    """
    fitting = catalog.models_for(task)
    first = [key for key in tasks.find(task).compare if key in fitting]
    for key in [*first, *fitting]:
        if name in ("", key, key.rpartition("-")[2]):
            return key
    if not fitting:
        raise NotFound(
            f"No model tells the classes of {task} apart.",
            "Add one: python -m backend models add FILE --name NAME --classes A,B.",
        )
    raise NotFound(f"There is no model {name!r} for {task}.", f"Models are {', '.join(fitting)}.")


def _items(asked: argparse.Namespace, task: Task) -> Any:
    if asked.images is not None:
        return cli_own.items(asked.task, asked.images, asked.labels, asked.items)
    if asked.labels is not None:
        raise BadRequest("--labels belong to --images.", "Give both, or neither.")
    if asked.items == "all":
        return "all"
    held = datasets.load(task.item_set)
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
    sys.stderr.write(f"\r{done} of {total} inputs")
    sys.stderr.flush()
