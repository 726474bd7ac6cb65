"""The registry in the database: rows of models and data sets, seen by every process."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Engine, Text, delete, select
from sqlalchemy.engine import make_url
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from backend.database import answering, open_engine
from backend.errors import BadRequest, NotFound, StorageFull
from backend.registry.data_spec import SetSpec
from backend.registry.data_spec import from_json as set_from_json
from backend.registry.spec import ModelSpec
from backend.registry.spec import from_json as model_from_json
from backend.settings import Settings

UNREAD, UNWRITTEN = "The registry cannot be read", "The registry cannot be written"
FRESH_S: Final = 0.5  # so old may a list be that another process has changed
REFUSED_S: Final = 2.0  # a database that did not answer is left alone so long
AWAY: Final = (
    "Your own models and data sets cannot be reached now, because the database does not answer; "
    "the bundled ones work."
)


class Tables(DeclarativeBase):
    """Tables that change by written steps only; see :mod:`backend.migrations`."""


class ModelRow(Tables):
    """A registered model: its spec and what validation found, as JSON text."""

    __tablename__ = "registered_models"

    name: Mapped[str] = mapped_column(primary_key=True)
    spec: Mapped[str] = mapped_column(Text)
    fingerprint: Mapped[str]
    validation: Mapped[str] = mapped_column(Text)
    added_at: Mapped[float]


class SetRow(Tables):
    """A registered data set: its spec and the summary of its index, as JSON text."""

    __tablename__ = "registered_sets"

    name: Mapped[str] = mapped_column(primary_key=True)
    spec: Mapped[str] = mapped_column(Text)
    fingerprint: Mapped[str]
    summary: Mapped[str] = mapped_column(Text)
    added_at: Mapped[float]


@dataclass(frozen=True, slots=True)
class OwnModel:
    """A registered model.

    Attributes:
        fingerprint: 64 hex digits of the files and of what the spec says of numbers.
        validation: what running it on three items found; see :mod:`backend.registry.validate`.
    """

    spec: ModelSpec
    fingerprint: str
    validation: Mapping[str, Any]
    added_at: float


@dataclass(frozen=True, slots=True)
class OwnSet:
    """A registered data set.

    Attributes:
        fingerprint: 64 hex digits of its contents, labels and order.
        summary: counts, problems and duplicates; see :mod:`backend.registry.index`.
    """

    spec: SetSpec
    fingerprint: str
    summary: Mapping[str, Any]
    added_at: float


@dataclass(frozen=True, slots=True)
class Listed:
    """What pages can offer of the user's own.

    Attributes:
        away: a sentence while the database does not answer, and nothing is listed; else empty.
    """

    models: Mapping[str, OwnModel]
    sets: Mapping[str, OwnSet]
    away: str = ""


class Registry:
    """Reads and writes both tables; lists are at most half a second old.

    While the database does not answer, every question raises StorageFull, at once where it has
    just been asked: pages must not wait for its time-out one after another.
    """

    def __init__(self, engine: Engine, *, is_ours: bool = False) -> None:
        self.engine = engine
        self.is_ours = is_ours  # opened by this module, which then also lets go of it
        self._lock = threading.Lock()
        self._held: tuple[float, dict[str, OwnModel], dict[str, OwnSet]] | None = None
        self._refused: tuple[float, StorageFull] | None = None

    def models(self, *, now: bool = False) -> dict[str, OwnModel]:
        """All registered models by name, the oldest first. Do not change the dict."""
        return self._lists(now)[1]

    def sets(self, *, now: bool = False) -> dict[str, OwnSet]:
        """All registered data sets by name, the oldest first. Do not change the dict."""
        return self._lists(now)[2]

    def model(self, name: str) -> OwnModel:
        """One model. Raises NotFound."""
        found = self.models().get(name) or self.models(now=True).get(name)
        if found is None:
            raise NotFound(f"There is no registered model {name[:60]!r}.", _others(self.models()))
        return found

    def set(self, name: str) -> OwnSet:
        """One data set. Raises NotFound."""
        found = self.sets().get(name) or self.sets(now=True).get(name)
        if found is None:
            raise NotFound(f"There is no registered data set {name[:60]!r}.", _others(self.sets()))
        return found

    def put_model(self, spec: ModelSpec, fingerprint: str, validation: Mapping[str, Any]) -> None:
        """Writes a model down, over one of the same name."""
        self._put(
            ModelRow(
                name=spec.name,
                spec=json.dumps(spec.to_json()),
                fingerprint=fingerprint,
                validation=json.dumps(dict(validation)),
                added_at=time.time(),
            )
        )

    def put_set(self, spec: SetSpec, fingerprint: str, summary: Mapping[str, Any]) -> None:
        """Writes a data set down, over one of the same name."""
        self._put(
            SetRow(
                name=spec.name,
                spec=json.dumps(spec.to_json()),
                fingerprint=fingerprint,
                summary=json.dumps(dict(summary)),
                added_at=time.time(),
            )
        )

    def remove_model(self, name: str) -> None:
        """Forgets a model; its files stay. Raises NotFound."""
        self.model(name)
        self._delete(ModelRow, name)

    def remove_set(self, name: str) -> None:
        """Forgets a data set; its files stay. Raises NotFound."""
        self.set(name)
        self._delete(SetRow, name)

    def _put(self, row: ModelRow | SetRow) -> None:
        with answering(UNWRITTEN), Session(self.engine) as session, session.begin():
            session.merge(row)
        self._forget()

    def _delete(self, table: type[ModelRow] | type[SetRow], name: str) -> None:
        with answering(UNWRITTEN), Session(self.engine) as session, session.begin():
            session.execute(delete(table).where(table.name == name))
        self._forget()

    def _forget(self) -> None:
        with self._lock:
            self._held = None

    def _lists(self, now: bool) -> tuple[float, dict[str, OwnModel], dict[str, OwnSet]]:
        with self._lock:
            at_s, held, refused = time.monotonic(), self._held, self._refused
            if held and not now and at_s - held[0] < FRESH_S:
                return held
            if refused and at_s - refused[0] < REFUSED_S:
                raise StorageFull(refused[1].message, refused[1].hint)
            try:
                self._held = held = (at_s, *_read(self.engine))
            except StorageFull as error:
                self._held, self._refused = None, (time.monotonic(), error)
                raise
            self._refused = None
            return held


def _read(engine: Engine) -> tuple[dict[str, OwnModel], dict[str, OwnSet]]:
    with answering(UNREAD), Session(engine) as session:
        models = session.scalars(select(ModelRow).order_by(ModelRow.added_at)).all()
        sets = session.scalars(select(SetRow).order_by(SetRow.added_at)).all()
    return (
        {
            row.name: OwnModel(
                model_from_json(json.loads(row.spec)),
                row.fingerprint,
                json.loads(row.validation),
                row.added_at,
            )
            for row in models
        },
        {
            row.name: OwnSet(
                set_from_json(json.loads(row.spec)),
                row.fingerprint,
                json.loads(row.summary),
                row.added_at,
            )
            for row in sets
        },
    )


def _others(known: Mapping[str, object]) -> str:
    return f"Registered are {', '.join(known)}." if known else "None is registered yet."


_current: dict[str, Registry] = {}  # at most one: the registry of this process
_settings: list[Settings] = []  # at most one
_opening = threading.Lock()


def use(engine: Engine | None, settings: Settings | None = None) -> None:
    """Makes ``engine`` the place where this process looks, with these settings; None forgets it."""
    held = _current.pop("here", None)
    _settings.clear()
    if held is not None and held.is_ours:
        held.engine.dispose()
    if engine is not None:
        _current["here"] = Registry(engine)
    if settings is not None:
        _settings.append(settings)


def leave(engine: Engine) -> None:
    """Looks at ``engine`` no more, if it did: whose it was is about to let go of it, and a question
    behind that would open connections that nobody closes.
    """
    held = _current.get("here")
    if held is not None and held.engine is engine:
        use(None)


def settings() -> Settings:
    """The settings of :func:`use`, else those of the environment."""
    return _settings[0] if _settings else Settings.from_env()


def home() -> Path:
    """Where indexes, uploads and what is made of them lie."""
    return settings().state_dir / "registry"


def current() -> Registry | None:
    """The registry of this process: that of :func:`use`, else that of the settings.

    None where the settings name a file that does not exist yet: nothing is registered.
    """
    with _opening:
        if "here" not in _current:
            url = settings().database_url
            parsed = make_url(url)
            is_file = parsed.get_backend_name() == "sqlite" and parsed.database
            if is_file and not Path(str(parsed.database)).exists():
                return None
            _current["here"] = _opened(url)
        return _current["here"]


def required() -> Registry:
    """The registry of this process, made where it was not."""
    found = current()
    if found is not None:
        return found
    with _opening:
        _current["here"] = _opened(settings().database_url)
        return _current["here"]


def _opened(url: str) -> Registry:
    from backend import migrations  # it knows every table; most callers need none of that

    engine = open_engine(url)
    migrations.upgrade(engine)
    return Registry(engine, is_ours=True)


def models() -> dict[str, OwnModel]:
    """Every registered model by name."""
    found = current()
    return found.models() if found else {}


def sets() -> dict[str, OwnSet]:
    """Every registered data set by name."""
    found = current()
    return found.sets() if found else {}


def listed(*, now: bool = False) -> Listed:
    """What pages can offer now: they open without a database too, on what is bundled."""
    found = current()
    if found is None:
        return Listed({}, {})
    try:
        return Listed(found.models(now=now), found.sets())
    except StorageFull:
        return Listed({}, {}, AWAY)


def refuse_taken(name: str, taken: Mapping[str, object], what: str) -> None:
    """Returns if no bundled thing is called so.

    Raises:
        BadRequest: one is.
    """
    if name in taken:
        raise BadRequest(f"There is a bundled {what} {name!r}.", "Choose another name for yours.")
