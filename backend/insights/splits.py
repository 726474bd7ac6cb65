"""Which contents are trained on: 50 : 10 : 40 by experiment (B.2), held-out domains apart.

Experiments that show the same content belong together, so the same content is never in two splits.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from backend.insights.contents import SPLITS
from backend.protocols import I64

SHARES: Final = (0.5, 0.1, 0.4)
TRAINING, VALIDATION, TEST, OUTSIDE = range(len(SPLITS))


def by_experiment(
    experiment: I64,
    domain: I64,
    held_out: frozenset[int] = frozenset(),
    identity: Sequence[str] | None = None,
    seed: int = 0,
) -> I64:
    """The split of each content, ``(n,)`` int64, an index into SPLITS.

    Held-out domains count towards the 40 % of the test, as far as they fit into it. Within a domain
    whole experiments are drawn, so that each domain is divided like the others.

    Args:
        experiment, domain: ``(n,)`` numbers.
        identity: what makes a content the same as another one; contents of equal identity, and so
            their experiments, are drawn together. Empty ones are like no other.
    """
    split = np.full(len(experiment), OUTSIDE, np.int64)
    if not len(experiment):
        return split
    group = _together(experiment, identity)
    outside = np.isin(domain, sorted(held_out))
    outside |= np.isin(group, np.unique(group[outside]))
    inside = 1 - outside.mean()
    train, validation = SHARES[0], SHARES[1]
    scale = 1 / max(inside, train + validation)
    rng = np.random.default_rng(seed)
    home = np.full(group.max() + 1, -1, np.int64)  # the domain of a group is that of its first row
    home[group[::-1]] = domain[::-1]
    for place in np.unique(domain[~outside]):
        groups = np.flatnonzero(home == place)
        groups = groups[np.isin(groups, group[~outside])]
        groups = rng.permutation(groups)
        counts = np.bincount(group, minlength=len(home))[groups]
        before = (np.cumsum(counts) - counts / 2) / counts.sum()
        marks = np.searchsorted([train * scale, (train + validation) * scale], before, "right")
        for number, mark in zip(groups, marks, strict=True):
            split[group == number] = mark
    return split


def _together(experiment: I64, identity: Sequence[str] | None) -> I64:
    """The number of each row's group: experiments that share a content are one."""
    parent = np.arange(int(experiment.max()) + 1)

    def root(number: int) -> int:
        while parent[number] != number:
            parent[number] = parent[parent[number]]
            number = int(parent[number])
        return number

    seen: dict[str, int] = {}
    for row, name in enumerate(identity or ()):
        if name:
            first = seen.setdefault(name, int(experiment[row]))
            parent[root(int(experiment[row]))] = root(first)
    roots = np.array([root(number) for number in range(len(parent))], np.int64)
    return np.asarray(roots[experiment], np.int64)
