"""The tasks by name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from backend.errors import NotFound
from backend.nero.tasks.base import BaseTask, Consensus, Kind, Metric, Predictor, Task, Views
from backend.nero.tasks.classification import Classification
from backend.nero.tasks.piv import ParticleMotion

TASKS: Final[dict[str, Task]] = {
    task.name: task
    for task in (
        Classification(
            "digits", "Handwritten digits", "digits", ("digits-plain", "digits-rotated")
        ),
        Classification("fashion", "Clothes", "fashion", ("fashion-plain", "fashion-rotated")),
        Classification("photos", "Photographs", "photos", ("imagenet-lite0",)),
        ParticleMotion("piv", "Particle motion", "piv", ("piv-net", "piv-farneback")),
    )
}


def find(task: str | Task) -> Task:
    """The task itself or by name.

    Raises:
        NotFound: no task has this name.
    """
    if not isinstance(task, str):
        return task
    if task not in TASKS:
        raise NotFound(f"There is no task {task[:80]!r}.", f"Tasks are {', '.join(TASKS)}.")
    return TASKS[task]


def names() -> Sequence[str]:
    """The tasks that can be asked for."""
    return tuple(TASKS)


__all__ = [
    "TASKS",
    "BaseTask",
    "Classification",
    "Consensus",
    "Kind",
    "Metric",
    "Predictor",
    "Task",
    "Views",
    "find",
    "names",
]
