"""Scores and groups as they come in: checked, and named when they are wrong."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from backend.errors import BadRequest

F64 = NDArray[np.float64]
I8 = NDArray[np.int8]


def scores_of(scores: ArrayLike) -> F64:
    """(n,) float64.

    Raises:
        BadRequest: they are no list of finite numbers, or there are none.
    """
    array = np.asarray(scores)
    if array.ndim != 1 or array.dtype.kind not in "fiu" or not len(array):
        raise BadRequest(
            f"Scores of shape {array.shape} and type {array.dtype} cannot be ranked.",
            "Give one number an item, at least one.",
        )
    array = array.astype(np.float64)
    bad = ~np.isfinite(array)
    if bad.any():
        raise BadRequest(f"The score of item {int(np.argmax(bad))} is not finite.")
    return array


def groups_of(groups: ArrayLike, n: int | None = None) -> I8:
    """(n,) int8 of -1, 0 and +1.

    Raises:
        BadRequest: another value occurs, or their number is not ``n``.
    """
    array = np.asarray(groups)
    if array.ndim != 1 or array.dtype.kind not in "fiu":
        raise BadRequest(
            f"Groups of shape {array.shape} and type {array.dtype} are not usable.",
            "Give -1, 0 or +1 for each item.",
        )
    if n is not None and len(array) != n:
        raise BadRequest(f"There are {len(array):,} groups for {n:,} scores.", "Give one each.")
    wrong = ~np.isin(array, (-1, 0, 1))
    if wrong.any():
        raise BadRequest(
            f"Group {array[wrong][0]} of item {int(np.argmax(wrong))} is not known.",
            "Allowed are -1, +1, and 0 for not applicable.",
        )
    return array.astype(np.int8)


def named(names: Sequence[str] | NDArray[Any], plus: str, minus: str) -> I8:
    """+1 where a name is ``plus``, -1 where it is ``minus``, 0 for all others.

    Raises:
        BadRequest: one of the two does not occur, or they are the same.
    """
    words = np.asarray([str(name).strip() for name in names])
    if plus == minus:
        raise BadRequest(f"Both groups are called {plus!r}.", "Name two different ones.")
    for name in (plus, minus):
        if not (words == name).any():
            there = ", ".join(sorted(set(words))[:10])
            raise BadRequest(f"No item is in group {name!r}.", f"There are {there}.")
    signs: I8 = (words == plus).astype(np.int8) - (words == minus).astype(np.int8)
    return signs


def both(groups: I8, what: str = "pool") -> None:
    """Returns if both groups occur.

    Raises:
        BadRequest: at least one does not, so that nothing can be balanced.
    """
    for sign in (1, -1):
        if not (groups == sign).any():
            raise BadRequest(
                f"The {what} has no item of group {sign:+d}, so nothing can be balanced.",
                "It must hold items of both groups.",
            )


def check_k(k: int, n: int) -> None:
    """Returns if ``k`` of ``n`` items can be taken.

    Raises:
        BadRequest: they cannot.
    """
    if not 1 <= k <= n:
        raise BadRequest(
            f"K = {k} is out of range for a pool of {n:,}.", f"Allowed are 1 to {n:,}."
        )
