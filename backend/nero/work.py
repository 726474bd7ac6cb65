"""The works of this package, run by the worker processes: parameters in, named arrays out.

torch is loaded by the first work that runs a model, so a worker that only projects stays small.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from backend import catalog, datasets
from backend.cache import ArrayStore
from backend.errors import BadRequest
from backend.nero import orbits, projections, resample, tasks
from backend.nero.consensus import consensus as by_consensus
from backend.nero.evaluation import along, evaluate
from backend.nero.items import channels_first
from backend.nero.requests import (
    OrbitRequest,
    ProjectionRequest,
    at_params,
    input_params,
    item_params,
)
from backend.nero.result import OrbitResult
from backend.nero.tasks.classification import KEEP_ALL, STRONGEST
from backend.protocols import F32, JSON, Arrays


class Ticket(Protocol):
    """What a work function is handed: progress with cancel, and earlier results."""

    @property
    def store(self) -> ArrayStore: ...

    def __call__(self, done: int, total: int) -> None: ...


def orbit(params: Mapping[str, JSON], ticket: Ticket) -> Arrays:
    """``nero.orbit``: see :meth:`OrbitResult.arrays`.

    Raises:
        Cancelled: after Cancel. BackendError: as :func:`evaluate` does.
    """
    request = OrbitRequest.from_params(params)
    held = datasets.load(request.dataset)
    items = held if isinstance(request.items, str) else list(request.items)
    result = evaluate(
        request.model,
        request.task,
        request.elements,
        items,
        progress=ticket,
        control=request.control,
    )
    return result.arrays()


def at(params: Mapping[str, JSON], ticket: Ticket) -> Arrays:
    """``nero.at``: several models' answers for one item at any angle.

    Returns:
        probabilities (m, c), class_ids (m, c), and the turned image (h, w[, 3]) uint8. Up to 64
        classes come in their order; beyond, the 10 strongest of any model, the true one among them.
    """
    del ticket  # over in milliseconds
    asked = _checked(params, at_params, "task", "models", "item", "angle_deg", "dataset")
    held = datasets.load(asked.dataset)
    row = _row(held, asked.item)
    image = channels_first(held.images([row]))
    turned = resample.rotator((asked.angle_deg,), resample.square(image)).apply(image)[:, 0]
    answers: F32 = np.concatenate([catalog.load_model(key).predict(turned) for key in asked.models])
    ids = np.arange(answers.shape[1])
    if len(ids) > KEEP_ALL:
        peak = answers.max(axis=0)
        peak[held.labels[row]] = np.inf  # the true class is always shown
        strongest = np.argsort(-peak, kind="stable")[:STRONGEST]
        ids = strongest[np.argsort(-answers.max(axis=0)[strongest], kind="stable")]
    pixels = np.round(turned[0] * 255).astype(np.uint8)
    return {
        "probabilities": np.ascontiguousarray(answers[:, ids]),
        "class_ids": np.tile(ids.astype(np.int32), (len(answers), 1)),
        "image": np.ascontiguousarray(pixels[0] if len(pixels) == 1 else pixels.transpose(1, 2, 0)),
    }


def item(params: Mapping[str, JSON], ticket: Ticket) -> Arrays:
    """``nero.item``: what the views of one item need and no stored result has, along a whole orbit.

    Returns:
        For each model ``i`` what the task's ``detail`` gives, as ``<name>_<i>``.
    """
    del ticket  # a few forward passes
    asked = _checked(params, item_params, "task", "models", "item", "orbit", "dataset")
    task, orbit = tasks.find(asked.task), orbits.find(asked.orbit)
    held = datasets.load(asked.dataset)
    source, row = task.gather(held), _row(held, asked.item)
    inputs, truth = source.read(row, row + 1), source.truth(row, row + 1)
    found: dict[str, NDArray[Any]] = {}
    for i, key in enumerate(asked.models):
        outputs = along(task, task.predictor(key, None, source), orbit, inputs)
        detail = task.detail(orbit, outputs, truth)
        found |= {f"{name}_{i}": np.asarray(values) for name, values in detail.items()}
    return found


def moved(params: Mapping[str, JSON], ticket: Ticket) -> Arrays:
    """``nero.input``: one image under one element, ``image`` (h, w[, 3]) uint8."""
    del ticket
    asked = _checked(params, input_params, "task", "item", "orbit", "element", "dataset")
    held = datasets.load(asked.dataset)
    image = channels_first(held.images([_row(held, asked.item)]))
    out = orbits.find(asked.orbit).act(image, np.array([asked.element]))[0, 0]
    pixels = np.round(np.asarray(out, np.float32) * 255).astype(np.uint8)
    shown = pixels[0] if len(pixels) == 1 else pixels.transpose(1, 2, 0)
    return {"image": np.ascontiguousarray(shown)}


def projection(params: Mapping[str, JSON], ticket: Ticket) -> Arrays:
    """``nero.projection``: orbit curves as points; the orbit is computed first where it is not
    stored.

    Returns:
        xy (n, 2), rows (n,) of the task's set, trustworthiness (1,), NaN below 4 items.
    """
    request = ProjectionRequest.from_params(params)
    rows = np.asarray(request.rows())
    result = _stored_orbit(request.orbit_request, ticket)
    if request.consensus:
        result = by_consensus(result)
    curves = result.metrics[request.metric or next(iter(result.metrics))][rows]
    xy = projections.project(curves, request.method, request.seed)
    trust = projections.trustworthiness(curves, xy)
    return {
        "xy": xy,
        "rows": rows.astype(np.int32),
        "trustworthiness": np.array([trust], np.float32),
    }


def _stored_orbit(request: OrbitRequest, ticket: Ticket) -> OrbitResult:
    job = request.job()
    arrays: Arrays | None = ticket.store.get(job.key)
    if arrays is None:
        arrays = orbit(job.params, ticket)
        ticket.store.put(job.key, arrays)
    return OrbitResult.from_arrays(arrays)


@dataclass(frozen=True, slots=True)
class _Asked:
    task: str
    models: list[str]
    item: int
    orbit: str
    dataset: str
    angle_deg: float = 0.0
    element: int = 0


def _checked(params: Mapping[str, JSON], check: Callable[..., Any], *names: str) -> _Asked:
    """The values of a quick question, as the check of the web process lets them pass.

    Raises:
        BadRequest: a value is missing or of another kind. And what the check raises.
    """
    try:
        passed = check(**{name: params[name] for name in names})
        return _Asked(**{"models": [], "orbit": "", **passed})
    except (KeyError, TypeError, ValueError) as error:
        raise BadRequest(f"The request does not name {', '.join(names)}.") from error


def _row(held: Any, item: int) -> int:
    return int(np.flatnonzero(np.asarray(held.ids) == item)[0])
