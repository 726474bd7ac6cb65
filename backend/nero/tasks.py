"""What is asked along an orbit: how a group acts on the inputs and what is measured on the outputs.

Adding a task: its action on inputs (``act_input``) and, for tasks that are not invariant, on
outputs, and its
metrics. The views, tables and caches do not change.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from backend.errors import BadRequest, NotFound
from backend.nero import resample
from backend.nero.orbits import Orbit, Rotations
from backend.protocols import F32, I64, U8

Kind = Literal["invariant"]


@dataclass(frozen=True, slots=True)
class Metric:
    """A number per item and element, its range, and which end of it is good."""

    name: str
    title: str
    low: float
    high: float
    higher_is_better: bool


CONFIDENCE: Final = Metric("confidence", "confidence of the true class", 0.0, 1.0, True)
ACCURACY: Final = Metric("accuracy", "share of items answered correctly", 0.0, 1.0, True)


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Elements of an orbit that are made together.

    Attributes:
        elements: (m,) their indices on the orbit.
        apply: ``apply(images (b, c, h, w), out) -> (b, m, c, h, w)`` float32 in [0, 1], written to
            ``out``.
    """

    elements: I64
    apply: Callable[[U8 | F32, F32], F32]


class Task(Protocol):
    """What the evaluation asks of a task."""

    @property
    def name(self) -> str: ...

    @property
    def kind(self) -> Kind:
        """What an ideal model does when the input moves."""
        ...

    @property
    def item_set(self) -> str:
        """Key of the data set it is asked on."""
        ...

    @property
    def compare(self) -> tuple[str, ...]:
        """Keys of the models a view opens with, in the order of their colours."""
        ...

    @property
    def metrics(self) -> dict[str, Metric]: ...

    def act_input(
        self, orbit: Orbit, side: int, at_most: int, *, control: bool = False
    ) -> list[Block]:
        """The orbit in blocks of about ``at_most`` elements; ``control`` undoes each element at
        once.
        """
        ...

    def measure(self, outputs: F32, labels: I64) -> F32:
        """The individual metric ``(b, e)`` of outputs ``(b, e, k)`` for true classes ``(b,)``."""
        ...


@dataclass(frozen=True, slots=True)
class Classification:
    """Which class is it? The answer should not change when the image turns: the ideal curve is a
    circle.
    """

    name: str
    item_set: str
    compare: tuple[str, ...] = ()
    kind: Kind = "invariant"

    @property
    def metrics(self) -> dict[str, Metric]:
        """The individual metric is confidence, the aggregate one accuracy."""
        return {metric.name: metric for metric in (CONFIDENCE, ACCURACY)}

    def act_input(
        self, orbit: Orbit, side: int, at_most: int, *, control: bool = False
    ) -> list[Block]:
        """Turned images; elements that are quarter turns of each other come together, as they
        share work.
        """
        if not isinstance(orbit, Rotations):
            raise BadRequest(
                f"{self.name} cannot be asked along {orbit.name}.", "It is asked along rotations."
            )
        angles = orbit.angles_deg
        quarters, small = resample.split(angles)
        order = np.lexsort((quarters, small)) if at_most < orbit.size else np.arange(orbit.size)
        step = min(orbit.size, max(4, at_most - at_most % 4))
        return [
            _turned(order[start : start + step], angles, side, control)
            for start in range(0, orbit.size, step)
        ]

    def measure(self, outputs: F32, labels: I64) -> F32:
        """The probability given to the true class."""
        chosen: F32 = np.take_along_axis(outputs, labels[:, None, None], axis=2)[:, :, 0]
        return chosen


def _turned(elements: I64, angles_deg: NDArray[np.float64], side: int, control: bool) -> Block:
    rotator = resample.rotator(tuple(angles_deg[elements].tolist()), side, and_back=control)
    return Block(elements, lambda images, out: rotator.apply(images, and_back=control, out=out))


TASKS: Final[dict[str, Task]] = {
    task.name: task
    for task in (
        Classification("digits", "digits", compare=("digits-plain", "digits-rotated")),
        Classification("fashion", "fashion", compare=("fashion-plain", "fashion-rotated")),
        Classification("photos", "photos", compare=("imagenet-lite0",)),
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
