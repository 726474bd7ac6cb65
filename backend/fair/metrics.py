"""How balanced a ranking is and what that cost: bias, recall, sensitivities of a predictor.

Equation 4.1 and section C.2 of the specification: B = |sum of g| / K over the first K results. An
item of group 0 adds nothing to the sum but takes up one of the K places.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from backend.errors import BadRequest
from backend.fair.groups import F64, check_k, groups_of
from backend.protocols import JSON


def bias_at_k(groups_in_order: ArrayLike, k: int) -> float:
    """The signed bias of the first K results, ``sum g / k``: -1 (all of group -1) to +1.

    Args:
        groups_in_order: (m,) in {-1, 0, +1}, best result first, m from k.

    Raises:
        BadRequest: a value is not a group, or k is not 1 to m.
    """
    groups = groups_of(groups_in_order)
    check_k(k, len(groups))
    return float(groups[:k].sum(dtype=np.int64) / k)


def abs_bias_at_k(groups_in_order: ArrayLike, k: int) -> float:
    """B of the first K results (eq. 4.1), ``|sum g| / k``: 0 to 1. As :func:`bias_at_k`."""
    return abs(bias_at_k(groups_in_order, k))


def bias_curve(groups_in_order: ArrayLike) -> F64:
    """(m,) the signed bias of the first 1, 2, ... m results."""
    groups = groups_of(groups_in_order)
    curve: F64 = np.cumsum(groups, dtype=np.int64) / np.arange(1, len(groups) + 1)
    return curve


def shares_curve(groups_in_order: ArrayLike) -> F64:
    """(m, 3) shares of the groups -1, 0 and +1 among the first 1, 2, ... m results."""
    groups = groups_of(groups_in_order)
    counts = np.cumsum(groups[:, None] == np.array([-1, 0, 1]), axis=0)
    shares: F64 = counts / np.arange(1, len(groups) + 1)[:, None]
    return shares


def recall_at_k(results: Sequence[ArrayLike], relevant: Sequence[ArrayLike]) -> float:
    """Share of all relevant items that the results hold, over all queries together, in [0, 1].

    Args:
        results: for each query the (k,) indices returned.
        relevant: for each query the indices of its relevant items.

    Raises:
        BadRequest: the numbers of queries differ, or nothing is relevant.
    """
    if len(results) != len(relevant):
        raise BadRequest(f"{len(results)} results and {len(relevant)} sets of relevant items.")
    wanted = sum(len(np.asarray(items)) for items in relevant)
    if not wanted:
        raise BadRequest("No item is relevant to any query, so there is no recall.")
    found = sum(
        int(np.isin(np.asarray(items), np.asarray(taken)).sum())
        for taken, items in zip(results, relevant, strict=True)
    )
    return found / wanted


@dataclass(frozen=True, slots=True)
class Predictor:
    """How good predicted groups are.

    Attributes:
        confusion: (3, 3) counts, true group by predicted group, both in the order -1, 0, +1.
        sensitivity_plus, sensitivity_minus: share of each group that is recognised; NaN where the
            group does not occur.
        f1: mean over the two groups of the F1 of recognising it.
    """

    confusion: NDArray[np.int64]
    sensitivity_plus: float
    sensitivity_minus: float
    f1: float

    @property
    def ratio(self) -> float:
        """Sensitivity to +1 over that to -1 (Table 4.3); NaN where one of them is unknown or 0."""
        if not self.sensitivity_minus:
            return float("nan")
        return self.sensitivity_plus / self.sensitivity_minus

    def document(self) -> dict[str, JSON]:
        """As JSON; unknown numbers are null."""
        numbers = {
            "sensitivity_plus": self.sensitivity_plus,
            "sensitivity_minus": self.sensitivity_minus,
            "ratio": self.ratio,
            "f1": self.f1,
        }
        found: dict[str, JSON] = {k: v if v == v else None for k, v in numbers.items()}
        return found | {"confusion": self.confusion.tolist(), "order": [-1, 0, 1]}


def predictor(truth: ArrayLike, predicted: ArrayLike) -> Predictor:
    """Predicted groups (n,) against the true ones (n,).

    Raises:
        BadRequest: a value is not a group, or the numbers differ.
    """
    true = groups_of(truth)
    said = groups_of(predicted, len(true))
    confusion = np.zeros((3, 3), np.int64)
    np.add.at(confusion, (true + 1, said + 1), 1)
    sensitivity, scores = {}, []
    for sign in (1, -1):
        hits, of, called = confusion[sign + 1, sign + 1], true == sign, said == sign
        sensitivity[sign] = float(hits / of.sum()) if of.any() else float("nan")
        if of.any() or called.any():
            scores.append(2 * hits / (of.sum() + called.sum()))
    f1 = float(np.mean(scores)) if scores else float("nan")
    return Predictor(confusion, sensitivity[1], sensitivity[-1], f1)
