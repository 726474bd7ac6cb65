"""Post-hoc bias mitigation: which K of a scored pool are returned (section C.4).

At every step the best of both groups are taken together, or the best item without a group if it
scores at least as high as the pair's mean. Boundaries that the source leaves open: with one place
left and a pair due, one of the two is drawn; where a group has run out, items without a group
follow, then whatever is left, by score; equal scores go by index.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from backend.errors import BadRequest
from backend.fair.groups import F64, I8, check_k, groups_of, scores_of
from backend.protocols import I64

NONE: Final = float("-inf")


@dataclass(frozen=True, slots=True)
class Step:
    """One decision.

    Attributes:
        taken: indices, one or two.
        pair_score: mean score of the best of both groups; None where there was no pair.
        other_score: score of the best item without a group; None where there was none.
        is_fair: whether the balanced rule decided, rather than the plain one (see ``p``).
    """

    taken: tuple[int, ...]
    pair_score: float | None
    other_score: float | None
    is_fair: bool


@dataclass(frozen=True, slots=True)
class Selection:
    """What :func:`select` returns.

    Attributes:
        indices: (k,) in the order of selection; of a pair the higher score first.
        steps: the decisions, in order.
        missing: the group that ran out before K were taken, or 0.
    """

    indices: I64
    steps: tuple[Step, ...]
    missing: int

    @property
    def note(self) -> str:
        """A sentence if the result could not be balanced for lack of items, else empty."""
        if not self.missing:
            return ""
        return (
            f"The pool has too few items of group {self.missing:+d} for a balanced result of "
            f"{len(self.indices)}."
        )


def top_k(scores: ArrayLike, k: int) -> I64:
    """Indices (k,) of the highest scores, best first; equal ones by index.

    Raises:
        BadRequest: the scores are not usable, or k is not 1 to n.
    """
    values = scores_of(scores)
    check_k(k, len(values))
    return np.argsort(-values, kind="stable")[:k]


def pbm(scores: ArrayLike, groups: ArrayLike, k: int, seed: int = 0) -> I64:
    """Indices (k,) of a balanced result (PBM), in the order of selection.

    Args:
        scores: (n,) similarity to the query, any real number.
        groups: (n,) in {-1, 0, +1}, true or predicted; 0 is not applicable.
        k: how many, 1 to n.
        seed: of the draw where one place is left for a pair.

    Raises:
        BadRequest: an argument is not usable.
    """
    return select(scores, groups, k, seed=seed).indices


def select(
    scores: ArrayLike, groups: ArrayLike, k: int, p: float = 1.0, seed: int = 0
) -> Selection:
    """A balanced result with its decisions.

    Args:
        scores, groups, k, seed: as for :func:`pbm`.
        p: how likely each step follows the balanced rule; otherwise the best item left is taken
            (section C.4.3). 1 is PBM, 0 the plain top K.

    Raises:
        BadRequest: an argument is not usable.
    """
    values = scores_of(scores)
    signs = groups_of(groups, len(values))
    check_k(k, len(values))
    if not 0 <= p <= 1:
        raise BadRequest(f"p = {p:g} is not a probability.", "Allowed are 0 to 1.")
    if seed < 0:
        raise BadRequest(f"Seed {seed} is not usable.", "Allowed are whole numbers from 0.")
    pool = _Pool(values, signs, k)
    draw = np.random.default_rng(seed)
    taken: list[int] = []
    steps: list[Step] = []
    while len(taken) < k:
        is_fair = p >= 1 or (p > 0 and draw.random() < p)
        step = pool.fair() if is_fair else pool.plain()
        if len(taken) + len(step.taken) > k:
            one = step.taken[int(draw.integers(2))]
            step = Step((one,), step.pair_score, step.other_score, True)
        pool.remove(step.taken)
        taken += step.taken
        steps.append(step)
    return Selection(np.array(taken, np.int64), tuple(steps), pool.missing)


class _Pool:
    """The items left, by group, best first; of each group the first k, as no more can be taken."""

    def __init__(self, scores: F64, groups: I8, k: int) -> None:
        order = np.argsort(-scores, kind="stable")
        ranked = groups[order]
        self.queues = {sign: order[ranked == sign][:k].tolist() for sign in (1, -1, 0)}
        held = [item for queue in self.queues.values() for item in queue]
        self.scores = dict(zip(held, scores[held].tolist(), strict=True))
        self.group = dict(zip(held, groups[held].tolist(), strict=True))
        self.next = {1: 0, -1: 0, 0: 0}
        self.missing = 0

    def head(self, sign: int) -> int:
        """The best item left of a group, or -1."""
        queue, place = self.queues[sign], self.next[sign]
        return queue[place] if place < len(queue) else -1

    def plain(self) -> Step:
        """The best item left."""
        heads = [head for head in map(self.head, (1, -1, 0)) if head >= 0]
        best = min(heads, key=lambda item: (-self.scores[item], item))
        return Step((best,), None, None, False)

    def fair(self) -> Step:
        """A pair, or an item without a group."""
        plus, minus, other = self.head(1), self.head(-1), self.head(0)
        other_score = self.scores[other] if other >= 0 else None
        if plus >= 0 and minus >= 0:
            pair = (self.scores[plus] + self.scores[minus]) / 2
            if pair > (NONE if other_score is None else other_score):
                both = sorted((plus, minus), key=lambda item: (-self.scores[item], item))
                return Step(tuple(both), pair, other_score, True)
            return Step((other,), pair, other_score, True)
        if other >= 0:
            return Step((other,), None, other_score, True)
        self.missing = 1 if plus < 0 else -1
        return Step((plus if plus >= 0 else minus,), None, None, True)

    def remove(self, items: tuple[int, ...]) -> None:
        """Takes heads of the queues away."""
        for item in items:
            self.next[self.group[item]] += 1
