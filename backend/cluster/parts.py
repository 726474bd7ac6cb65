"""What a job computes of a few rows, and how the parts become the whole. Nothing here knows Ray."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

import numpy as np
from numpy.typing import NDArray

from backend import datasets
from backend.cache import ArrayStore, key_of
from backend.errors import BadRequest, NotFound
from backend.protocols import JSON, Arrays

VERSION: Final = 1
Params = Mapping[str, JSON]
Joined = dict[str, NDArray[Any]]


class NoProgress:
    """A ticket for a part: progress is counted in whole parts."""

    store: Any = None

    def __call__(self, done: int, total: int) -> None:
        del done, total

    def log(self, text: str) -> None:
        del text


@dataclass(frozen=True, slots=True)
class ShardedWork:
    """A work whose items do not depend on each other.

    Attributes:
        count: number of rows of a job.
        part: the arrays of the rows ``start`` to ``stop``; the last argument is what ``held`` gave.
        join: the parts in their order to the arrays of the whole job.
        rows: rows of a shard, so that one takes seconds and many fit.
        held: arrays of the store that every part needs; sent to each machine once.
    """

    count: Callable[[Params], int]
    part: Callable[[Params, int, int, Arrays], Arrays]
    join: Callable[[Sequence[Arrays]], Joined]
    rows: int
    held: Callable[[Params, ArrayStore], Arrays] = lambda _params, _store: {}


@dataclass(frozen=True, slots=True)
class Shard:
    """Rows ``start`` to ``stop`` of a job; ``key`` names its result by everything that goes in."""

    work: str
    start: int
    stop: int
    key: str


def shards(work: str, params: Params, rows: int = 0) -> list[Shard]:
    """The shards of a job, in order. Raises ``BadRequest`` for a work that is not cut."""
    if work not in WORKS:
        raise BadRequest(f"{work[:80]!r} is not computed in shards.", f"One of {', '.join(WORKS)}.")
    count, step = WORKS[work].count(params), rows or WORKS[work].rows
    cuts = [(start, min(start + step, count)) for start in range(0, count, step)]
    return [Shard(work, start, stop, _key(work, params, start, stop)) for start, stop in cuts]


def _key(work: str, params: Params, start: int, stop: int) -> str:
    return key_of("cluster.shard", VERSION, work=work, params=dict(params), rows=[start, stop])


# Orbits


def _orbit_rows(params: Params) -> Sequence[int]:
    from backend.nero.requests import OrbitRequest

    request = OrbitRequest.from_params(params)
    if isinstance(request.items, str):
        return range(len(datasets.load(request.dataset).ids))
    return request.items


def _orbit_part(params: Params, start: int, stop: int, _held: Arrays) -> Arrays:
    from backend.nero.evaluation import evaluate
    from backend.nero.requests import OrbitRequest

    request = OrbitRequest.from_params(params)
    rows = list(_orbit_rows(params)[start:stop])
    result = evaluate(request.model, request.task, request.elements, rows, control=request.control)
    return result.arrays()


def _orbit_join(parts: Sequence[Arrays]) -> Joined:
    """Per-item arrays one after another; positions and words are those of every part."""
    texts = [json.loads(np.asarray(part["text"], np.uint8).tobytes()) for part in parts]
    whole = dict(texts[0], names=[name for text in texts for name in text["names"]])
    same = {"positions", "text"}
    joined = {
        name: np.concatenate([np.asarray(part[name]) for part in parts])
        for name in parts[0]
        if name not in same
    }
    encoded = json.dumps(whole, ensure_ascii=False).encode()
    return {
        **joined,
        "positions": np.asarray(parts[0]["positions"]),
        "text": np.frombuffer(encoded, np.uint8),
    }


# Maps of attention, and embeddings, of a set's images


def _set_count(params: Params) -> int:
    from backend.crayon import sets

    return len(sets.load(str(params["set"])))


def _maps_part(params: Params, start: int, stop: int, _held: Arrays) -> Arrays:
    from backend.crayon import examples
    from backend.crayon.gradcam import whole_set

    held, net = _model(params)
    rows = np.arange(start, stop)
    maps, probabilities = whole_set(
        net, lambda a, b: examples.images(held, rows[a:b]), held.labels[rows], len(rows)
    )
    return {"maps": maps, "probabilities": probabilities}


def _embedding_part(params: Params, start: int, stop: int, _held: Arrays) -> Arrays:
    import torch

    from backend.crayon import examples

    held, net = _model(params)
    found = []
    with torch.inference_mode():
        for first in range(start, stop, examples.BATCH):
            rows = np.arange(first, min(first + examples.BATCH, stop))
            features = net.features(net.trunk(examples.images(held, rows)))
            found.append(features.mean(dim=(2, 3)).numpy())
    return {"embeddings": np.concatenate(found).astype(np.float32)}


def _model(params: Params) -> tuple[Any, Any]:
    from backend.crayon.work import asked

    if params.get("parent") or params.get("saliency", "gradcam") != "gradcam":
        raise BadRequest("Only Grad-CAM of an original model is computed in shards.")
    held, net = asked(params, NoProgress())
    net.eval()
    return held, net


def _concatenated(parts: Sequence[Arrays]) -> Joined:
    return {name: np.concatenate([np.asarray(p[name]) for p in parts]) for name in parts[0]}


# NR-Prec: what each query finds among all embeddings


def _import(params: Params, store: ArrayStore) -> Arrays:
    held = store.get(str(params["own"]))
    if held is None:
        raise NotFound("These embeddings are no longer held here.", "Start again.")
    return held


def _hits_part(params: Params, start: int, stop: int, held: Arrays) -> Arrays:
    from backend.metric_learning import counting

    return counting.part(params, start, stop, held)


def _hits_join(parts: Sequence[Arrays]) -> Joined:
    from backend.metric_learning import counting

    return counting.join(parts)


# Indexes: each file of a data set read, on machines that all see its folder


def _files_count(params: Params) -> int:
    return len(cast(Sequence[str], params["paths"]))


def _files_part(params: Params, start: int, stop: int, _held: Arrays) -> Arrays:
    from backend.registry import apart

    return apart.part(params, start, stop)


WORKS: Final[dict[str, ShardedWork]] = {
    "nero.orbit": ShardedWork(lambda p: len(_orbit_rows(p)), _orbit_part, _orbit_join, 32),
    "crayon.maps": ShardedWork(_set_count, _maps_part, _concatenated, 256),
    "embeddings": ShardedWork(_set_count, _embedding_part, _concatenated, 256),
    "metric.hits": ShardedWork(
        lambda p: int(str(p["queries"])), _hits_part, _hits_join, 2048, _import
    ),
    "registry.files": ShardedWork(_files_count, _files_part, _concatenated, 512),
}
"""Works by name. The first two are jobs of the app; the others are parts of jobs and commands."""


def can_run(work: str, params: Params) -> bool:
    """Whether a job of the app may go to the cluster."""
    is_plain = not params.get("parent") and params.get("saliency", "gradcam") == "gradcam"
    return work in WORKS and is_plain
