"""Runs a model along an orbit: in pieces that stay in the cache, so memory does not grow with the
items.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, cast

import numpy as np

from backend.errors import BadRequest
from backend.nero import resample, tasks
from backend.nero.items import Items, gather
from backend.nero.orbits import Orbit
from backend.nero.result import OrbitResult
from backend.nero.tasks import Block, Task
from backend.protocols import F32, ModelBackend, Progress

# Transformed images held at once, so few that they are read again while in the cache: 16 digits at
# 72 angles, which are 18 whole batches of 64.
SLAB_BYTES: Final = 3_700_000
BATCH: Final = 64  # images per call of a plain function; backends know their own best size
SUM_SLACK: Final = 1e-3

Model = ModelBackend | Callable[[F32], Any] | str


@dataclass(frozen=True, slots=True)
class Asked:
    """A model reduced to what the loop needs.

    Attributes:
        predict: float32 (b, c, h, w) in [0, 1] -> probabilities (b, k).
        classes: their names, empty when unknown.
        batch: images per call, 0 when the model splits batches itself.
    """

    predict: Callable[[F32], Any]
    classes: tuple[str, ...]
    batch: int


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
        model: a model's key, a backend, or any callable that takes float32 (b, c, h, w) in [0, 1]
            and returns probabilities (b, k) whose rows sum to 1 (numpy, or a torch tensor).
        task: a name of :data:`backend.nero.tasks.TASKS`, or a task.
        orbit: for instance ``orbits.rotations(72)``.
        items: "all", rows of the task's own set, an item set, or (images (n, h, w[, 3]) uint8,
            labels (n,)).
        batch_size: images per call of the model; its own best size unless given. Results do not
            depend on it.
        progress: called with (done, total) images after each piece; may raise ``Cancelled``.
        control: undo every element right away: what is left is the cost of interpolation alone.

    Raises:
        BadRequest: the items, the batch size or the model's outputs are not usable.
        NotFound: there is no such model or task.
        DeviceFull: a single image does not fit into the device's memory.
    """
    if batch_size is not None and batch_size < 1:
        raise BadRequest(
            f"A batch of {batch_size} is too small.", "Allowed are whole numbers from 1."
        )
    found = tasks.find(task)
    source = gather(found, items)
    asked = _ask(model, batch_size)
    shape = source.read(0, 1).shape[1:]
    side = resample.square(source.read(0, 1))
    at_most = max(1, SLAB_BYTES // (4 * int(np.prod(shape))))
    blocks = found.act_input(orbit, side, at_most, control=control)
    known = asked.classes or source.classes
    _check_classes(known, len(known), source)
    outputs = _run(asked, source, blocks, orbit.size, max(1, at_most // orbit.size), progress)
    classes = known or tuple(str(i) for i in range(outputs.shape[2]))
    _check_classes(classes, outputs.shape[2], source)
    return OrbitResult(
        metric=found.measure(outputs, source.labels),
        outputs=outputs,
        class_ids=np.broadcast_to(np.arange(len(classes)), (len(source), len(classes))),
        predicted=_strongest(outputs),
        item_ids=source.ids,
        item_names=source.names,
        labels=source.labels,
        angles_deg=np.asarray(getattr(orbit, "angles_deg", np.arange(orbit.size)), np.float64),
        classes=classes,
    )


def _ask(model: Model, batch_size: int | None) -> Asked:
    if isinstance(model, str):
        from backend import catalog

        model = catalog.load_model(model)
    if isinstance(model, ModelBackend):
        return Asked(model.predict, model.card.classes, batch_size or 0)
    if not callable(model):
        raise BadRequest(
            f"{type(model).__name__} is not a model.", "Give a key, a backend or a callable."
        )
    return Asked(_tensor_in(model), (), batch_size or BATCH)


def _tensor_in(model: Callable[[Any], Any]) -> Callable[[F32], Any]:
    """A torch module wants a tensor; every other callable gets the numpy array."""
    torch = sys.modules.get("torch")
    if torch is None or not isinstance(model, torch.nn.Module):
        return model

    def call(batch: F32) -> Any:
        with torch.inference_mode():
            return model(torch.from_numpy(batch))

    return call


def _run(
    asked: Asked,
    source: Items,
    blocks: list[Block],
    size: int,
    step: int,
    progress: Progress | None,
) -> F32:
    """Outputs ``(n, size, k)``, ``step`` items and one block of elements at a time."""
    n = len(source)
    outputs: F32 | None = None
    buffer = np.empty(0, np.float32)
    done = 0
    for start in range(0, n, step):
        images = source.read(start, min(n, start + step))
        for block in blocks:
            shape = (len(images), len(block.elements), *images.shape[1:])
            if buffer.size < np.prod(shape):
                buffer = np.empty(int(np.prod(shape)), np.float32)
            batch = block.apply(images, buffer[: int(np.prod(shape))].reshape(shape))
            answers = _answers(asked, batch.reshape(-1, *shape[2:]))
            if outputs is None:
                outputs = np.empty((n, size, answers.shape[1]), np.float32)
            if answers.shape[1] != outputs.shape[2]:
                raise BadRequest(
                    f"The model answered with {outputs.shape[2]} classes first and then with "
                    f"{answers.shape[1]}."
                )
            outputs[start : start + len(images), block.elements] = answers.reshape(*shape[:2], -1)
            done += len(answers)
            if progress is not None:
                progress(done, n * size)
    return cast(F32, outputs)


def _answers(asked: Asked, batch: F32) -> F32:
    """Checked probabilities ``(b, k)``; rows that are not finite become NaN throughout."""
    size = asked.batch or len(batch)
    pieces = [_probabilities(asked, batch[i : i + size]) for i in range(0, len(batch), size)]
    return pieces[0] if len(pieces) == 1 else np.concatenate(pieces)


def _probabilities(asked: Asked, batch: F32) -> F32:
    answer = asked.predict(batch)
    if hasattr(answer, "detach"):  # a torch tensor, on whatever device
        answer = answer.detach().cpu().numpy()
    values = np.array(answer, dtype=np.float32, ndmin=1)
    if values.ndim != 2 or len(values) != len(batch) or values.shape[1] < 2:
        raise BadRequest(
            f"The model answered {len(batch)} images with an array of shape {values.shape}.",
            f"It must be ({len(batch)}, number of classes).",
        )
    sums = values.sum(axis=1)
    is_finite = np.isfinite(values).all(axis=1)
    values[~is_finite] = np.nan
    is_wrong = is_finite & ((np.abs(sums - 1) > SUM_SLACK) | (values.min(axis=1) < -SUM_SLACK))
    if is_wrong.any():
        raise BadRequest(
            f"The model's answers are not probabilities: a row sums to {sums[is_wrong][0]:.4g}.",
            "Rows must be at least 0 and sum to 1; if these are logits, apply softmax once.",
        )
    return values


def _strongest(outputs: F32) -> np.ndarray[Any, np.dtype[np.int32]]:
    """The class with the highest probability ``(n, e)``, -1 where the model gave no finite
    answer.
    """
    is_finite = np.isfinite(outputs[:, :, 0])
    return np.where(is_finite, outputs.argmax(axis=2), -1).astype(np.int32)


def _check_classes(classes: tuple[str, ...], k: int, source: Items) -> None:
    if len(classes) != k:
        raise BadRequest(
            f"The model has {k} outputs and there are {len(classes)} classes.",
            "Choose a model that was made for these items.",
        )
    if source.classes and source.classes != classes:
        raise BadRequest(
            "The model's classes are not those of the items.",
            "Choose a model that was made for these items.",
        )
    outside = source.labels[(source.labels < 0) | (source.labels >= k)]
    if classes and len(outside):
        raise BadRequest(
            f"Label {outside[0]} is not one of the model's classes.",
            f"Labels run from 0 to {k - 1}.",
        )
