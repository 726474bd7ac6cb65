"""What the page shows of one query, as JSON: results before and after, curves, the predictor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from backend.fair import diagnose, metrics
from backend.fair.groups import F64, I8, both, check_k
from backend.fair.select import Selection, select, top_k
from backend.protocols import I64

FARTHEST = 200
"""Places of a ranking that curves are drawn for."""


@dataclass(frozen=True, slots=True)
class Case:
    """A pool that has been scored for one query, in two ways.

    Attributes:
        ids: (n,) stable numbers of the items.
        before, after: (n,) scores of the plain way and of the one that is compared with it.
        truth: (n,) groups by which bias is measured; predicted: those that are selected by.
        relevant: (r,) indices, or None where nobody says.
        p: how often the balanced rule decides; seed: of the draws.
    """

    ids: I64
    before: F64
    after: F64
    truth: I8
    predicted: I8
    relevant: I64 | None
    p: float
    seed: int


def told(case: Case, k: int) -> dict[str, Any]:
    """``{n, k, pool, before, after, quantiles, correlation, predictor, note}``.

    Raises:
        BadRequest: k is out of range, or one group does not occur.
    """
    check_k(k, len(case.truth))
    both(case.truth)
    if case.p > 0:
        both(case.predicted, "predictor's answer for the pool")
    farthest = min(len(case.truth), max(2 * k, 60), max(k, FARTHEST))
    plain = top_k(case.before, farthest)
    done = select(case.after, case.predicted, k, case.p, case.seed)
    longer = select(case.after, case.predicted, farthest, case.p, case.seed)
    return {
        "n": len(case.truth),
        "k": k,
        "pool": counts(case.truth),
        "before": _side(case, case.before, plain[:k], plain),
        "after": {**_side(case, case.after, done.indices, longer.indices), "log": log(done)},
        "note": done.note,
        "relevant": None if case.relevant is None else len(case.relevant),
        "correlation": diagnose.similarity_correlation(case.before, case.truth),
        "correlation_after": diagnose.similarity_correlation(case.after, case.truth),
        "quantiles": _quantiles(case, k),
        "predictor": metrics.predictor(case.truth, case.predicted).document(),
    }


def counts(signs: I8) -> list[int]:
    """How many are in the groups -1, 0 and +1."""
    return [int((signs == sign).sum()) for sign in (-1, 0, 1)]


def _side(case: Case, scores: F64, taken: I64, farther: I64) -> dict[str, Any]:
    """One grid: its items in order, and curves over more places than are shown."""
    found: dict[str, Any] = {
        "ids": case.ids[taken],
        "scores": scores[taken].astype(np.float32),
        "groups": case.truth[taken],
        "predicted": case.predicted[taken],
        "counts": counts(case.truth[taken]),
        "counts_predicted": counts(case.predicted[taken]),
        "bias": metrics.bias_at_k(case.truth[taken], len(taken)),
        "mean_score": float(scores[taken].mean()),
        "shares": metrics.shares_curve(case.truth[farther]).astype(np.float32),
        "curve": metrics.bias_curve(case.truth[farther]).astype(np.float32),
    }
    if case.relevant is not None and len(case.relevant):
        is_relevant = np.isin(np.arange(len(case.truth)), case.relevant)
        found["recall"] = float(is_relevant[taken].sum() / len(case.relevant))
        found["is_relevant"] = is_relevant[taken]
    return found


def _quantiles(case: Case, k: int) -> dict[str, Any]:
    parts = min(50, len(case.truth) // 2)
    if parts < 2:
        return {"percentile": [], "bias": [], "slope": 0.0, "level": 0.0, "top": 100.0}
    held = diagnose.quantile_bias(case.before, case.truth, parts)
    return {
        "percentile": held.percentile,
        "bias": held.bias,
        "slope": held.slope,
        "level": held.level,
        "top": 100 * (1 - k / len(case.truth)),
    }


def log(done: Selection) -> list[dict[str, Any]]:
    """The decisions of the selection, in order: what was taken and what was weighed."""
    return [
        {"taken": len(step.taken), "pair": step.pair_score, "other": step.other_score}
        | {"fair": step.is_fair}
        for step in done.steps
    ]
