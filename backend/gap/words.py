"""Which words tell two selections of captions apart.

Log-odds ratio with an informative Dirichlet prior (Monroe, Colaresi and Quinn 2008, "Fightin'
Words"): the prior is the words of both selections, so that rare words need more evidence.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import log, sqrt
from typing import Final

from backend.errors import BadRequest

WORD: Final = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")


@dataclass(frozen=True, slots=True)
class Distinct:
    """A word with its counts in both selections; ``z`` above 0 speaks for the first, below 0 for
    the second, and beyond ±1.96 it is hardly chance."""

    word: str
    first: int
    second: int
    z: float


def distinctive(
    first: Sequence[str], second: Sequence[str], most: int = 20, strength: float = 10.0
) -> list[Distinct]:
    """The words that speak most clearly for one of two selections, clearest first.

    Args:
        first, second: captions of both.
        most: how many words.
        strength: weight of the prior, in words.

    Raises:
        BadRequest: a selection has no words, or a number is out of range.
    """
    if most < 1 or strength <= 0:
        raise BadRequest(f"{most} words with a prior of {strength:g} cannot be found.")
    counts = [Counter(w for text in side for w in words_of(text)) for side in (first, second)]
    for name, count in zip(("first", "second"), counts, strict=True):
        if not count:
            raise BadRequest(f"The {name} selection has no words.", "Select items with captions.")
    both = counts[0] + counts[1]
    total, totals = sum(both.values()), [sum(count.values()) for count in counts]
    found = []
    for word, occurs in both.items():
        prior = strength * occurs / total
        odds = [
            log((count[word] + prior) / (whole + strength - count[word] - prior))
            if len(both) > 1
            else 0.0
            for count, whole in zip(counts, totals, strict=True)
        ]
        error = sqrt(sum(1 / (count[word] + prior) for count in counts))
        z = (odds[0] - odds[1]) / error
        found.append(Distinct(word, counts[0][word], counts[1][word], z))
    return sorted(found, key=lambda one: (-abs(one.z), one.word))[:most]


def words_of(text: str) -> list[str]:
    """The words of a text, in lower case."""
    return [word.lower() for word in WORD.findall(text)]
