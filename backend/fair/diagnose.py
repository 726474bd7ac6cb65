"""Where a query's bias comes from: the model's leaning and the pool's imbalance (section C.3)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from backend.errors import BadRequest
from backend.fair.groups import F64, both, groups_of, scores_of
from backend.fair.metrics import abs_bias_at_k, bias_at_k, recall_at_k
from backend.fair.select import select, top_k
from backend.protocols import I64


@dataclass(frozen=True, slots=True)
class Quantiles:
    """Signed bias by similarity (Fig. 4.2).

    Attributes:
        percentile: (m,) middle of each part of the ranking, 0 least similar, 100 most.
        bias: (m,) mean group in it; counts: (m,) items in it.
        slope, level: of the straight line through them, per percentile and at its middle.
    """

    percentile: F64
    bias: F64
    counts: I64
    slope: float
    level: float


def quantile_bias(scores: ArrayLike, groups: ArrayLike, parts: int = 100) -> Quantiles:
    """Bias in each part of the pool ranked by similarity; equal scores are ranked by index.

    Raises:
        BadRequest: arguments are not usable, or there are more parts than items.
    """
    values = scores_of(scores)
    signs = groups_of(groups, len(values))
    if not 2 <= parts <= len(values):
        raise BadRequest(
            f"{parts} parts of {len(values):,} items cannot be made.",
            f"Allowed are 2 to {len(values):,}.",
        )
    order = np.argsort(-values, kind="stable")[::-1]
    held = np.array_split(signs[order].astype(np.float64), parts)
    bias = np.array([part.mean() for part in held])
    percentile = 100 * (np.arange(parts) + 0.5) / parts
    slope, _ = np.polyfit(percentile, bias, 1)
    counts = np.array([len(part) for part in held])
    return Quantiles(percentile, bias, counts, float(slope), float(bias.mean()))


def similarity_correlation(scores: ArrayLike, groups: ArrayLike) -> float:
    """Spearman correlation of similarity and group over a pool (Fig. 4.3); group 0 is left out.

    Raises:
        BadRequest: one group does not occur.
    """
    from scipy.stats import rankdata

    values = scores_of(scores)
    signs = groups_of(groups, len(values))
    both(signs)
    ranks = rankdata(values[signs != 0])
    if np.ptp(ranks) == 0:
        return 0.0
    return float(np.corrcoef(ranks, signs[signs != 0])[0, 1])


@dataclass(frozen=True, slots=True)
class Audit:
    """One way of answering all queries.

    Attributes:
        abs_bias: AbsBias@K, the mean over queries of |B|; bias: Bias@K, the mean of the signed one.
        recall: over all queries together; NaN where nothing is relevant.
        by_query: (q,) the signed bias of each; missing: how many could not be balanced.
    """

    abs_bias: float
    bias: float
    recall: float
    by_query: F64
    missing: int


def audit(
    scores: ArrayLike,
    groups: ArrayLike,
    k: int,
    *,
    relevant: list[I64] | None = None,
    predicted: ArrayLike | None = None,
    p: float = 0.0,
    seed: int = 0,
) -> Audit:
    """Bias and recall of the first K results over all queries.

    Args:
        scores: (q, n); groups: (n,) true ones, by which bias is measured.
        relevant: for each query the indices of its relevant items.
        predicted: (n,) or (q, n) groups that items are selected by; the true ones without them.
        p: 0 for the plain top K, 1 for PBM (see :func:`backend.fair.select.select`).
        seed: of the draws of query 0; the next query has the next.

    Raises:
        BadRequest: an argument is not usable.
    """
    rows = np.atleast_2d(np.asarray(scores))
    truth = groups_of(groups, rows.shape[1])
    said = np.broadcast_to(truth if predicted is None else np.asarray(predicted), rows.shape)
    taken, missing = [], 0
    for query, values in enumerate(rows):
        if p == 0:
            taken.append(top_k(values, k))
            continue
        done = select(values, said[query], k, p, seed + query)
        taken.append(done.indices)
        missing += bool(done.missing)
    signed = np.array([bias_at_k(truth[items], k) for items in taken])
    recall = recall_at_k(taken, relevant) if relevant is not None else float("nan")
    absolute = float(np.mean([abs_bias_at_k(truth[items], k) for items in taken]))
    return Audit(absolute, float(signed.mean()), recall, signed, missing)
