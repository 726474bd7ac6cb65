"""The tasks by name."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from backend import catalog
from backend.errors import BadRequest, NotFound
from backend.nero.tasks.base import BaseTask, Consensus, Kind, Metric, Predictor, Task, Views
from backend.nero.tasks.classification import Classification
from backend.nero.tasks.detection import Detection
from backend.nero.tasks.piv import ParticleMotion
from backend.nero.tasks.points import Points
from backend.nero.tasks.texts import Texts
from backend.registry import sets, store, views
from backend.registry.items import split_key

TASKS: Final[dict[str, Task]] = {
    task.name: task
    for task in (
        Classification(
            "digits", "Handwritten digits", "digits", ("digits-plain", "digits-rotated")
        ),
        Classification("fashion", "Clothes", "fashion", ("fashion-plain", "fashion-rotated")),
        Classification("photos", "Photographs", "photos", ("imagenet-lite0",)),
        Detection("detection", "Object detection", "scenes", ("detector-j0", "detector-j100")),
        ParticleMotion("piv", "Particle motion", "piv", ("piv-net", "piv-farneback")),
        Points("points", "Points in space", "furniture", ("points-plain", "points-rotated")),
        Texts(
            "texts",
            "Texts",
            "definitions",
            ("text-minilm", "text-words"),
            "text",
            Views("text", "bars"),
        ),
    )
}


def find(task: str | Task) -> Task:
    """The task itself or by name.

    Raises:
        NotFound: no task has this name.
    """
    if not isinstance(task, str):
        return task
    if task not in TASKS and (own := _of_own_set(task)) is not None:
        return own
    if task not in TASKS:
        raise NotFound(f"There is no task {task[:80]!r}.", f"Tasks are {', '.join(TASKS)}.")
    return TASKS[task]


def register(task: Task) -> Task:
    """Adds a task of your own, for this process: it is then found, asked for and run by its name.

    A worker is a process of its own; name your module in ``LOUPE_PLUGINS`` to have it imported
    wherever it is needed.

    Raises:
        BadRequest: the name is taken or not usable, or the task says too little of itself.
    """
    if not re.fullmatch(r"[a-z][a-z0-9_]*", task.name) or task.name in TASKS:
        raise BadRequest(
            f"A task cannot be called {task.name[:40]!r}.",
            f"Small letters and digits, and none of {', '.join(TASKS)}.",
        )
    if not task.metrics or task.summary not in task.metrics:
        raise BadRequest(
            f"{task.title} opens with the metric {task.summary!r} and has "
            f"{', '.join(task.metrics) or 'none'}.",
            "Give at least one, and name one of them as the summary.",
        )
    TASKS[task.name] = task
    return task


def names() -> Sequence[str]:
    """The tasks that can be asked for; those of the user's own data sets come last, of which a
    model answers about every one.
    """
    kinds = (key for key in sets.task_keys() if catalog.models_for(key))
    return (*TASKS, *(key for key, _, _ in views.pairs()), *kinds)


def _of_own_set(key: str) -> Task | None:
    """The task of a registered data set at the size of a model; None where there is none."""
    if key in sets.task_keys():
        like: Any = TASKS[sets.task_of(key)]
        title = store.required().set(sets.name_of(key)).spec.told
        spare = catalog.models().keys() - set(like.compare)
        compare = tuple(sorted(catalog.models_for(key), key=lambda name: name in spare))[:2]
        found: Task = replace(like, name=key, title=title, item_set=key, compare=compare)
        return found
    parts = split_key(key)
    held = store.sets().get(parts[0]) if parts else None
    if parts is None or held is None or parts[1] not in views.sizes_of(held):
        return None
    title = held.spec.told
    if len(views.sizes_of(held)) > 1:
        title += f" ({parts[1][2]} × {parts[1][1]})"
    fitting = views.cards_for(parts[1], held.spec.classes, with_bundled=True)
    own = [name for name in fitting if name in store.models()]
    own.sort(key=lambda name: fitting[name].classes != held.spec.classes)  # named alike first
    return Classification(key, title, key, tuple(dict.fromkeys([*own, *fitting]))[:2])


__all__ = [
    "TASKS",
    "BaseTask",
    "Classification",
    "Consensus",
    "Detection",
    "Kind",
    "Metric",
    "Predictor",
    "Task",
    "Views",
    "find",
    "names",
    "register",
]
