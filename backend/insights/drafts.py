"""Drafts of contents: what a marketer changed and keeps, every version of it.

Rows are only ever added, as with answers: saving adds a version, deleting adds a row that hides
the draft. A draft is what differs from the content it began with.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Final
from uuid import uuid4

from sqlalchemy import (
    Boolean,
    Column,
    Engine,
    Float,
    Integer,
    MetaData,
    Row,
    Select,
    String,
    Table,
    Text,
    UniqueConstraint,
    func,
    select,
)
from sqlalchemy.exc import IntegrityError

from backend.database import answering
from backend.errors import BadRequest, NotFound

ID: Final = re.compile(r"[0-9a-f]{32}\Z")
SET: Final = re.compile(r"[a-z0-9-]{1,80}\Z")
LONGEST_NAME, LONGEST_CONTENT = 80, 200
LONGEST_CHANGES: Final = 100_000  # characters of JSON
MOST: Final = 500
TRIES: Final = 5
UNREAD, UNWRITTEN = "The drafts cannot be read", "The draft was not stored"

TABLE: Final = Table(
    "insights_drafts",
    MetaData(),
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("draft", String(32), nullable=False),
    Column("version", Integer, nullable=False),
    Column("item_set", String(80), nullable=False),
    Column("content", String(200), nullable=False),
    Column("name", String(80), nullable=False),
    Column("changes", Text, nullable=False),
    Column("model", String(64), nullable=False),
    Column("predicted", Float, nullable=True),
    Column("saved_at", Float, nullable=False),
    Column("is_deleted", Boolean, nullable=False),
    UniqueConstraint("draft", "version", name="insights_drafts_once"),
)


@dataclass(frozen=True, slots=True)
class Draft:
    """One version of a draft.

    Attributes:
        item_set, content: key of the set, and id of the content it began with.
        changes: ``{fields, features, edits, …}``, what differs from that content; JSON.
        model: fingerprint of the model that predicted; predicted: success in [0, 1], or None.
        saved_at: seconds since 1970.
        draft: 32 hex digits, the same for all versions; "" for a new one.
        version: counts from 1.
    """

    item_set: str
    content: str
    name: str
    changes: Mapping[str, Any] = field(default_factory=dict)
    model: str = ""
    predicted: float | None = None
    saved_at: float = 0.0
    draft: str = ""
    version: int = 0

    def checked(self) -> Draft:
        """The draft itself.

        Raises:
            BadRequest: a field has a value that is not allowed; names field and value.
        """
        key: object = self.item_set
        if not isinstance(key, str) or not SET.match(key):
            raise BadRequest(f"{str(self.item_set)[:40]!r} is not the key of a set.")
        if self.draft and not ID.match(self.draft):
            raise BadRequest(f"{self.draft[:40]!r} is not the id of a draft.", "Reload the page.")
        named: tuple[tuple[str, object, int], ...] = (
            ("name", self.name, LONGEST_NAME),
            ("content", self.content, LONGEST_CONTENT),
        )
        for what, value, longest in named:
            if not isinstance(value, str) or not 0 < len(value.strip()) <= longest or "\0" in value:
                raise BadRequest(
                    f"The {what} {str(value)[:40]!r} is not usable.",
                    f"Use 1 to {longest} characters.",
                )
        if self.predicted is not None and not 0 <= self.predicted <= 1:
            raise BadRequest(f"predicted={self.predicted:g} is not a share from 0 to 1.")
        if len(_written(self.changes)) > LONGEST_CHANGES:
            raise BadRequest("The draft is too long.", "Shorten its texts or undo some edits.")
        return self


COLUMNS: Final = tuple(TABLE.c[one.name] for one in fields(Draft))
"""The columns in the order of the fields, so that a row is a draft's arguments."""


@dataclass(frozen=True, slots=True)
class DraftStore:
    """Reads and writes drafts; safe for several threads and processes.

    Raises:
        StorageFull: by every method, when the database cannot be read or written.
    """

    engine: Engine

    def save(self, draft: Draft) -> Draft:
        """Stores a new draft, or the next version of the draft it names; returns what is stored.

        Raises:
            BadRequest: a value is not allowed.
            NotFound: it names a draft that is not there, was deleted, or is of another set.
        """
        return self._added(draft.checked(), is_deleted=False)

    def delete(self, draft: str) -> None:
        """Hides a draft with all its versions.

        Raises:
            NotFound: there is none (any more).
        """
        self._added(self.get(draft), is_deleted=True)

    def get(self, draft: str, version: int = 0) -> Draft:
        """A draft, its newest version unless another one is asked for.

        Raises:
            NotFound: there is no such draft or version, or it was deleted.
        """
        held = self.versions(draft)
        found = [one for one in held if version in (0, one.version)]
        if not found:
            raise NotFound(f"This draft has no version {version}.", f"It has 1 to {len(held)}.")
        return found[-1]

    def versions(self, draft: str) -> list[Draft]:
        """All versions of a draft, the oldest first.

        Raises:
            NotFound: there is no such draft, or it was deleted.
        """
        rows: list[Row[Any]] = []
        if ID.match(draft):
            query: Select[Any] = select(*COLUMNS, TABLE.c.is_deleted)
            query = query.where(TABLE.c.draft == draft)
            with answering(UNREAD), self.engine.connect() as connection:
                rows = list(connection.execute(query.order_by(TABLE.c.version)).all())
        if not rows or rows[-1].is_deleted:
            raise NotFound("There is no such draft.", "It may have been deleted; reload the page.")
        return [_draft(row) for row in rows]

    def newest(self, item_set: str) -> list[Draft]:
        """The newest version of each draft of a set, the latest first; at most 500."""
        last = (
            select(TABLE.c.draft, func.max(TABLE.c.version).label("version"))
            .where(TABLE.c.item_set == item_set)
            .group_by(TABLE.c.draft)
            .subquery()
        )
        query: Select[Any] = (
            select(*COLUMNS, TABLE.c.is_deleted)
            .join(last, (TABLE.c.draft == last.c.draft) & (TABLE.c.version == last.c.version))
            .where(TABLE.c.is_deleted.is_(False))
            .order_by(TABLE.c.saved_at.desc(), TABLE.c.id.desc())
            .limit(MOST)
        )
        with answering(UNREAD), self.engine.connect() as connection:
            return [_draft(row) for row in connection.execute(query)]

    def _added(self, draft: Draft, *, is_deleted: bool) -> Draft:
        """Adds a row under the next number; another server may have taken it meanwhile."""
        name = draft.draft or uuid4().hex
        for _ in range(TRIES):
            number = self._next(draft) if draft.draft else 1
            values = {one.name: getattr(draft, one.name) for one in fields(Draft)}
            values |= {"draft": name, "version": number, "saved_at": time.time()}
            values |= {"changes": _written(draft.changes), "is_deleted": is_deleted}
            try:
                with answering(UNWRITTEN), self.engine.begin() as connection:
                    connection.execute(TABLE.insert().values(**values))
            except IntegrityError:
                continue
            kept = {one.name: values[one.name] for one in fields(Draft)}
            return Draft(**kept | {"changes": draft.changes})
        raise BadRequest("Somebody else saved this draft at the same moment.", "Save it again.")

    def _next(self, draft: Draft) -> int:
        last = self.versions(draft.draft)[-1]
        if last.item_set != draft.item_set:
            raise NotFound("There is no such draft of this set.", "Reload the page.")
        return last.version + 1


def _written(changes: object) -> str:
    try:
        if not isinstance(changes, Mapping):
            raise TypeError(changes)
        text = json.dumps(changes, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise BadRequest("What changed is not a JSON object.", "Reload the page.") from error
    if r"\u0000" in text:
        raise BadRequest("A text of the draft holds a NUL character.", "Remove it.")
    return text


def _draft(row: Row[Any]) -> Draft:
    values = {one.name: getattr(row, one.name) for one in fields(Draft)}
    return Draft(**values | {"changes": json.loads(values["changes"])})
