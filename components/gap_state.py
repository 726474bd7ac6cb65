"""What a link to the Modality gap page can say."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from backend.errors import BadRequest
from backend.gap.joint_map import FEWEST, MIN_DIST, NEIGHBOURS, SHOWN
from backend.gap.opening import PAIR
from backend.gap.requests import MOST_SEED
from backend.gap.spaces import DEFAULT, METHODS, MOST_PAIRS
from components.state import Choice, Field, Flag, Ids, Number, Schema, Text, Values, Whole, read

PAGE: Final = "modality-gap"
VIEWS: Final = {
    "find": "Retrieval",
    "words": "Words of two selections",
    "models": "Models compared",
}
MOST_SPACES: Final = 4
KEYS: Final = re.compile(r"[a-z0-9-]{1,80}(,[a-z0-9-]{1,80}){0,3}\Z")
KEY: Final = re.compile(r"[a-z0-9-]{0,80}\Z")
TOPS: Final = ("1", "5", "10")


def schema() -> Schema:
    """Every key of the state, in the order of the page."""
    shown: dict[str, Field] = {
        "spaces": Text(",".join(DEFAULT), 340),
        "focus": Text(DEFAULT[0], 80),
        "count": Whole(SHOWN, FEWEST, MOST_PAIRS),
        "seed": Whole(0, 0, MOST_SEED),
        "neighbours": Whole(NEIGHBOURS, 2, 200),
        "spread": Number(MIN_DIST, 0, 0.99),
        "lines": Flag(True),
        "scale": Flag(True),
    }
    asked: dict[str, Field] = {
        "pair": Whole(PAIR, -1, MOST_PAIRS),
        "maps": Choice("occlusion", list(METHODS)),
        "delta": Number(0, -10, 10),
        "top": Choice("1", TOPS),
        "view": Choice("find", list(VIEWS)),
        "text": Text("", 200),
        "a": Ids((), 2_000),
        "b": Ids((), 2_000),
    }
    return {**shown, **asked}


def opened(query: Mapping[str, str]) -> tuple[Values, list[str]]:
    """Values and complaints of a page's query; names of another form are dropped."""
    values, notices = read(query, schema())
    for key, form, allowed in (
        ("spaces", KEYS, f"one to {MOST_SPACES} names of spaces"),
        ("focus", KEY, "the name of a space"),
    ):
        if not form.match(str(values[key])):
            notices.append(f"{key}={str(values[key])[:40]} is not {allowed}; it is ignored.")
            values[key] = schema()[key].default
    return values, notices


def keys_of(text: object) -> list[str]:
    """The keys of the spaces that a state shows side by side, each once.

    Raises:
        BadRequest: there is none, there are too many, or one cannot be a key.
    """
    if not isinstance(text, str) or not KEYS.match(text):
        raise BadRequest(
            f"{str(text)[:60]!r} names no spaces.", f"Choose one to {MOST_SPACES} models."
        )
    return list(dict.fromkeys(text.split(",")))


def selection_of(given: object) -> list[int]:
    """Rows of a selection as a browser sent them.

    Raises:
        BadRequest: it is no list of whole numbers.
    """
    rows: list[Any] = given if isinstance(given, list) else [None]
    if len(rows) > MOST_PAIRS or not all(type(one) is int and one >= 0 for one in rows):
        raise BadRequest("A selection is a list of numbers of pairs.", "Lasso it again.")
    return sorted(set(rows))
