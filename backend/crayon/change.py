"""What a correction changed, item by item of the test split. No torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from backend.crayon.sets import GuidedSet
from backend.errors import BadRequest

Held = Mapping[str, NDArray[Any]]
ORDERS: Final = ("probability", "energy", "class")
FLIPS: Final = ("all", "lost", "won", "kept")


def flips(held: GuidedSet, run: Held) -> NDArray[np.int64]:
    """``(t,)``: -1 right before and wrong after, 1 the other way round, 0 as before."""
    y = held.labels[np.asarray(run["rows"])]
    before, after = np.asarray(run["pred_before"]) == y, np.asarray(run["pred_after"]) == y
    told: NDArray[np.int64] = after.astype(np.int64) - before.astype(np.int64)
    return told


def counts(held: GuidedSet, run: Held) -> dict[str, int]:
    """How many test items were lost, won and kept, and all of them."""
    told = flips(held, run)
    return {
        "all": len(told),
        "lost": int((told < 0).sum()),
        "won": int((told > 0).sum()),
        "kept": int((told == 0).sum()),
    }


def difference(run: Held, name: str) -> NDArray[np.float64]:
    """After minus before of an array ``(t,)``; NaN where one is not known or not stored."""
    if f"{name}_before" not in run:
        return np.full(len(run["rows"]), np.nan)
    after, before = (np.asarray(run[f"{name}_{side}"], np.float64) for side in ("after", "before"))
    return np.asarray(after - before)


def ordered(held: GuidedSet, run: Held, order: str, flip: str = "all") -> NDArray[np.int64]:
    """Places in the test split, those that got worse most first, unknown changes last.

    Args:
        order: probability (of the true class), energy (on the object), or class (answers that
            became wrong, then those that became right, then the others).
        flip: all, or only lost, won or kept.

    Raises:
        BadRequest: an order or a choice is not known.
    """
    if order not in ORDERS or flip not in FLIPS:
        raise BadRequest(
            f"change={order[:40]!r}, flip={flip[:40]!r} is not known.",
            f"Orders are {', '.join(ORDERS)}; choices are {', '.join(FLIPS)}.",
        )
    told = flips(held, run)
    change = difference(run, "energy" if order == "energy" else "truth")
    if order == "class":
        rank = np.select([told < 0, told > 0], [0, 1], 2)
        place = np.lexsort((change, rank))
    else:
        place = np.argsort(change, kind="stable")  # NaN is last
    if flip != "all":
        wanted = {"lost": -1, "won": 1, "kept": 0}[flip]
        place = place[told[place] == wanted]
    chosen: NDArray[np.int64] = place
    return chosen
