"""View state: typed values of a page that live in its controls and in the URL.

A control that belongs to the state has the id :func:`control` and the property ``value``. One
clientside callback per page (:func:`register_page_state`) gathers the values into the page's store,
writes the URL and remembers a step for undo (``assets/20-state.js``). A page reads the query with
:func:`read`, which never fails: what cannot be used becomes a sentence for the user.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from dash import ALL, ClientsideFunction, Input, Output, State, clientside_callback, dcc, html

from backend.errors import BackendError, BadRequest
from backend.protocols import JSON
from components.selection import SELECTION, announce

__all__ = [
    "SELECTION",
    "Choice",
    "Field",
    "Flag",
    "Ids",
    "Many",
    "Number",
    "Schema",
    "Text",
    "Values",
    "Whole",
    "announce",
    "check",
    "control",
    "defaults",
    "hidden",
    "read",
    "register_page_state",
    "stores",
    "unfolded",
    "view_state",
]

SELECTION_KEY: Final = "sel"
LINK_KEY: Final = "link"
EMPTY: Final = "-"  # an empty text or list in a URL: Dash drops keys without a value
MOST_SENTENCES: Final = 5
_SHOWN_CHARS: Final = 40  # of a bad value in a sentence


class Field(Protocol):
    """One key of a page's state: its default, and how text from a URL becomes a value."""

    @property
    def default(self) -> JSON: ...

    def parse(self, text: str) -> JSON:
        """The value of ``text``.

        Raises:
            ValueError: not usable; the message says what is allowed ("a number from 0 to 360").
        """
        ...


@dataclass(frozen=True, slots=True)
class Choice:
    """One of a few texts."""

    default: str
    allowed: Sequence[str]

    def parse(self, text: str) -> str:
        if text not in self.allowed:
            raise ValueError(f"one of {', '.join(self.allowed)}")
        return text


@dataclass(frozen=True, slots=True)
class Many:
    """Some of a few texts, in the user's order, written with commas."""

    default: Sequence[str]
    allowed: Sequence[str]
    least: int = 0
    most: int = 20

    def parse(self, text: str) -> list[str]:
        parts = list(dict.fromkeys(part for part in text.split(",") if part))
        known = all(part in self.allowed for part in parts)
        if not known or not self.least <= len(parts) <= self.most:
            raise ValueError(f"{self.least} to {self.most} of {', '.join(self.allowed)}")
        return parts


@dataclass(frozen=True, slots=True)
class Number:
    """A finite number within bounds, both included."""

    default: float
    low: float
    high: float

    def parse(self, text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not self.low <= value <= self.high:  # not-a-number fails every comparison
            raise ValueError(f"a number from {self.low:g} to {self.high:g}")
        return value


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole number within bounds, both included."""

    default: int
    low: int
    high: int

    def parse(self, text: str) -> int:
        digits = text.removeprefix("-")
        usable = digits.isascii() and digits.isdigit() and len(digits) <= 18
        value = int(text) if usable else self.low - 1
        if not self.low <= value <= self.high:
            raise ValueError(f"a whole number from {self.low} to {self.high}")
        return value


@dataclass(frozen=True, slots=True)
class Text:
    """Free text up to a length, printable characters only."""

    default: str = ""
    max_len: int = 200

    def parse(self, text: str) -> str:
        if len(text) > self.max_len or not text.isprintable():
            raise ValueError(f"a text of at most {self.max_len} characters")
        return text


@dataclass(frozen=True, slots=True)
class Flag:
    """On or off, written as 1 or 0."""

    default: bool = False

    def parse(self, text: str) -> bool:
        if text not in ("0", "1"):
            raise ValueError("1 or 0")
        return text == "1"


@dataclass(frozen=True, slots=True)
class Ids:
    """Item ids, whole numbers >= 0 written with commas."""

    default: Sequence[int] = field(default_factory=tuple)
    most: int = 5000

    def parse(self, text: str) -> list[int]:
        parts = [part for part in text.split(",") if part]
        usable = all(part.isascii() and part.isdigit() and len(part) <= 15 for part in parts)
        if not usable or len(parts) > self.most:
            raise ValueError(f"at most {self.most} whole numbers with commas between them")
        return list(dict.fromkeys(int(part) for part in parts))


Schema = Mapping[str, Field]
Values = dict[str, JSON]
Query = Mapping[str, str | Sequence[str] | None]


def defaults(schema: Schema) -> Values:
    """The state of a page that was opened without a query."""
    return {key: _plain(row.default) for key, row in schema.items()}


def read(query: Query, schema: Schema) -> tuple[Values, list[str]]:
    """Values of a page's query, and one sentence for each part that cannot be used.

    ``query`` is what Dash hands to ``layout(**query)``. A ``link`` in it names a state that was too
    long for a URL; keys beside it win over the stored ones. Never raises for what a user typed.
    """
    given, sentences = unfolded(query)
    values = defaults(schema)
    for key, text in given.items():
        if key == SELECTION_KEY:  # read in the browser: assets/21-selection.js
            continue
        if key not in schema:
            sentences.append(f"“{_short(key)}” is not a setting of this page; it is ignored.")
            continue
        try:
            values[key] = _plain(schema[key].parse("" if text == EMPTY else text))
        except ValueError as allowed:
            instead = _written(values[key]) or "nothing"
            sentences.append(f"{key}={_short(text)} is not {allowed}; {instead} is shown.")
    if len(sentences) > MOST_SENTENCES:
        more = len(sentences) - MOST_SENTENCES + 1
        sentences[MOST_SENTENCES - 1 :] = [f"{more} more parts of the address cannot be used."]
    return values, sentences


def check(given: Mapping[str, object], schema: Schema) -> None:
    """Values that a callback got from the browser, which anyone may have written.

    Raises:
        BadRequest: a value is not what the schema allows; says which, and what is.
    """
    for key, value in given.items():
        text = ",".join(map(str, value)) if isinstance(value, list) else value
        try:
            if not isinstance(text, str):
                raise ValueError("a text")
            schema[key].parse(text)
        except ValueError as allowed:
            raise BadRequest(f"{key}={_short(str(value))} is not {allowed}.") from allowed


def unfolded(query: Query) -> tuple[dict[str, str], list[str]]:
    """The texts of a query, those of its link among them, and what is wrong with the link.

    A page whose schema depends on one of its keys looks that key up here, before :func:`read`.
    """
    # Dash hands over a list where a key is written twice: the last one counts.
    given = {
        key: text if isinstance(text, str) else text[-1]
        for key, text in query.items()
        if text is not None
    }
    if LINK_KEY not in given:
        return given, []
    stored, sentences = _linked(given.pop(LINK_KEY))
    return {**stored, **given}, sentences


def _linked(link: str) -> tuple[dict[str, str], list[str]]:
    from components.runtime import services  # here: the schema alone needs no services

    try:
        query = json.loads(services().links.get(link).state)
    except (BackendError, ValueError, RecursionError):
        return {}, [f"The link “{_short(link)}” is not known here; the defaults are shown."]
    return {str(key): _written(value) for key, value in query.items()}, []


def _plain(value: JSON) -> JSON:
    """Tuples as lists, so that values compare equal after a trip through JSON."""
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(part) for part in value]
    return value


def _written(value: JSON) -> str:
    """A value as it stands in a URL; the counterpart in JavaScript is ``encode``."""
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ",".join(_written(part) for part in value)
    return "" if value is None else str(value)


def _short(text: str) -> str:
    shown = "".join(char if char.isprintable() else "·" for char in text)
    return shown if len(shown) <= _SHOWN_CHARS else shown[: _SHOWN_CHARS - 1] + "…"


def control(page: str, key: str) -> dict[str, str]:
    """Id of the control that holds ``key`` of a page's state in its property ``value``."""
    return {"type": "control", "page": page, "key": key}


def view_state(page: str) -> dict[str, str]:
    """Id of the store with all values of a page: ``{key: value}``. Server callbacks read this."""
    return {"type": "view-state", "page": page}


def hidden(page: str, key: str, value: JSON) -> html.Data:
    """A value of the state without a visible control, such as the chosen item."""
    return html.Data(id=control(page, key), value=value, hidden=True)  # type: ignore[arg-type]


def stores(page: str, schema: Schema, notices: Sequence[str] = ()) -> html.Div:
    """What a page with state puts into its layout once: its store, its defaults, its complaints."""
    meta = {"page": page, "defaults": defaults(schema), "notices": list(notices)}
    return html.Div(
        [
            dcc.Store(id=view_state(page)),
            dcc.Store(id={"type": "state-meta", "page": page}, data=meta),
        ],
        hidden=True,
    )


def register_page_state(page: str) -> None:
    """Gather the page's controls into its store. Call it once at module level of the page."""
    clientside_callback(
        ClientsideFunction("loupe_state", "gather"),
        Output(view_state(page), "data"),
        Input({"type": "control", "page": page, "key": ALL}, "value"),
        Input({"type": "state-meta", "page": page}, "data"),  # mount signal
        State({"type": "control", "page": page, "key": ALL}, "id"),
    )
