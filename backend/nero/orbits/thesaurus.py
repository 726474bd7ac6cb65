"""The bundled list of synonyms: pairs of words, so that replacing twice puts the words back."""

from __future__ import annotations

import csv
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from backend.errors import BackendError
from backend.nero.orbits.strings import WORD

FILE = Path(__file__).resolve().parents[3] / "data" / "texts" / "synonyms.csv"


def listed(text: str) -> int:
    """How many words of a text are on the list."""
    return sum(word.lower() in pairs() for word in WORD.findall(text))


def replaced(text: str, most: int) -> str:
    """A text with its first ``most`` listed words replaced, in the case they were written in."""
    left = most

    def swap(word: Any) -> str:
        nonlocal left
        other = pairs().get(word[0].lower())
        if other is None or left == 0:
            return str(word[0])
        left -= 1
        return other.upper() if word[0].isupper() and len(other) > 1 else _as(word[0], other)

    return WORD.sub(swap, text)


def _as(written: str, other: str) -> str:
    return other.capitalize() if written[0].isupper() else other


@cache
def pairs() -> MappingProxyType[str, str]:
    """Each listed word's other word, both ways.

    Raises:
        BackendError: the list is missing.
    """
    try:
        with FILE.open(encoding="utf-8", newline="") as file:
            rows = [(row["word"], row["other"]) for row in csv.DictReader(file)]
    except (OSError, KeyError) as error:
        raise BackendError("The list of synonyms is missing.", "Restore data/texts.") from error
    return MappingProxyType({a: b for one, two in rows for a, b in ((one, two), (two, one))})
