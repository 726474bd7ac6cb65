"""What a link to the grid of a registered set's images can say."""

from __future__ import annotations

from typing import Final

from backend.registry import duplicates, sets, store, views
from backend.registry.data_spec import PICTURES
from backend.registry.items import key_of
from backend.registry.store import OwnSet
from components.state import Choice, Schema, Text, Whole

PAGE: Final = "images"
WRONG: Final = 128  # set by the browser where imported predictions differ from the labels
SELECTED: Final = 64  # told by the browser, which holds the selection
MARKS: Final = {
    "": ("All", 0),
    "double": ("Doubles", duplicates.EQUAL | duplicates.CLOSE),
    "leak": ("In two splits", duplicates.LEAK),
    "conflict": ("Equal, of two labels", duplicates.CONFLICT),
    "wrong": ("Answered wrongly", WRONG),
    "selected": ("Selected", SELECTED),
}
"""Title of each choice, and the bits of which one must be set."""
MOST_ROWS: Final = 2_000_000


def schema() -> Schema:
    """Every key of the state.

    ``label`` is a place among the classes, -1 unknown, -2 all; ``with`` the key of imported
    numbers, ``by`` one of their columns.
    """
    return {
        "set": Text("", 40),
        "label": Whole(-2, -2, 30_000),
        "marks": Choice("", list(MARKS)),
        "row": Whole(-1, -1, MOST_ROWS),
        "with": Text("", 40),
        "by": Text("", 60),
    }


def shown() -> dict[str, OwnSet]:
    """The registered sets in which there is something to be seen, the newest last."""
    return {name: held for name, held in store.listed().sets.items() if held.summary["largest"][0]}


def items_of(held: OwnSet) -> str:
    """The key under which views know the rows of a set, so that a selection follows there."""
    kind = sets.KINDS.get(held.spec.kind)
    if kind is not None:
        return f"{held.spec.name}--{kind.suffix}" if kind.suffix else held.spec.name
    sizes = views.sizes_of(held) if held.spec.kind in PICTURES else []
    return key_of(held.spec.name, sizes[0]) if sizes else held.spec.name
