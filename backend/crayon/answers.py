"""The answers of annotators, kept for good.

Rows are only ever added. A later answer of the same annotator about the same item supersedes the
earlier one; undo adds a row that names the one it takes back. An answer is committed, with
``synchronous=FULL`` on SQLite, before :meth:`AnswerStore.add` returns. A client numbers what it
sends, so sending again after a lost reply adds nothing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Final, Literal, NamedTuple, get_args

from sqlalchemy import (
    Column,
    ColumnElement,
    Engine,
    Float,
    Integer,
    MetaData,
    Row,
    Select,
    String,
    Table,
    UniqueConstraint,
    func,
    select,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection

from backend.crayon.aggregate import ANSWERS
from backend.database import answering
from backend.errors import BadRequest, NotFound

Kind = Literal["map", "patch"]
KINDS: Final = get_args(Kind)
PLURAL: Final = {"map": "maps", "patch": "patches"}
HUMAN, SIMULATED, ADJUDICATED = "human", "simulated", "adjudicated"
SOURCES: Final = (HUMAN, SIMULATED, "published", ADJUDICATED)
REASONS: Final = ("", "unclear", "nothing highlighted", "several objects", "not visible", "other")
UNDONE: Final = "undone"
NAME: Final = re.compile(r"\w(?:[\w .()-]{0,38}[\w.()])?")
CLIENT: Final = re.compile(r"[A-Za-z0-9._:-]{1,64}")
HEX: Final = re.compile(r"[0-9a-f]{0,64}")
SET: Final = re.compile(r"[a-z0-9-]{1,80}")
LARGEST: Final = 2**31 - 1
UNREAD, UNWRITTEN = "The answers cannot be read", "The answer was not stored"

TABLE: Final = Table(
    "crayon_answers",
    MetaData(),
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("client", String(64), nullable=False),
    Column("sequence", Integer, nullable=False),
    Column("item_set", String(80), nullable=False),
    Column("model", String(64), nullable=False),
    Column("kind", String(8), nullable=False),
    Column("item_id", Integer, nullable=False),
    Column("annotator", String(40), nullable=False),
    Column("source", String(12), nullable=False),
    Column("answer", String(12), nullable=False),
    Column("reason", String(200), nullable=False),
    Column("ms", Integer, nullable=False),
    Column("answered_at", Float, nullable=False),
    Column("item_hash", String(64), nullable=False),
    Column("map_hash", String(64), nullable=False),
    Column("undoes", Integer, nullable=True),
    UniqueConstraint("client", "sequence", name="crayon_answers_once"),
)


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer as a client sends it, and as it is stored.

    Attributes:
        client, sequence: who sent it and its number there; together they name it for good.
        item_set: key of the data set.
        model: fingerprint of the model whose explanation was shown.
        kind: ``map`` or ``patch``; ``item_id`` is the item's id or the patch's number.
        annotator: a name of up to 40 letters, digits, spaces and ``. - ( )``.
        source: human, simulated, published (a verdict taken over from a study) or adjudicated (a
            human's decision about an item others disagree on; beside that person's blind answer).
        answer: yes, no, maybe or skip; ``undone`` on rows that take an answer back.
        reason: why an item was skipped.
        ms: milliseconds from showing to answering.
        answered_at: seconds since 1970, by the client's clock.
        item_hash, map_hash: of the picture and of the explanation shown, hex.
        undoes: number of the row this one takes back.
        id: number of the row; 0 until stored.
    """

    client: str
    sequence: int
    item_set: str
    model: str
    kind: str
    item_id: int
    annotator: str
    answer: str
    source: str = "human"
    reason: str = ""
    ms: int = 0
    answered_at: float = 0.0
    item_hash: str = ""
    map_hash: str = ""
    undoes: int | None = None
    id: int = 0

    def checked(self) -> Answer:
        """The answer itself.

        Raises:
            BadRequest: a field has a value that is not allowed; names field and value.
        """
        _fits("client", self.client, CLIENT)
        _fits("item_set", self.item_set, SET)
        _fits("model", self.model, HEX)
        _fits("annotator", self.annotator, NAME)
        _fits("item_hash", self.item_hash, HEX)
        _fits("map_hash", self.map_hash, HEX)
        _one_of("kind", self.kind, KINDS)
        _one_of("answer", self.answer, ANSWERS if self.undoes is None else (UNDONE,))
        _one_of("source", self.source, SOURCES)
        for name in ("sequence", "item_id", "ms"):
            _within(name, getattr(self, name))
        reason: object = self.reason
        if not isinstance(reason, str) or len(reason) > 200:
            raise BadRequest("The reason is longer than 200 characters.", "Shorten it.")
        at: object = self.answered_at
        if not isinstance(at, int | float) or not 0 <= at < 1e11:
            raise BadRequest(f"answered_at={str(self.answered_at)[:40]!r} is not a time.")
        return self


COLUMNS: Final = tuple(TABLE.c[one.name] for one in fields(Answer))
"""The columns in the order of the fields, so that a row is an answer's arguments."""


class Given(NamedTuple):
    """What the queue has to know of an answer that stands."""

    item_id: int
    annotator: str
    answer: str
    source: str


@dataclass(frozen=True, slots=True)
class Scope:
    """Which answers are meant: those about one model's explanations of one set."""

    item_set: str
    model: str
    kind: str = "map"


@dataclass(frozen=True, slots=True)
class AnswerStore:
    """Reads and writes answers; safe for several threads and processes.

    Raises:
        StorageFull: by every method, when the database cannot be read or written.
    """

    engine: Engine

    def add(self, answers: Sequence[Answer]) -> list[int]:
        """Stores answers in their order, all or none, and returns their row numbers.

        One that is stored already (same client and sequence) keeps its row and is not changed.

        Raises:
            BadRequest: a value is not allowed, or another answer was sent under the same number.
        """
        rows = [_values(answer.checked()) for answer in answers]
        if not rows:
            return []
        if self.engine.dialect.name == "postgresql" and any("\0" in row["reason"] for row in rows):
            raise BadRequest("A reason holds a NUL character, which PostgreSQL does not store.")
        with answering(UNWRITTEN), self.engine.begin() as connection:
            if len(rows) == 1:  # the common case in one statement
                query = _insert(connection).returning(TABLE.c.id)
                number = connection.execute(query, rows[0]).scalar()
                numbers = [number] if number else _numbers(connection, answers)
            else:
                connection.execute(_insert(connection), rows)
                numbers = _numbers(connection, answers)
        return numbers

    def undo(
        self, scope: Scope, annotator: str, client: str, sequence: int, *, adjudicated: bool = False
    ) -> Answer | None:
        """Takes back the annotator's newest answer that stands; None if there is none.

        Adjudications are taken back apart from blind answers. What the annotator had answered about
        that item before counts again. Sending it again under the same number undoes nothing more
        and returns the same answer.

        Raises:
            BadRequest: a name or number is not allowed.
        """
        with answering(UNWRITTEN), self.engine.begin() as connection:
            sent = connection.execute(
                select(*COLUMNS).where(TABLE.c.client == client, TABLE.c.sequence == sequence)
            ).first()
            if sent is not None:
                if sent.undoes is None:
                    raise BadRequest(*_taken(client, sequence))
                query = select(*COLUMNS).where(TABLE.c.id == sent.undoes)
                return _answer(connection.execute(query).one())
            query = _standing(scope, annotator).where(_decides(adjudicated))
            last = connection.execute(query.limit(1)).first()
            if last is None:
                return None
            found = _answer(last)
            row = replace(
                found,
                client=client,
                sequence=sequence,
                answer=UNDONE,
                reason="",
                undoes=found.id,
                id=0,
            ).checked()
            connection.execute(_insert(connection), [_values(row)])
        return found

    def current(self, scope: Scope, annotator: str = "") -> list[Answer]:
        """Answers that stand: of each annotator about each item the newest not taken back, and
        the newest adjudication beside it.

        In the order in which they were given.
        """
        with answering(UNREAD), self.engine.connect() as connection:
            rows = connection.execute(_standing(scope, annotator)).all()
        newest: dict[tuple[int, str, bool], Answer] = {}
        for row in rows:  # the newest first
            role = row.source == ADJUDICATED
            newest.setdefault((row.item_id, row.annotator, role), _answer(row))
        return sorted(newest.values(), key=lambda answer: answer.id)

    def given(self, scope: Scope) -> list[Given]:
        """As :meth:`current`, in any order and with four columns instead of sixteen: every
        annotator's browser asks for this after each few answers.
        """
        columns = [TABLE.c[name] for name in Given._fields]
        with answering(UNREAD), self.engine.connect() as connection:
            rows = connection.execute(_standing(scope).with_only_columns(*columns)).all()
        newest: dict[tuple[int, str, bool], Given] = {}
        for item_id, annotator, answer, source in reversed(rows):  # the newest last
            role = source == ADJUDICATED
            newest[item_id, annotator, role] = Given(item_id, annotator, answer, source)
        return list(newest.values())

    def recent(
        self, scope: Scope, annotator: str, count: int = 10, *, adjudicated: bool = False
    ) -> list[Answer]:
        """The annotator's last blind answers, or adjudications, that stand, the newest first."""
        held = self.current(scope, annotator)
        mine = [a for a in held if (a.source == ADJUDICATED) == adjudicated]
        return mine[: -count - 1 : -1]

    def everything(self, item_set: str = "") -> list[Answer]:
        """All rows, superseded and taken back ones too, in the order of storing."""
        query = select(*COLUMNS).order_by(TABLE.c.id)
        if item_set:
            query = query.where(TABLE.c.item_set == item_set)
        with answering(UNREAD), self.engine.connect() as connection:
            return [_answer(row) for row in connection.execute(query)]

    def counts(self) -> list[dict[str, Any]]:
        """Rows stored by set, model, kind, annotator and source."""
        names = ("item_set", "model", "kind", "annotator", "source")
        columns = [TABLE.c[name] for name in names]
        query = select(*columns, func.count().label("rows")).group_by(*columns).order_by(*columns)
        with answering(UNREAD), self.engine.connect() as connection:
            return [dict(row) for row in connection.execute(query).mappings()]

    def for_model(
        self, scope: Scope, target: str, *, source: str = ""
    ) -> tuple[list[dict[str, Any]], bool]:
        """Answers to train the model ``target`` with, as rows for ``aggregate``; whether they were
        given about another model's maps and so are transferred.

        Adjudications are people's, so they go with ``source="human"``.

        Raises:
            BadRequest: patch answers of another model: what its neurons react to says nothing
                about these.
            NotFound: there is no answer.
        """
        is_transferred = scope.model != target
        if is_transferred and scope.kind == "patch":
            raise BadRequest(
                "Patch answers of another model cannot be used: they are about its neurons.",
                "Annotate this model's neurons, or use answers about maps.",
            )
        wanted = {HUMAN: (HUMAN, ADJUDICATED), "": SOURCES}.get(source, (source,))
        held = [a for a in self.current(scope) if a.source in wanted]
        if not held:
            raise NotFound(
                f"There are no answers about {PLURAL[scope.kind]} of {scope.item_set} yet.",
                "Annotate some, import answers, or let annotators be simulated.",
            )
        return [asdict(a) | {"transferred": is_transferred} for a in held], is_transferred


def _standing(scope: Scope, annotator: str = "") -> Select[Any]:
    undone = select(TABLE.c.undoes).where(TABLE.c.undoes.is_not(None))
    query = select(*COLUMNS).where(
        TABLE.c.item_set == scope.item_set,
        TABLE.c.model == scope.model,
        TABLE.c.kind == scope.kind,
        TABLE.c.undoes.is_(None),
        TABLE.c.id.not_in(undone),
    )
    if annotator:
        query = query.where(TABLE.c.annotator == annotator)
    return query.order_by(TABLE.c.id.desc())


def _decides(adjudicated: bool) -> ColumnElement[bool]:
    return TABLE.c.source == ADJUDICATED if adjudicated else TABLE.c.source != ADJUDICATED


def _insert(connection: Connection) -> Any:
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    insert = dialect.insert(TABLE)
    return insert.on_conflict_do_nothing(index_elements=["client", "sequence"])


def _numbers(connection: Connection, answers: Sequence[Answer]) -> list[int]:
    """Row numbers of answers just added; the transaction is undone where one is another answer."""
    stored: dict[tuple[str, int], Row[Any]] = {}
    for client in {answer.client for answer in answers}:
        wanted = [answer.sequence for answer in answers if answer.client == client]
        for start in range(0, len(wanted), 500):
            part = wanted[start : start + 500]
            query = select(*COLUMNS).where(TABLE.c.client == client, TABLE.c.sequence.in_(part))
            stored |= {(client, row.sequence): row for row in connection.execute(query)}
    for answer in answers:
        row = stored[answer.client, answer.sequence]
        same = ("item_set", "model", "kind", "item_id", "annotator", "answer", "undoes")
        if any(getattr(row, name) != getattr(answer, name) for name in same):
            raise BadRequest(*_taken(answer.client, answer.sequence))
    return [stored[answer.client, answer.sequence].id for answer in answers]


def _taken(client: str, sequence: int) -> tuple[str, str]:
    return (
        f"Another answer was sent as number {sequence} of {client[:64]}.",
        "Number what you send upwards, or take a new client name.",
    )


def _values(answer: Answer) -> dict[str, Any]:
    values = asdict(answer)
    del values["id"]
    return values


def _answer(row: Row[Any]) -> Answer:
    values: tuple[Any, ...] = tuple(row)
    return Answer(*values)


def _fits(name: str, value: object, shape: re.Pattern[str]) -> None:
    if not isinstance(value, str) or not shape.fullmatch(value):
        raise BadRequest(
            f"{name}={str(value)[:60]!r} is not usable.", f"It must look like {shape.pattern}."
        )


def _one_of(name: str, value: str, allowed: Sequence[str]) -> None:
    if value not in allowed:
        raise BadRequest(
            f"{name}={str(value)[:40]!r} is not known.", f"Allowed are {', '.join(allowed)}."
        )


def _within(name: str, value: object) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= LARGEST:
        raise BadRequest(
            f"{name}={str(value)[:40]!r} is not a whole number from 0.", f"At most {LARGEST}."
        )
