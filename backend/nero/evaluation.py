"""Runs a model along an orbit: in pieces that stay in the cache, so memory does not grow with the
items.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, cast

import numpy as np

from backend.errors import BadRequest
from backend.nero import tasks
from backend.nero.items import Items
from backend.nero.orbits import BLOCK, HasControl, Orbit, blocks_of
from backend.nero.result import OrbitResult
from backend.nero.tasks import Consensus, Predictor, Task
from backend.protocols import F32, I64, ModelBackend, Progress

# Transformed inputs held at once, so few that they are read again while in the cache: 16 digits at
# 72 angles, which are 18 whole batches of 64.
SLAB_BYTES: Final = 3_700_000
TEXT_BYTES: Final = 50_000  # a text costs as much time as an image of this size, give or take

Model = ModelBackend | Callable[[F32], Any] | str


def evaluate(
    model: Model,
    task: str | Task,
    orbit: Orbit,
    items: Any = "all",
    batch_size: int | None = None,
    progress: Progress | None = None,
    control: bool = False,
) -> OrbitResult:
    """The model's answers for every item at every element of the orbit.

    Args:
        model: a model's key, a backend, or any callable from inputs (b, ...) to the task's
            outputs; for images float32 (b, c, h, w) in [0, 1] to probabilities (b, k) whose rows
            sum to 1 (numpy, or a torch tensor).
        task: a name of :data:`backend.nero.tasks.TASKS`, or a task.
        orbit: for instance ``orbits.rotations(72)``; of the task's domain.
        items: "all", rows of the task's own set, an item set, or (images (n, h, w[, 3]) uint8,
            labels (n,)).
        batch_size: inputs per call of the model; its own best size unless given. Results do not
            depend on it.
        progress: called with (done, total) inputs after each piece; may raise ``Cancelled``.
        control: undo every element right away: what is left is the cost of interpolation alone.

    Raises:
        BadRequest: the orbit, the items, the batch size or the model's outputs are not usable.
        NotFound: there is no such model or task.
        DeviceFull: a single input does not fit into the device's memory.
    """
    if batch_size is not None and batch_size < 1:
        raise BadRequest(
            f"A batch of {batch_size} is too small.", "Allowed are whole numbers from 1."
        )
    found = tasks.find(task)
    check_orbit(found, orbit, control)
    source = found.gather(items)
    predict = found.predictor(model, batch_size, source)
    pieces = _run(found, predict, orbit, source, control, progress)
    return _joined(found, orbit, source, pieces, source.classes or _classes_of(model))


def check_orbit(task: Task, orbit: Orbit, control: bool = False) -> None:
    """Returns if the task can be asked along the orbit.

    Raises:
        BadRequest: it acts on something else, or has no control.
    """
    if orbit.domain != task.domain:
        raise BadRequest(
            f"{task.name} cannot be asked along {orbit.name}.",
            f"It is asked along transforms of {task.domain}, not of {orbit.domain}.",
        )
    if control and not isinstance(orbit, HasControl):
        raise BadRequest(
            f"{orbit.name} has no there-and-back control.", "Rotations of images have one."
        )


class _Piece:
    """What is kept of a few items."""

    def __init__(self, task: Task, orbit: Orbit, outputs: F32, truth: Any) -> None:
        self.metrics = task.measure(orbit, outputs, truth)
        self.payload = task.payload(outputs)
        self.consensus: Consensus | None = task.consensus(orbit, outputs)


def _run(
    task: Task,
    predict: Predictor,
    orbit: Orbit,
    source: Items,
    control: bool,
    progress: Progress | None,
) -> list[_Piece]:
    """A few items and one block of elements at a time; only what is kept outlives its items."""
    n = len(source)
    at_most = max(1, SLAB_BYTES // _input_bytes(source))
    step, blocks = max(1, at_most // orbit.size), blocks_of(orbit, at_most)
    pieces, done = [], 0
    for start in range(0, n, step):
        stop = min(n, start + step)
        inputs = source.read(start, stop)
        outputs: F32 | None = None
        for elements in blocks:
            answers = task.run(predict, orbit, inputs, elements, control=control)
            outputs = _placed(outputs, answers, elements, orbit.size)
            done += len(answers) * len(elements)
            if progress is not None:
                progress(done, n * orbit.size)
        pieces.append(_Piece(task, orbit, cast(F32, outputs), source.truth(start, stop)))
    return pieces


def _input_bytes(source: Items) -> int:
    """What one transformed input takes as float32, which says how many are made at once."""
    first = np.asarray(source.read(0, 1))
    if first.dtype.kind == "U":
        return TEXT_BYTES
    return 4 * int(np.prod(first.shape[1:], dtype=np.int64)) or 1


def along(task: Task, predict: Predictor, orbit: Orbit, inputs: Any) -> F32:
    """Outputs ``(b, e, ...)`` of inputs ``(b, ...)`` along a whole orbit."""
    outputs: F32 | None = None
    for elements in blocks_of(orbit, BLOCK):
        answers = task.run(predict, orbit, inputs, elements, control=False)
        outputs = _placed(outputs, answers, elements, orbit.size)
    return cast(F32, outputs)


def _placed(outputs: F32 | None, answers: F32, elements: I64, size: int) -> F32:
    """Answers ``(b, m, ...)`` in their places among those of all elements."""
    if outputs is None:
        outputs = np.empty((len(answers), size, *answers.shape[2:]), np.float32)
    if answers.shape[2:] != outputs.shape[2:]:
        raise BadRequest(
            f"The model answered in the shape {outputs.shape[2:]} first and then in "
            f"{answers.shape[2:]}.",
            "Every batch must be answered in the same shape.",
        )
    outputs[:, elements] = answers
    return outputs


def _classes_of(model: Model) -> tuple[str, ...]:
    """The names a model has for its classes; none where it does not say."""
    if isinstance(model, str):
        from backend import catalog

        return catalog.card(model).classes
    return model.card.classes if isinstance(model, ModelBackend) else ()


def _joined(
    task: Task, orbit: Orbit, source: Items, pieces: list[_Piece], classes: tuple[str, ...]
) -> OrbitResult:
    def join(parts: list[Any]) -> Any:
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    payload = {name: join([p.payload[name] for p in pieces]) for name in pieces[0].payload}
    held = [piece.consensus for piece in pieces if piece.consensus is not None]
    consensus = None
    if held:
        consensus = Consensus(
            join([c.value for c in held]),
            join([c.used for c in held]),
            {name: join([c.metrics[name] for c in held]) for name in held[0].metrics},
        )
    if not classes and "outputs" in payload:
        classes = tuple(str(i) for i in range(payload["outputs"].shape[2]))
    return OrbitResult(
        task=task.name,
        kind=task.kind,
        metrics={name: join([p.metrics[name] for p in pieces]) for name in pieces[0].metrics},
        payload=payload,
        consensus=consensus,
        item_ids=source.ids,
        item_names=source.names,
        labels=source.labels,
        classes=classes,
        positions=orbit.positions,
        elements=orbit.labels,
        identity_index=orbit.identity_index,
    )
