"""What queries about drawn people are compared with to guess a group; needs no torch."""

from __future__ import annotations

from typing import Final

WORDS: Final = {
    "gender": ("man", "woman"),
    "tone": ("person with light skin", "person with dark skin"),
}
"""Texts of the groups +1 and -1 of each attribute (zero-shot words)."""
PREFIXES: Final = {"gender": ("male", "female"), "tone": ("light-skinned", "dark-skinned")}
"""Put before a query for its zero-shot prompts, as in section C.4.4."""


def prompts_of(query: str) -> list[str]:
    """The query behind each prefix: +1 and -1 of the gender, then of the tone."""
    return [f"{prefix} {query}" for pair in PREFIXES.values() for prefix in pair]
