"""What is selected in the running app, and the named selections beside it, for scripts and files.

The browser owns the selection; it tells the server of each change, so that a notebook can ask and a
project file can hold it. One small JSON file in the state folder, an entry for each person.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from backend.errors import BadRequest
from backend.files import write_atomic

MOST_IDS: Final = 100_000
MOST_NAMED: Final = 200
ITEMS: Final = re.compile(r"[\w .:-]{0,120}\Z")  # such as digits, insights:campaigns, own 40 8
IDS: Final = re.compile(r"(\d{1,15}(,\d{1,15})*)?\Z")
LONGEST: Final = {"name": 60, "link": 8000}


@dataclass(frozen=True, slots=True)
class Selection:
    """Some items of a set.

    Attributes:
        items: the data set; ids: its stable item ids, ascending.
        link: path and query of the page that shows it; name: on the shelf, "" for the current one.
    """

    items: str = ""
    ids: tuple[int, ...] = ()
    link: str = ""
    name: str = ""

    def to_json(self) -> dict[str, Any]:
        """Ids as one text, so that a file of it can be compared line by line."""
        told = {"items": self.items, "ids": ",".join(map(str, self.ids))}
        return {**told, **{k: v for k in ("link", "name") if (v := getattr(self, k))}}


@dataclass(frozen=True, slots=True)
class Kept:
    """The current selection, and the shelf; when the browser told so, seconds since 1970."""

    current: Selection = field(default_factory=Selection)
    shelf: tuple[Selection, ...] = ()
    at: float = 0.0


def from_json(told: Any) -> Selection:
    """A selection as a browser or a file gives it; ids as a list or as a text with commas.

    Raises:
        BadRequest: it is none.
    """
    if not isinstance(told, Mapping):
        raise BadRequest("A selection is not an object.", "It has items and ids.")
    items, ids = told.get("items", ""), told.get("ids", "")
    if isinstance(ids, list):
        ids = ",".join(map(str, ids))
    if not isinstance(items, str) or not ITEMS.match(items):
        raise BadRequest(f"{str(items)[:60]!r} names no data set.")
    if not isinstance(ids, str) or not IDS.match(ids):
        raise BadRequest(f"The ids {str(ids)[:60]!r} are no whole numbers.", "Write 1,2,3.")
    numbers = sorted({int(part) for part in ids.split(",") if part})
    if len(numbers) > MOST_IDS:
        raise BadRequest(f"{len(numbers):,} items are selected.", f"{MOST_IDS:,} can be kept.")
    texts = {key: told.get(key, "") for key in LONGEST}
    for key, text in texts.items():
        if not isinstance(text, str) or len(text) > LONGEST[key]:
            raise BadRequest(f"The {key} of a selection is too long or no text.")
    link = texts["link"]
    if link and (not link.startswith("/") or link.startswith(("//", "/\\"))):
        raise BadRequest(f"{link[:80]!r} is not a page of this app.", "It starts with one /.")
    return Selection(items, tuple(numbers), link, texts["name"])


def listed(told: Any) -> tuple[Selection, ...]:
    """Named selections. Raises BadRequest."""
    if not isinstance(told, list) or len(told) > MOST_NAMED:
        raise BadRequest("The selections are no list, or too many.", f"At most {MOST_NAMED}.")
    return tuple(from_json(one) for one in told)


class SelectionStore:
    """Reads and writes the file. Safe for threads."""

    def __init__(self, state_dir: Path) -> None:
        self.path = state_dir / "selections.json"
        self._lock = threading.Lock()

    def get(self, person: str = "") -> Kept:
        """What a person has selected; nothing where nobody said so."""
        told = self._read().get(person)
        if told is None:
            return Kept()
        try:
            return Kept(from_json(told["current"]), listed(told["shelf"]), float(told["at"]))
        except (BadRequest, KeyError, TypeError, ValueError):
            return Kept()

    def put(self, current: Selection, shelf: tuple[Selection, ...], person: str = "") -> None:
        """Keeps it. Raises StorageFull."""
        entry = {
            "current": current.to_json(),
            "shelf": [one.to_json() for one in shelf],
            "at": time.time(),
        }
        with self._lock:
            data = json.dumps({**self._read(), person: entry}, ensure_ascii=False).encode()
            write_atomic(self.path, lambda out: out.write(data))

    def _read(self) -> dict[str, Any]:
        try:
            held: Any = json.loads(self.path.read_bytes())
        except (OSError, ValueError, RecursionError):
            return {}
        return held if isinstance(held, dict) else {}
