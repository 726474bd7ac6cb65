"""Words replaced by words of the same meaning, from a bundled list."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backend.errors import BadRequest
from backend.nero.orbits.base import checked, outside
from backend.nero.orbits.choices import numbers
from backend.nero.orbits.strings import TextChoices, Texts, moved, texts
from backend.nero.orbits.thesaurus import listed, replaced
from backend.protocols import I64

ALL = 10_000  # more than a text has words


@dataclass(frozen=True, slots=True)
class Synonyms(TextChoices):
    """The first ``k`` listed words of a text replaced; words that are not listed stay.

    The list is of pairs, so that doing the same once more puts the words back.

    Attributes:
        counts: (size,) how many words each element replaces at most.
    """

    counts: tuple[int, ...]

    def inverse(self, i: int) -> int:
        """The same once more."""
        return checked(i, self.size)

    def compose(self, i: int, j: int) -> int:
        """Twice the same is nothing; others leave a gap, which is not listed."""
        i, j = checked(i, self.size), checked(j, self.size)
        if i == j or 0 in (i, j):
            return 0 if i == j else i + j
        outside(self.name, f"{self.labels[j]} followed by {self.labels[i]}")

    def act(self, inputs: Any, elements: I64, out: Any = None) -> Texts:
        """Texts ``(b, m)`` in other words."""
        return moved(self, inputs, elements, lambda t, i: replaced(t, self.counts[i]), out)

    def changed(self, inputs: Any) -> NDArray[np.int64]:
        """How many words each element replaces in each text, ``(b, size)``."""
        found = [listed(text) for text in texts(inputs)]
        return np.minimum(np.array(found, np.int64)[:, None], self.counts)


def synonyms(most: int = 4) -> Synonyms:
    """As written, up to 1, 2, ... ``most`` words replaced, and all of them.

    Raises:
        BadRequest: it is not a whole number from 1 to 12.
    """
    if type(most) is not int or not 1 <= most <= 12:
        raise BadRequest(
            f"{most!r} is not a number of words.", "Allowed are whole numbers 1 to 12."
        )
    names = ("as written", *(f"{k} word{'s' * (k > 1)} replaced" for k in range(1, most + 1)))
    names += ("all listed words replaced",)
    return Synonyms(
        f"synonyms-{most}",
        "synonyms",
        "replaced words",
        "",
        numbers(names),
        0.0,
        names,
        (*range(most + 1), ALL),
    )
