"""Which item an annotator is asked about next, and why."""

from __future__ import annotations

import zlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from backend.crayon.answers import Answer, Given
from backend.errors import BadRequest
from backend.protocols import I64

ORDERS: Final = {
    "random": "at random, the same order for everyone who shares the link's set",
    "disagreement": "items others have answered, those they disagree about first",
    "rarity": "items of rare groups first (needs group labels)",
    "effect": "items the model is least sure of first",
}


@dataclass(frozen=True, slots=True)
class Next:
    """An item to ask about: its row and a sentence that says why it is shown."""

    row: int
    why: str


def upcoming(
    rows: I64,
    answers: Sequence[Answer | Given],
    annotator: str,
    *,
    order: str = "random",
    count: int = 10,
    overlap: int = 2,
    exclude: frozenset[int] = frozenset(),
    groups: NDArray[Any] | None = None,
    confidence: NDArray[Any] | None = None,
) -> list[Next]:
    """The next items of an annotator.

    Each item goes to ``overlap`` annotators, blind: nothing about others' answers is told. Items
    the annotator has answered, or that are in ``exclude``, are left out.

    Args:
        rows: ``(n,)`` candidates; answers: those that stand, of everyone.
        groups, confidence: by row number of the set, for the orders that need them.

    Raises:
        BadRequest: the order is unknown or lacks what it needs, or a number is out of range.
    """
    _check(order, count, overlap, groups, confidence)
    by: dict[int, dict[str, str]] = defaultdict(dict)
    for answer in answers:
        by[answer.item_id][answer.annotator] = answer.answer
    size = 1 + max([*rows.tolist(), *by, *exclude], default=0)
    asked, is_over = np.zeros(size, np.int64), np.zeros(size, bool)
    is_over[list(exclude)] = True
    for row, given in by.items():
        asked[row] = len(given) - (annotator in given)
        is_over[row] |= annotator in given
    others = asked[rows]
    open_ = ~is_over[rows] & (others < overlap)
    seed = zlib.crc32(f"{len(rows)}".encode())
    chance = np.random.default_rng(seed).permutation(len(rows))
    rank = _ranks(order, rows, by, groups, confidence)
    # Items somebody has begun come first, so that verdicts are reached early.
    best = np.lexsort((chance, -others, rank))
    chosen = [i for i in best if open_[i]][:count]
    return [Next(int(rows[i]), _why(order, int(rows[i]), groups, confidence)) for i in chosen]


def _ranks(
    order: str,
    rows: I64,
    by: dict[int, dict[str, str]],
    groups: NDArray[Any] | None,
    confidence: NDArray[Any] | None,
) -> NDArray[Any]:
    if order == "disagreement":
        spread = [len({a for a in by[row].values() if a in ("yes", "no")}) for row in rows.tolist()]
        return -np.array(spread)
    if order == "rarity" and groups is not None:
        counts = np.bincount(groups[rows])
        return np.asarray(counts[groups[rows]])
    if order == "effect" and confidence is not None:
        return np.asarray(confidence[rows])
    return np.zeros(len(rows))


def _why(order: str, row: int, groups: NDArray[Any] | None, confidence: NDArray[Any] | None) -> str:
    if order == "effect" and confidence is not None:
        return f"The model gives the true class {100 * float(confidence[row]):.0f} %."
    told = {
        "random": "Drawn at random.",
        "disagreement": "Another opinion is needed here.",
        "rarity": "It belongs to a rare group.",
    }
    return told[order]


def _check(
    order: str,
    count: int,
    overlap: int,
    groups: NDArray[Any] | None,
    confidence: NDArray[Any] | None,
) -> None:
    if order not in ORDERS:
        raise BadRequest(f"There is no order {order[:40]!r}.", f"Orders are {', '.join(ORDERS)}.")
    if (order == "rarity" and groups is None) or (order == "effect" and confidence is None):
        raise BadRequest(f"The order {order} needs what this set has not.", "Choose random.")
    if not 1 <= count <= 50 or not 1 <= overlap <= 9:
        raise BadRequest(f"{count} items for {overlap} annotators cannot be given.", "1 to 50, 9.")
