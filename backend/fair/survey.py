"""All queries of the pool together: methods compared, the trade-off, where bias comes from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from backend.fair import diagnose, metrics, ways
from backend.fair.groups import F64, I8, check_k
from backend.fair.pool import Attribute, Pool
from backend.fair.select import select, top_k
from backend.fair.ways import Asked, Scoring, Way
from backend.protocols import I64

DRAWS: Final = 5
STEPS: Final = 9
SHARES_DROPPED: Final = (0.0, 0.125, 0.25, 0.5, 0.75, 0.9)
NOISES: Final = (0.0, 0.5, 1.0, 2.0, 4.0)
Step = Callable[[int, int], None]
METHODS: Final[tuple[tuple[str, Scoring, float, ways.Predictor], ...]] = (
    ("random", "random", 0.0, "truth"),
    ("plain top K", "plain", 0.0, "truth"),
    ("MI-clip, simplified", "mi", 0.0, "truth"),
    ("debiased prompt, simplified", "debias", 0.0, "truth"),
    ("PBM, zero-shot words", "plain", 1.0, "words"),
    ("PBM, zero-shot prompt", "plain", 1.0, "prompt"),
    ("PBM, supervised MLP", "plain", 1.0, "mlp"),
    ("PBM, true groups", "plain", 1.0, "truth"),
    ("MI-clip + PBM, supervised MLP", "mi", 1.0, "mlp"),
    ("debiased prompt + PBM, supervised MLP", "debias", 1.0, "mlp"),
)


@dataclass(frozen=True, slots=True)
class Survey:
    """A pool as it is surveyed: which rows are left of it, and how it is asked.

    Attributes:
        rows: (n,) rows of the pool; k: results a query; way: settings that all methods share.
    """

    pool: Pool
    attribute: Attribute
    rows: I64
    k: int
    way: Way

    @property
    def truth(self) -> I8:
        """(n,) true groups."""
        return self.pool.groups[self.attribute][self.rows]

    def asked(self, query: int) -> Asked:
        """A query with its prompts."""
        return ways.listed(self.pool, self.attribute, query)

    def scores(self, way: Way) -> F64:
        """(q, n) of all queries."""
        return ways.all_scores(self.pool, self.attribute, self.rows, self.pool.queries, way)

    def predicted(self, way: Way) -> I8:
        """(q, n) groups that each query is balanced by."""
        said = [
            ways.predicted(self.pool, self.attribute, self.rows, self.asked(query), way)
            for query in range(len(self.pool.activities))
        ]
        return np.array(said, np.int8)

    def relevant(self, query: int) -> I64:
        """Indices into ``rows``."""
        return np.flatnonzero(self.pool.activity[self.rows] == query)


def surveyed(held: Survey, step: Step) -> dict[str, Any]:
    """``{methods, tradeoff, clip, noise, plain, chosen}`` over all queries.

    Raises:
        BadRequest: a setting is out of range.
    """
    check_k(held.k, len(held.rows))
    total = len(METHODS) + STEPS + len(SHARES_DROPPED) + len(NOISES)
    done = 0

    def counted(value: dict[str, Any]) -> dict[str, Any]:
        nonlocal done
        done += 1
        step(done, total)
        return value

    settings = held.way
    methods = [
        counted({"method": name, **audited(held, _way(settings, scoring, p, predictor))})
        for name, scoring, p, predictor in METHODS
    ]
    tradeoff = [counted(_at(held, float(p))) for p in np.linspace(0, 1, STEPS)]
    width = held.pool.images.shape[1]
    clip = [counted(_clipped(held, int(share * width))) for share in SHARES_DROPPED]
    noise = [counted(_noisy(held, sd)) for sd in NOISES]
    return {
        "methods": methods,
        "tradeoff": tradeoff,
        "clip": clip,
        "noise": noise,
        "points": _points(held),
        "queries": list(held.pool.activities),
        "n": len(held.rows),
    }


def _way(settings: Way, scoring: Scoring, p: float, predictor: ways.Predictor) -> Way:
    return replace(settings, scoring=scoring, p=p, predictor=predictor)


def audited(held: Survey, way: Way, draws: int = 1) -> dict[str, Any]:
    """AbsBias@K, Bias@K, Recall@K of one way; the mean over draws."""
    scored = held.scores(way)
    groups = held.predicted(way) if way.p else None
    relevant = [held.relevant(query) for query in range(len(scored))]
    audits = [
        diagnose.audit(
            scored,
            held.truth,
            held.k,
            relevant=relevant,
            predicted=groups,
            p=way.p,
            seed=way.seed + 1000 * draw,
        )
        for draw in range(draws)
    ]
    return {
        "abs_bias": float(np.mean([one.abs_bias for one in audits])),
        "bias": float(np.mean([one.bias for one in audits])),
        "recall": float(np.mean([one.recall for one in audits])),
        "missing": audits[0].missing,
    }


def _at(held: Survey, p: float) -> dict[str, Any]:
    way = replace(held.way, scoring="plain", p=p)
    return {"p": p, **audited(held, way, DRAWS if 0 < p < 1 else 1)}


def _clipped(held: Survey, dropped: int) -> dict[str, Any]:
    way = replace(held.way, scoring="mi", p=0.0, dropped=dropped)
    return {"dropped": dropped, **audited(held, way)}


def _noisy(held: Survey, sd: float) -> dict[str, Any]:
    """PBM with a predictor made worse by noise (Fig. 4.5); the truth cannot be made worse."""
    predictor = "mlp" if held.way.predictor == "truth" else held.way.predictor
    way = replace(held.way, scoring="plain", p=1.0, predictor=predictor, noise=sd)
    quality = [metrics.predictor(held.truth, one).f1 for one in held.predicted(way)]
    return {
        "noise": sd,
        "f1": float(np.mean(quality)),
        "predictor": predictor,
        **audited(held, way),
    }


def _points(held: Survey) -> list[dict[str, Any]]:
    """For each query its correlation of similarity with the group, and its bias both ways."""
    found = []
    plain = held.scores(replace(held.way, scoring="plain", p=0.0))
    scored, said = held.scores(held.way), held.predicted(held.way)
    for query, name in enumerate(held.pool.activities):
        values, others = plain[query], scored[query]
        top = top_k(values, held.k)
        seed = held.way.seed + query
        chosen = select(others, said[query], held.k, held.way.p, seed).indices
        found.append(
            {
                "query": name,
                "correlation": diagnose.similarity_correlation(values, held.truth),
                "correlation_after": diagnose.similarity_correlation(others, held.truth),
                "bias": metrics.bias_at_k(held.truth[top], held.k),
                "bias_after": metrics.bias_at_k(held.truth[chosen], held.k),
            }
        )
    return found
