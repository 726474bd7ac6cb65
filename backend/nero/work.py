"""The works of this package, run by the worker processes: parameters in, named arrays out.

torch is loaded by the first work that runs a model, so a worker that only projects stays small.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, cast

import numpy as np

from backend import catalog, datasets
from backend.cache import ArrayStore
from backend.errors import BadRequest
from backend.nero import projections, resample, tasks
from backend.nero.evaluation import evaluate
from backend.nero.items import channels_first
from backend.nero.requests import OrbitRequest, ProjectionRequest, at_params
from backend.nero.result import KEEP_ALL, STRONGEST, OrbitResult
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
    items = request.items if isinstance(request.items, str) else list(request.items)
    result = evaluate(
        request.model,
        request.task,
        request.orbit,
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
    asked = _checked_at(params)
    held = datasets.load(tasks.find(asked[0]).item_set)
    row = int(np.flatnonzero(np.asarray(held.ids) == asked[2])[0])
    image = channels_first(held.images([row]))
    turned = resample.rotator((asked[3],), resample.square(image)).apply(image)[:, 0]
    answers: F32 = np.concatenate([catalog.load_model(key).predict(turned) for key in asked[1]])
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


def projection(params: Mapping[str, JSON], ticket: Ticket) -> Arrays:
    """``nero.projection``: orbit curves as points; the orbit is computed first where it is not
    stored.

    Returns:
        xy (n, 2), rows (n,) of the task's set, trustworthiness (1,), NaN below 4 items.
    """
    request = ProjectionRequest.from_params(params)
    rows = np.asarray(request.rows())
    curves = _stored_orbit(request.orbit_request, ticket).metric[rows]
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


def _checked_at(params: Mapping[str, JSON]) -> tuple[str, list[str], int, float]:
    try:
        models = [str(key) for key in cast(Sequence[str], params["models"])]
        item, angle = cast(int, params["item"]), float(cast(float, params["angle_deg"]))
        at_params(str(params["task"]), models, item, angle)
    except (KeyError, TypeError, ValueError) as error:
        raise BadRequest("The request names no task, models, item and angle.") from error
    return str(params["task"]), models, item, angle
