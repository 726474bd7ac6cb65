"""The words of a text in another order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from backend.errors import BadRequest
from backend.nero.orbits.base import checked, outside
from backend.nero.orbits.choices import numbers
from backend.nero.orbits.strings import TextChoices, Texts, moved
from backend.nero.orbits.word_moves import LEVELS, Move, name, order
from backend.protocols import I64


@dataclass(frozen=True, slots=True)
class WordOrders(TextChoices):
    """Orders of the words between blanks: reversed, turned around, and a few swaps at random.

    The swaps depend on the seed and the number of words alone. Turns add up and the reversal and
    single swaps undo themselves; the list as a whole is not closed.

    Attributes:
        moves: (size - 1,) what each element but the first does.
    """

    moves: tuple[Move, ...]

    def inverse(self, i: int) -> int:
        """The turn back; a reversal or a single swap once more.

        Raises:
            BadRequest: several swaps are undone in the opposite order, which is not listed.
        """
        if checked(i, self.size) == 0:
            return 0
        kind, k, _ = self.moves[i - 1]
        if kind == "turn":
            return 1 + self.moves.index(("turn", -k, 0))
        return i if k == 1 else outside(self.name, f"the opposite of {self.labels[i]}")

    def compose(self, i: int, j: int) -> int:
        """The sum of two turns; whatever undoes itself, twice."""
        i, j = checked(i, self.size), checked(j, self.size)
        if 0 in (i, j):
            return i + j
        (kind, k, _), (first, n, _) = self.moves[i - 1], self.moves[j - 1]
        if i == j and kind != "turn" and k == 1:
            return 0
        both = ("turn", k + n, 0)
        if kind == first == "turn" and (k + n == 0 or both in self.moves):
            return 1 + self.moves.index(both) if k + n else 0
        outside(self.name, f"{self.labels[j]} followed by {self.labels[i]}")

    def act(self, inputs: Any, elements: I64, out: Any = None) -> Texts:
        """Reordered texts ``(b, m)``; blanks between words become single."""
        return moved(self, inputs, elements, self._reorder, out)

    def _reorder(self, text: str, element: int) -> str:
        words = text.split()
        return " ".join(words[k] for k in order(len(words), *self.moves[element - 1]))


def word_orders(size: int = 11) -> WordOrders:
    """As written, reversed, turned by up to 3 words either way, and swaps of 2 words at random.

    Raises:
        BadRequest: there is no list of this size.
    """
    if str(size) not in LEVELS:
        raise BadRequest(f"There is no list of {size!r} word orders.", "There are 11 and 20.")
    moves = LEVELS[str(size)]
    names = ("as written", *(name(*move) for move in moves))
    return WordOrders(
        f"words-{size}", "word orders", "word order", "", numbers(names), 0.0, names, moves
    )
