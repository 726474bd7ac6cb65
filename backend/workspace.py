"""The project file: models and data, the open view, selections and notes as one JSON to be shared.

``{"schema": "loupe.project", "version": 1, "data", "models", "link", "selections", "notes"}``: the
first two as in ``loupe.toml``. Equal workspaces give equal text, a line for each fact.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Engine

from backend import documents, selections
from backend.errors import BadRequest
from backend.pins import PinStore
from backend.pins import checked as checked_pins
from backend.registry import project, store
from backend.selections import Kept, Selection

SCHEMA: Final = "loupe.project"
VERSION: Final = 1
PARTS: Final = ("data", "models", "link", "selections", "notes")
MOST_BYTES: Final = 100_000_000


@dataclass(frozen=True, slots=True)
class Project:
    """A file that was read.

    Attributes:
        data, models: entries by name as in ``loupe.toml``.
        link: path and query of the view it was saved at; "" none.
        notes: pins as a pinboard file holds them.
    """

    data: Mapping[str, Mapping[str, Any]]
    models: Mapping[str, Mapping[str, Any]]
    link: str
    selections: Sequence[Selection]
    notes: Sequence[Mapping[str, Any]]

    def missing(self) -> list[str]:
        """Names of data and models that are not registered here."""
        here: dict[str, Collection[str]] = {"data": store.sets(), "models": store.models()}
        return [
            f"{part} {name}"
            for part, held in here.items()
            for name in getattr(self, part)
            if name not in held
        ]


def exported(engine: Engine, kept: Kept, relative_to: Path | None = None) -> dict[str, Any]:
    """Everything of this workspace, with paths from a folder."""
    held = [kept.current] if kept.current.ids else []
    return {
        "schema": SCHEMA,
        "version": VERSION,
        **project.entries(relative_to),
        "link": kept.current.link,
        "selections": [one.to_json() for one in (*held, *kept.shelf)],
        "notes": PinStore(engine).exported()["pins"],
    }


def written(told: Mapping[str, Any]) -> bytes:
    """The file's text."""
    return json.dumps(told, indent=1, sort_keys=True, ensure_ascii=False).encode() + b"\n"


def read(data: bytes) -> Project:
    """A project file.

    Raises:
        BadRequest: it is not JSON of this schema and version, or a part of it is not usable.
    """
    if len(data) > MOST_BYTES:
        raise BadRequest(f"The file has {len(data) / 1e6:.0f} MB.", "Allowed are 100 MB.")
    told = documents.read(data, SCHEMA, VERSION, "project")
    unknown = sorted(told.keys() - {"schema", "version", *PARTS})
    if unknown:
        raise BadRequest(f"The project has a part {unknown[0][:40]!r}.", f"Known: {PARTS}.")
    entries = project.checked(told)
    link = selections.from_json({"link": told.get("link", "")}).link
    notes = checked_pins(told.get("notes", []))
    held = selections.listed(told.get("selections", []))
    return Project(entries["data"], entries["models"], link, held, notes)


def restore_notes(engine: Engine, found: Project) -> int:
    """Pins the notes that are not on the board yet; how many. Raises BadRequest."""
    board = PinStore(engine)
    here = {(pin.url, pin.sentence, pin.pinned_at) for pin in board.all()}
    new = [
        note
        for note in found.notes
        if (note["url"], str(note["sentence"]).strip(), float(note["pinned_at"])) not in here
    ]
    return board.take_in(new)


def restore(
    engine: Engine, state_dir: Path, found: Project, folder: Path, tell: Callable[[str], None]
) -> list[str]:
    """Registers its data and models, pins its notes, and keeps its selections for the browser.

    Returns:
        A sentence for each entry that could not be registered; the others are.
    """
    failed = project.register({"data": found.data, "models": found.models}, folder, tell)
    tell(f"{restore_notes(engine, found)} notes")
    named = tuple(one for one in found.selections if one.name)
    current = next((one for one in found.selections if not one.name), Selection())
    merged = Selection(current.items, current.ids, found.link)
    selections.SelectionStore(state_dir).put(merged, named)
    tell(f"{len(named)} selections")
    return failed
