"""Small and capital letters."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from backend.nero.orbits.base import checked, outside
from backend.nero.orbits.choices import numbers
from backend.nero.orbits.strings import WORD, TextChoices, Texts, moved
from backend.protocols import I64

NAMES = ("as written", "lower case", "UPPER CASE", "Title Case", "Sentence case", "sWAPPED cASE")
LOWER, UPPER, SWAPPED = 1, 2, 5


def _title(text: str) -> str:
    return WORD.sub(lambda word: word[0].capitalize(), text)


def _sentence(text: str) -> str:
    return WORD.sub(lambda word: word[0].capitalize(), text.lower(), count=1)


ACTS: tuple[Callable[[str], str], ...] = (
    str,
    str.lower,
    str.upper,
    _title,
    _sentence,
    str.swapcase,
)


@dataclass(frozen=True, slots=True)
class Cases(TextChoices):
    """Ways of writing the same letters.

    A semigroup but for the swap: the last of two fixed cases wins, and nothing brings back how it
    was written. The swap undoes itself. Laws hold for letters with one capital each (not ß).
    """

    def inverse(self, i: int) -> int:
        """The swap undoes itself; the others are for good.

        Raises:
            BadRequest: how the text was written is lost.
        """
        return i if checked(i, self.size) == SWAPPED else TextChoices.inverse(self, i)

    def compose(self, i: int, j: int) -> int:
        """The last fixed case wins; swapping turns lower into upper and itself into nothing."""
        i, j = checked(i, self.size), checked(j, self.size)
        if i == SWAPPED and j:
            after = {LOWER: UPPER, UPPER: LOWER, SWAPPED: 0}
            return after[j] if j in after else outside(self.name, f"{NAMES[j]}, then swapped,")
        return i or j

    def act(self, inputs: Any, elements: I64, out: Any = None) -> Texts:
        """Texts ``(b, m)`` in other cases."""
        return moved(self, inputs, elements, lambda text, element: ACTS[element](text), out)


def cases() -> Cases:
    """As written, lower, upper, title, sentence and swapped case."""
    return Cases("case-6", "letter cases", "case", "", numbers(NAMES), 0.0, NAMES)
