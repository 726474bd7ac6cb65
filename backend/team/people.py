"""Users of a team: names, roles and passwords. Passwords are kept as argon2id hashes only."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import Engine, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from backend.database import answering
from backend.errors import BadRequest, NotFound
from backend.team.tables import SESSIONS, USERS

VIEWER, ANNOTATOR, ANALYST, ADMIN = "viewer", "annotator", "analyst", "admin"
ROLES: Final = {
    VIEWER: "sees everything that is stored, changes and computes nothing",
    ANNOTATOR: "answers what is in their queue, and sees nothing else",
    ANALYST: "works with every page",
    ADMIN: "as an analyst, and manages the team",
}
NAME: Final = re.compile(r"\w(?:[\w .@()+-]{0,62}[\w.)])?")
SHORTEST, LONGEST = 10, 200
UNREAD, UNWRITTEN = "The team cannot be read", "The team was not changed"


@dataclass(frozen=True, slots=True)
class Person:
    """One user.

    Attributes:
        label: the name under which their answers are stored.
        item_sets: keys of the sets that an annotator may see; empty means every set.
    """

    id: int
    name: str
    label: str
    role: str
    item_sets: tuple[str, ...]
    is_disabled: bool
    created_at: float

    def sees(self, item_set: str) -> bool:
        """Whether this person may know of a set."""
        return self.role != ANNOTATOR or not self.item_sets or item_set in self.item_sets


COLUMNS: Final = tuple(USERS.c[one.name] for one in fields(Person))


def person_of(row: Sequence[Any]) -> Person:
    """A row of :data:`COLUMNS` as a person."""
    person = Person(*row)
    return replace(person, item_sets=tuple(str(person.item_sets).split()))


class People:
    """Reads and changes users; every method may raise ``StorageFull``.

    Args:
        hasher: how passwords are hashed; tests take one that costs less.
    """

    def __init__(self, engine: Engine, hasher: PasswordHasher | None = None) -> None:
        self.engine = engine
        self._hasher = hasher or PasswordHasher()
        # Checked where there is no such user, so that the time taken tells nobody who exists.
        self._nobody = self._hasher.hash(secrets.token_hex())

    def add(
        self, name: str, role: str, password: str = "", item_sets: Sequence[str] = ()
    ) -> Person:
        """A new user; without a password they come by invitation or from another login.

        Raises:
            BadRequest: the name is not usable or taken, the role unknown, the password too short.
        """
        row = {
            "name": checked_name(name),
            "label": label_of(name),
            "role": checked_role(role),
            "password": self._hashed(password),
            "item_sets": " ".join(item_sets),
            "is_disabled": False,
            "created_at": time.time(),
        }
        try:
            with answering(UNWRITTEN), self.engine.begin() as connection:
                connection.execute(insert(USERS).values(row))
        except IntegrityError as error:
            raise BadRequest(
                f"There is already somebody called {name}.", "Take another."
            ) from error
        return self.get(name)

    def get(self, name: str) -> Person:
        """The user called ``name``. Raises ``NotFound``."""
        found = self.find(name)
        if found is None:
            raise NotFound(f"There is nobody called {name[:64]!r}.", "`users list` names all.")
        return found

    def find(self, name: str) -> Person | None:
        """The user called ``name``, if there is one."""
        with answering(UNREAD), self.engine.connect() as connection:
            row = connection.execute(select(*COLUMNS).where(USERS.c.name == name)).first()
        return person_of(row) if row else None

    def everyone(self) -> list[Person]:
        """All users by name."""
        with answering(UNREAD), self.engine.connect() as connection:
            rows = connection.execute(select(*COLUMNS).order_by(USERS.c.name)).all()
        return [person_of(row) for row in rows]

    def checked(self, name: str, password: str) -> Person | None:
        """Who logs in with these, or nobody. Takes equally long for names that do not exist."""
        query = select(*COLUMNS, USERS.c.password).where(USERS.c.name == name)
        with answering(UNREAD), self.engine.connect() as connection:
            row = connection.execute(query).first()
        is_known = row is not None and bool(row[-1])
        stored = row[-1] if row is not None and is_known else self._nobody
        try:
            self._hasher.verify(stored, password[:LONGEST])
        except (VerificationError, InvalidHashError):
            return None
        if row is None or not is_known or row.is_disabled:
            return None
        return person_of(row[:-1])

    def set_password(self, name: str, password: str) -> None:
        """Another password; whoever is logged in as ``name`` is logged out."""
        if not password:
            raise BadRequest("The password is empty.", f"Use at least {SHORTEST} characters.")
        self._change(name, password=self._hashed(password))

    def set_role(self, name: str, role: str) -> None:
        """Another role, at once. Raises ``BadRequest`` for the last admin."""
        if checked_role(role) != ADMIN:
            self._keep_an_admin(name)
        self._change(name, role=role)

    def disable(self, name: str, is_disabled: bool = True) -> None:
        """Nobody gets in as ``name`` any more; what they did stays. Raises as :meth:`set_role`."""
        if is_disabled:
            self._keep_an_admin(name)
        self._change(name, is_disabled=is_disabled)

    def _keep_an_admin(self, name: str) -> None:
        person = self.get(name)
        if person.role != ADMIN or person.is_disabled:
            return
        query = select(func.count()).where(USERS.c.role == ADMIN, USERS.c.is_disabled.is_(False))
        with answering(UNREAD), self.engine.connect() as connection:
            if connection.scalar(query) == 1:
                raise BadRequest(f"{name} is the last admin.", "Make somebody else one first.")

    def _change(self, name: str, **values: object) -> None:
        person = self.get(name)
        with answering(UNWRITTEN), self.engine.begin() as connection:
            connection.execute(update(USERS).where(USERS.c.id == person.id).values(**values))
            connection.execute(delete(SESSIONS).where(SESSIONS.c.user_id == person.id))

    def _hashed(self, password: str) -> str:
        if not password:
            return ""
        if not SHORTEST <= len(password) <= LONGEST:
            raise BadRequest(
                f"The password has {len(password)} characters.",
                f"Use {SHORTEST} to {LONGEST}: three unrelated words are good.",
            )
        return self._hasher.hash(password)


def checked_name(name: str) -> str:
    """``name`` itself. Raises ``BadRequest`` if nobody can be called so."""
    if not NAME.fullmatch(name) or name.lower().startswith("simulated"):
        raise BadRequest(
            f"{name[:70]!r} is not a name.",
            "Use up to 64 letters, digits, spaces and . @ ( ) + -, not beginning with simulated.",
        )
    return name


def checked_role(role: str) -> str:
    """``role`` itself. Raises ``BadRequest`` if there is none such."""
    if role not in ROLES:
        raise BadRequest(f"role={role[:40]!r} is not a role.", f"One of {', '.join(ROLES)}.")
    return role


def label_of(name: str) -> str:
    """The name on answers, whose form knows no @ and no +, of at most 40 characters."""
    return name.replace("@", " at ").replace("+", "-")[:40].rstrip(" -(")
