"""What a link to the NERO page can say, for one task and one family of orbits.

The task and the family decide which models, samplings and metrics there are; nothing here knows a
task or a family by name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, cast

import numpy as np

from backend import catalog, datasets
from backend.errors import BackendError
from backend.items import ItemSet
from backend.nero import orbits, tasks
from backend.nero.orbits import Family, HasControl
from backend.nero.projections import TITLES
from components.state import Choice, Flag, Many, Number, Schema, Whole

TELLING_ANGLE_DEG: Final = 170.0  # a turned 6 reads as a 9 here
TELLING_CLASS: Final = "6"
UNSET: Final = -1  # the page chooses an element by itself
CONTROL: Final = "+control"  # behind a family: the orbit that only resamples is drawn as well
SIDES: Final = ("truth", "consensus", "both")  # what the outputs are compared with
DEFAULT_TASK: Final = "digits"
Query = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a query leads: a task, its items and a family of orbits; all of them exist."""

    task: str
    items: ItemSet
    family: Family

    @property
    def has_truth(self) -> bool:
        """Whether anybody knows the right answers of these items."""
        return has_truth(self.items)


def task_shape() -> Schema:
    """The tasks that a link can name now: a data set may be registered at any time."""
    return {"task": Choice(DEFAULT_TASK, tasks.names())}


def place(query: Query) -> Place:
    """The place of a query whose texts anyone may have written; what is unknown is the default."""
    asked = str(query.get("task", DEFAULT_TASK))
    task = tasks.find(asked if asked in tasks.names() else DEFAULT_TASK)
    offered = families(task.name)
    family = str(query.get("orbit", "")).removesuffix(CONTROL)
    return Place(
        task.name,
        _items(str(query.get("set", "")), task.item_set),
        offered.get(family) or next(iter(offered.values())),
    )


def _items(asked: str, own: str) -> ItemSet:
    """The set that was asked for, where it fits: the task's own, or one that a user has opened."""
    if asked.startswith("own-"):
        try:
            found = datasets.load(asked)
        except BackendError:
            return datasets.load(own)
        if found.task == datasets.load(own).task:
            return found
    return datasets.load(own)


def schema(where: Place) -> Schema:
    """Every key of the state at a place."""
    models = ordered_models(where.task)
    task = tasks.find(where.task)
    compare = [key for key in task.compare if key in models] or models[:1]
    labels = sorted(set(np.asarray(where.items.labels).tolist()) - {-1})
    metrics = offered_metrics(where)
    sides = offered_sides(where)
    return {
        **task_shape(),
        "set": Choice(task.item_set, list(dict.fromkeys((task.item_set, where.items.key)))),
        "models": Many(compare, models, least=1, most=6),
        "orbit": Choice(_first(where), [option["value"] for option in orbit_options(where.task)]),
        "step": Choice(where.family.default, list(where.family.levels)),
        "subset": Choice("all", ["all", "selection", *(f"class:{k}" for k in labels)]),
        "metric": Choice(task.summary if task.summary in metrics else metrics[0], metrics),
        "consensus": Choice(sides[0], sides),
        "averaged": Flag(False),
        "method": Choice("pca", list(TITLES)),
        "colour": Choice("mean", ["mean", "variance"]),
        "focus": Choice(compare[0], models),
        "item": Whole(telling_item(where.items), 0, 2**53),
        "angle": Number(TELLING_ANGLE_DEG, 0, 360),
        "element": Whole(UNSET, UNSET, 2**20),
    }


def families(task: str) -> dict[str, Family]:
    """The families of orbits that a task can be asked along."""
    found = tasks.find(task)
    return orbits.families(found.domain, datasets.load(found.item_set).shape[2])


def _first(where: Place) -> str:
    return next(iter(families(where.task)))


def has_truth(items: ItemSet) -> bool:
    """Whether a set knows the right answers: labels, boxes or fields."""
    truth = getattr(items, "truth", None)
    if truth is not None:
        return truth(np.arange(1)) is not None
    return bool((np.asarray(items.labels) >= 0).any())


def answers_classes(task: str) -> bool:
    """Whether a model answers with a class: then its answers can agree or be confused."""
    return "agreement" in tasks.find(task).metrics


def offered_sides(where: Place) -> Sequence[str]:
    """What outputs can be compared with: a consensus only where outputs move with the input."""
    if tasks.find(where.task).kind == "invariant":
        return SIDES[:1]
    return SIDES if where.has_truth else SIDES[1:2]


def offered_metrics(where: Place) -> list[str]:
    """The metrics that can be computed of these items: without truth, those that need none."""
    found = tasks.find(where.task)
    if where.has_truth or found.kind != "invariant":
        return list(found.metrics)
    return [name for name in found.metrics if name == "agreement"]


def telling_item(items: ItemSet) -> int:
    """Id of the item a page opens on: the first 6 where there are digits, else the first."""
    label = items.classes.index(TELLING_CLASS) if TELLING_CLASS in items.classes else UNSET - 1
    rows = np.flatnonzero(items.labels == label)
    return int(items.ids[rows[0] if len(rows) else 0])


def ordered_models(task: str) -> list[str]:
    """Keys of the models for a task: those it compares first, then the others."""
    first = [key for key in tasks.find(task).compare if key in catalog.models_for(task)]
    return [*first, *(key for key in catalog.models_for(task) if key not in first)]


def task_options() -> list[dict[str, str]]:
    """The tasks that have models, under the titles of their data."""
    titles = [_title(name) for name in tasks.names()]
    return [
        {"value": name, "label": title}
        for name, title in zip(tasks.names(), titles, strict=True)
        if catalog.models_for(name)
    ]


def _title(task: str) -> str:
    """Under what name the data of a task is chosen; a registered set is not read for it."""
    found = tasks.find(task)
    return found.title if "--" in task else datasets.load(found.item_set).title


@cache
def _has_control(family: str) -> bool:
    return isinstance(orbits.find(family), HasControl)


def orbit_options(task: str) -> list[dict[str, str]]:
    """The families of a task's domain; with the resampling-only orbit where there is one."""
    options = []
    for key, family in families(task).items():
        options.append({"value": key, "label": family.title})
        if _has_control(key):
            label = f"{family.title} + resampled only"
            options.append({"value": f"{key}{CONTROL}", "label": label})
    return options


def step_options(family: Family) -> list[dict[str, str]]:
    """The samplings of a family."""
    return [{"value": key, "label": label} for key, label in family.levels.items()]


def subset_options(items: ItemSet) -> list[dict[str, str]]:
    """All items, the current selection, and each class that occurs."""
    labels = np.asarray(items.labels)
    present = sorted(set(labels.tolist()) - {-1})
    named = [
        {"value": f"class:{k}", "label": f"{items.classes[k]} ({np.count_nonzero(labels == k)})"}
        for k in present
    ]
    everything = {"value": "all", "label": f"All items ({len(items)})"}
    return [everything, {"value": "selection", "label": "Selection"}, *named]


def renamed(query: Query) -> dict[str, Any]:
    """A query with the words of older links in their present form."""
    old = {"control": f"rotation{CONTROL}"}
    orbit = query.get("orbit")
    given = {key: value for key, value in query.items() if key != "orbit"}
    return {**given, "orbit": old.get(str(orbit), orbit)} if orbit is not None else given


def chosen_models(values: Mapping[str, object]) -> list[str]:
    """The models of a state."""
    return list(cast(Sequence[str], values["models"]))
