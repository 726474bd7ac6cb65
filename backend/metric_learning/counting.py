"""What NR-Prec counts, cut by queries: parts can be counted on several machines and joined."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Final

import numpy as np

from backend.cache import ArrayStore
from backend.metric_learning import imports, neighbours, properties
from backend.metric_learning.distances import Pairs, pairs
from backend.metric_learning.neighbours import F64, Ties
from backend.metric_learning.properties import Property
from backend.protocols import JSON, Arrays, Progress

WORK: Final = "metric.hits"


@dataclass(frozen=True, slots=True)
class Counts:
    """Hits of queries, for each of ``k`` properties.

    Attributes:
        hits: ``(k, n)``, ties as asked for. by_index: the same with ties by index.
        shuffled: for each property ``(v, p)``, see :func:`neighbours.shuffled_hits`; none without
            permutations.
    """

    hits: F64
    by_index: F64
    shuffled: tuple[F64, ...] = ()


@dataclass(frozen=True, slots=True)
class Window(Pairs):
    """Pairs of which only the queries ``first`` to ``last`` ask; everything can be found."""

    first: int
    last: int

    @classmethod
    def of(cls, held: Pairs, first: int, last: int) -> Window:
        """The window on pairs that are held already."""
        return cls(*(getattr(held, one.name) for one in fields(Pairs)), first, last)

    def blocks(self) -> Iterator[slice]:
        size = self.block_size
        for start in range(self.first, self.last, size):
            yield slice(start, min(start + size, self.last))


def counts(
    held: Pairs,
    asked: Sequence[Property],
    ties: Ties = "index",
    permutations: int = 0,
    seed: int = 0,
    progress: Progress | None = None,
) -> Counts:
    """Everything at once, on this machine. Raises BadRequest: ``ties`` is not known."""
    found = neighbours.hits(held, asked, ties, progress)
    by_index = found if ties == "index" else neighbours.hits(held, asked, "index", progress)
    shuffled = [
        neighbours.shuffled_hits(held, one, permutations, seed, progress)
        for one in (asked if permutations else ())
    ]
    return Counts(found, by_index, tuple(shuffled))


def part(params: Mapping[str, JSON], first: int, last: int, held: Arrays) -> Arrays:
    """The counts of some queries of a stored import, as arrays."""
    asked = [one for one in stored(held) if not one.problem]
    distance, ties = str(params["distance"]), params["ties"]
    window = Window.of(pairs(np.asarray(held["embeddings"]), distance), first, last)
    number, seed = int(str(params["permutations"])), int(str(params["seed"]))
    found = counts(window, asked, ties, number, seed)  # type: ignore[arg-type]  # checked there
    arrays = {"hits": found.hits[:, first:last], "by_index": found.by_index[:, first:last]}
    return arrays | {f"shuffled{k}": sums for k, sums in enumerate(found.shuffled)}


def join(parts: Sequence[Arrays]) -> dict[str, Any]:
    """Hits one after another; the sums of the shufflings added up."""
    joined: dict[str, Any] = {}
    for name in parts[0]:
        held = [np.asarray(part[name]) for part in parts]
        joined[name] = sum(held) if name.startswith("shuffled") else np.concatenate(held, axis=1)
    return joined


def stored(arrays: Arrays) -> list[Property]:
    """The properties of a stored import."""
    names = [str(name) for name in arrays["names"]]
    return [properties.of(name, np.asarray(arrays[f"property{k}"])) for k, name in enumerate(names)]


def on_cluster(
    store: ArrayStore,
    x: Any,
    asked: Sequence[Property],
    progress: Progress,
    how: Mapping[str, JSON],
) -> Counts:
    """The counts of ``asked``, by the cluster of ``LOUPE_RAY_ADDRESS``.

    Args:
        x: embeddings ``(n, d)``. how: distance, ties, permutations and seed.

    Raises:
        BadRequest, BackendError: as :func:`backend.cluster.ray_jobs.run`.
    """
    from backend.cluster import ray_jobs

    key, arrays = imports.packed(x, asked)
    if not store.has(key):
        store.put(key, arrays)
    params: dict[str, JSON] = {"own": key, "queries": len(arrays["embeddings"]), **how}
    made = ray_jobs.anywhere(WORK, params, store, progress)
    shuffled = tuple(made[f"shuffled{k}"] for k in range(len(made) - 2))
    return Counts(made["hits"], made["by_index"], shuffled)
