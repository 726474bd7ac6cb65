"""``python -m benchmarks.metric_large``: NR-Prec of eleven properties of 100,000 images.

Writes ``data/metric/large.json``: time and peak memory of this process, and the largest difference
from a full sort of the distances on drawn queries. Embeddings are drawn: two properties move them,
nine do not. ``python -m benchmarks.metric_report`` puts the numbers into the record.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from typing import Any, Final

import numpy as np
from threadpoolctl import threadpool_info

from backend import metrics
from backend.metric_learning import cars, neighbours, properties, shipped
from backend.metric_learning.distances import pairs
from backend.metric_learning.properties import Property

OUT: Final = shipped.MEASURED / "large.json"
N, D = 100_000, 128
CHECKED: Final = 40  # queries sorted whole
SEED: Final = 0


def planted(held: list[Property], d: int, rng: np.random.Generator) -> np.ndarray[Any, Any]:
    """Embeddings (n, d) float32: noise, moved by the car model and by the rotation."""
    x = rng.standard_normal((len(held[0].codes), d), np.float32)
    for name, size in (("car_model", 0.5), ("car_rotation", 0.3)):
        (one,) = (one for one in held if one.name == name)
        x += size * rng.standard_normal((len(one.values), d), np.float32)[one.codes]
    return x


def by_sorting(
    x: np.ndarray[Any, Any], held: list[Property], queries: np.ndarray[Any, Any]
) -> np.ndarray[Any, Any]:
    """Hits (p, q) of some queries by float64 differences and a full sort."""
    found = np.zeros((len(held), len(queries)))
    for j, query in enumerate(queries):
        far = ((x.astype(np.float64) - x[query]) ** 2).sum(axis=1)
        far[query] = np.inf
        order = np.argsort(far, kind="stable")
        for k, one in enumerate(held):
            wanted = one.counts[one.codes[query]] - 1
            found[k, j] = (one.codes[order[:wanted]] == one.codes[query]).sum()
    return found


def measured(n: int = N, d: int = D) -> dict[str, Any]:
    """Time, memory and agreement, as JSON."""
    rng = np.random.default_rng(SEED)
    held = properties.table(cars.sample(list("abcdef"), n, SEED))
    x = planted(held, d, rng)
    few = np.arange(200)
    neighbours.hits(pairs(x[:200]), [one.take(few) for one in held])  # compiled, not counted
    start_s, cpu_s = time.perf_counter(), time.process_time()
    hits = neighbours.hits(pairs(x), held)
    values = [float(metrics.scores(row, one).mean()) for row, one in zip(hits, held, strict=True)]
    seconds, cpu = time.perf_counter() - start_s, time.process_time() - cpu_s
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    queries = rng.choice(n, CHECKED, replace=False)
    gap = float(np.abs(hits[:, queries] - by_sorting(x, held, queries)).max())
    return {
        **{"n": n, "d": d, "properties": len(held), "seconds": round(seconds, 1)},
        **{"cpu_seconds": round(cpu, 1), "peak_mb": round(peak_mb), "queries_checked": CHECKED},
        "largest_difference_in_hits": gap,
        "blas_threads": max((one["num_threads"] for one in threadpool_info()), default=1),
        "cores": os.cpu_count(),
        "nr_precision": {one.name: round(v, 3) for one, v in zip(held, values, strict=True)},
    }


if __name__ == "__main__":
    n = int(sys.argv[1]) if len(sys.argv) > 1 else N
    told = measured(n)
    if n == N:
        OUT.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    sys.stdout.write(json.dumps(told, indent=1) + "\n")
