"""NERO without ground truth: what the model says on the whole stands in for the truth.

consensus(x) = ⟨φ̃(g⁻¹, h(φ(g, x)))⟩ over the orbit (Zhao 2024, eq. 5.2). How answers are un-moved
and averaged is the business of the task; here is what any result offers.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from backend.errors import BadRequest
from backend.nero import curves
from backend.nero.result import OrbitResult
from backend.protocols import F32

WHY_NOT = (
    "A class does not move with the input, so an average over the orbit says nothing about which "
    "one is right."
)
INSTEAD = "Look at the agreement with the answer to the untouched input instead."


def consensus(result: OrbitResult) -> OrbitResult:
    """The same items and orbit, measured against the model's own consensus instead of the truth.

    Raises:
        BadRequest: the task is invariant, where there is no consensus.
    """
    if result.consensus is None:
        raise BadRequest(f"{result.task} has no consensus. {WHY_NOT}", INSTEAD)
    return replace(result, metrics=dict(result.consensus.metrics))


def correlation(result: OrbitResult) -> F32:
    """Pearson's r ``(n,)`` of each item's plot by truth with its plot by consensus.

    NaN where a plot is flat or has fewer than 3 defined values, or where there is no truth.

    Raises:
        BadRequest: the task is invariant.
    """
    other = consensus(result)
    return np.array(
        [_pearson(a, b) for a, b in zip(result.metric, other.metric, strict=True)], np.float32
    )


def _pearson(a: F32, b: F32) -> float:
    is_there = np.isfinite(a) & np.isfinite(b)
    a, b = a[is_there], b[is_there]
    if len(a) < 3:
        return float("nan")
    spread = np.sqrt(curves.variance(np.stack([a, b])))
    if spread.min() < 1e-9:
        return float("nan")
    return float(np.corrcoef(a.astype(np.float64), b.astype(np.float64))[0, 1])
