"""What the classes of a folder of boxes are called: ``names:`` in its .yaml, as tools write it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from backend.errors import BadRequest

COMMENT: Final = re.compile(r"(?:^|\s)#.*")
ENTRY: Final = re.compile(r"""(?:(\d+)\s*:)?\s*("[^"]*"|'[^']*'|[^,]+)(?:,|\Z)\s*""")
CLOSING: Final = {"[": "]", "{": "}"}


def read_names(folder: Path) -> dict[int, str]:
    """Class names by number, in that order, from the first .yaml file that has them.

    Raises:
        BadRequest: there is none, or a class has no name.
    """
    for path in sorted(folder.rglob("*.yaml")):
        names = names_in(path.read_text(encoding="utf-8", errors="replace"))
        for number, name in names.items():
            if not name:
                raise BadRequest(f"Class {number} in {path.name} has no name.", "Name all of them.")
        if names:
            return dict(sorted(names.items()))
    raise BadRequest(
        f"No .yaml file in {folder.name} says what the classes are called.",
        'Needed is "names:" and below it one "number: name" a line.',
    )


def names_in(text: str) -> dict[int, str]:
    """Class names by number; none where nothing is called ``names``.

    Read are a line ``0: name`` or ``- name`` for each class, ``[name, name]`` and ``{0: name}``,
    which are what tools that train detectors write.
    """
    lines = [COMMENT.sub("", line).strip() for line in text.splitlines()]
    at = next((i for i, line in enumerate(lines) if line.startswith("names:")), None)
    if at is None:
        return {}
    first, below = lines[at].removeprefix("names:").strip(), lines[at + 1 :]
    entries: Iterable[tuple[str, str]] = _lines(below)
    if first[:1] in CLOSING:
        inside = " ".join([first[1:], *below]).partition(CLOSING[first[0]])[0]
        entries = ENTRY.findall(inside.strip())
    return {
        int(number) if number else place: name.strip().strip("'\"").strip()
        for place, (number, name) in enumerate(entries)
    }


def _lines(lines: list[str]) -> Iterator[tuple[str, str]]:
    """Number, perhaps empty, and name of each line until one that is neither."""
    for line in lines:
        number, colon, name = line.partition(":")
        if line.startswith("-"):
            yield "", line[1:]
        elif colon and number.strip().isdecimal():
            yield number, name
        elif line:
            return
