"""Accuracy by group, and where a map's energy lies. Groups are class x confounder; they serve
evaluation only and are never trained on.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from backend.errors import BadRequest
from backend.protocols import F32

F64 = NDArray[np.float64]


def group_accuracy(
    pred: ArrayLike, y: ArrayLike, group: ArrayLike, groups: Sequence[int] | None = None
) -> dict[int, float]:
    """Accuracy of each group, in [0, 1], by group number in ascending order.

    Args:
        pred, y, group: ``(n,)`` whole numbers: predicted class, true class, group.
        groups: the groups that must occur; those that do occur unless given.

    Raises:
        BadRequest: the lengths differ, there is no item, or an expected group has none: its
            accuracy is not defined, and is neither 0 nor 1.
    """
    p, t, g = (np.asarray(values).reshape(-1) for values in (pred, y, group))
    if not len(p) == len(t) == len(g) or not len(p):
        raise BadRequest(
            f"{len(p)} predictions, {len(t)} classes and {len(g)} groups make no accuracy.",
            "Give one of each for every item, and at least one item.",
        )
    wanted = sorted(int(v) for v in (np.unique(g) if groups is None else groups))
    found: dict[int, float] = {}
    for number in wanted:
        members = g == number
        if not members.any():
            raise BadRequest(
                f"Group {number} has no item, so its accuracy is not defined.",
                "Leave the group out, or evaluate on a set that has every group.",
            )
        found[number] = float((p[members] == t[members]).mean())
    return found


def worst_group_accuracy(pred: ArrayLike, y: ArrayLike, group: ArrayLike) -> float:
    """WGA: the lowest accuracy of any group, in [0, 1]. Raises as :func:`group_accuracy`."""
    return min(group_accuracy(pred, y, group).values())


def mean_group_accuracy(pred: ArrayLike, y: ArrayLike, group: ArrayLike) -> float:
    """MGA: the mean of the groups' accuracies, each group counting once, in [0, 1].

    Raises as :func:`group_accuracy`.
    """
    return float(np.mean(list(group_accuracy(pred, y, group).values())))


def is_collapsed(pred: ArrayLike) -> bool:
    """Whether all of two or more items get one class: too large weights lead there."""
    p = np.asarray(pred)
    return bool(p.size > 1 and (p == p.flat[0]).all())


def mixed_rand_accuracy(pred: ArrayLike, y: ArrayLike) -> float:
    """MR: accuracy on images whose background comes from any other image, in [0, 1]."""
    return group_accuracy(pred, y, np.zeros(np.shape(y), np.int64))[0]


def bg_gap(
    pred_same: ArrayLike, y_same: ArrayLike, pred_rand: ArrayLike, y_rand: ArrayLike
) -> float:
    """BG-Gap: accuracy on Mixed-Same minus accuracy on Mixed-Rand, in [-1, 1].

    Small gaps can be had by a low Mixed-Rand accuracy: always show both.
    """
    return mixed_rand_accuracy(pred_same, y_same) - mixed_rand_accuracy(pred_rand, y_rand)


def energy_in_mask(maps: F32, masks: NDArray[Any]) -> F64:
    """Share of each map's energy inside its mask: ``sum M B / sum M``, in [0, 1].

    Args:
        maps: ``(n, h, w)``, >= 0.
        masks: ``(n, h, w)``, in [0, 1]; a cell partly covered counts by its covered part.

    Returns:
        ``(n,)``; NaN for a map that is zero everywhere, whose energy is nowhere.

    Raises:
        BadRequest: the shapes differ.
    """
    if maps.shape != masks.shape or maps.ndim != 3:
        raise BadRequest(
            f"Maps {maps.shape} and masks {masks.shape} do not fit.", "Both must be (n, h, w)."
        )
    energy = maps.sum(axis=(1, 2), dtype=np.float64)
    inside = (maps.astype(np.float64) * masks).sum(axis=(1, 2))
    share: F64 = np.full(len(maps), np.nan)
    np.divide(inside, energy, out=share, where=energy > 0)
    return share


def answers_by_class(verdict: NDArray[Any], y: NDArray[Any], n_classes: int) -> NDArray[np.int64]:
    """How often each class got relevant, irrelevant and unused: ``(n_classes, 3)`` counts.

    Args:
        verdict: ``(n,)``: 1 relevant, -1 irrelevant, 0 unused.
        y: ``(n,)`` classes.
    """
    order = (1, -1, 0)
    table = [[int(((y == c) & (verdict == v)).sum()) for v in order] for c in range(n_classes)]
    return np.array(table, np.int64).reshape(n_classes, 3)


def class_warning(table: NDArray[np.int64], names: Sequence[str], share: float = 0.9) -> str:
    """A sentence where the answers nearly tell the class, so that training on them teaches labels.

    Args:
        table: of :func:`answers_by_class`.
        share: of the used answers of a class that are alike, in every class, before it warns.

    Returns:
        An empty text where there is nothing to warn of.
    """
    used = table[:, :2].astype(np.float64)
    total = used.sum(axis=1)
    if not total.sum():
        return "No answer can be used yet."
    if (used.sum(axis=0) == 0).any():
        only = "relevant" if used[:, 0].sum() else "irrelevant"
        return f"All used answers say {only}: only one of the two loss terms will act."
    silent = [names[c] for c in np.flatnonzero(total == 0).tolist()]
    if silent:
        return f"No used answer is about the class {silent[0]}."
    lean = used[:, 0] / total
    if (np.maximum(lean, 1 - lean) >= share).all() and lean.max() - lean.min() >= 2 * share - 1:
        return (
            "The answers follow the class: the loss would partly encode the label. "
            "Check some maps of each class again."
        )
    return ""
