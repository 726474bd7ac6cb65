"""What transforms of texts share: one way in, one way out, one loop over texts and elements."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backend.errors import BadRequest
from backend.nero.orbits.base import Domain, Orbit, checked_all
from backend.nero.orbits.choices import Choices
from backend.protocols import I64

Texts = NDArray[np.str_]
WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
"""A word of letters of any script, with apostrophes inside."""


@dataclass(frozen=True, slots=True)
class TextChoices(Choices):
    """Named elements that act on texts."""

    @property
    def domain(self) -> Domain:
        """Sentences."""
        return "text"


def texts(inputs: Any) -> list[str]:
    """A batch of texts as a list.

    Raises:
        BadRequest: it holds something else than texts.
    """
    found = list(inputs) if not isinstance(inputs, str) else None
    if found is None or not all(isinstance(text, str) for text in found):
        raise BadRequest("These are no texts.", "Give a list of sentences.")
    return [str(text) for text in found]


def moved(
    orbit: Orbit, inputs: Any, elements: I64, move: Callable[[str, int], str], out: Any = None
) -> Texts:
    """Every text under some elements, ``(b, m)``; the identity copies.

    Raises:
        BadRequest: there are other things than texts, or an element is not on the orbit.
    """
    found, chosen = texts(inputs), checked_all(elements, orbit.size).tolist()
    rows = [
        [text if g == orbit.identity_index else move(text, g) for g in chosen] for text in found
    ]
    made: Texts = np.array(rows, np.str_).reshape(len(found), len(chosen))
    if out is None:
        return made
    out[:] = made
    given: Texts = out
    return given
