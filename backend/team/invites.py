"""Links that let one annotator in, until they expire or are taken back."""

from __future__ import annotations

import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

from sqlalchemy import Engine, delete, insert, select, update

from backend.database import answering
from backend.errors import BadRequest, NotFound
from backend.team.people import ANNOTATOR, COLUMNS, People, Person, person_of
from backend.team.sessions import hashed
from backend.team.tables import INVITES, SESSIONS, USERS

DAY_S: Final = 86_400.0
LONGEST_DAYS: Final = 365
LARGEST: Final = 2**31 - 1
UNREAD, UNWRITTEN = "The invitations cannot be read", "The invitation was not stored"
GONE: Final = NotFound("This invitation is not valid.", "Ask for a new link.")


@dataclass(frozen=True, slots=True)
class Invites:
    """Invitations. Every method may raise ``StorageFull``."""

    engine: Engine
    people: People

    def make(self, name: str, view: dict[str, str], item_sets: Sequence[str], days: int) -> str:
        """A token for the annotator ``name``, made if unknown, who may see ``item_sets``.

        Raises:
            BadRequest: somebody of another role has the name, or the days are not usable.
        """
        if type(days) is not int or not 1 <= days <= LONGEST_DAYS:
            raise BadRequest(f"days={str(days)[:40]!r} is not a whole number from 1 to 365.")
        person = self.people.find(name) or self.people.add(name, ANNOTATOR, "", item_sets)
        if person.role != ANNOTATOR:
            raise BadRequest(f"{name} is {person.role}.", "Invitations are for annotators.")
        token, now = secrets.token_urlsafe(24), time.time()
        sets = " ".join(sorted({*person.item_sets, *item_sets} if person.item_sets else ()))
        row = {
            "token": hashed(token),
            "user_id": person.id,
            "query": urlencode({**view, "as": person.label}),
            "expires_at": now + days * DAY_S,
            "is_revoked": False,
            "created_at": now,
        }
        with answering(UNWRITTEN), self.engine.begin() as connection:
            connection.execute(insert(INVITES).values(row))
            mine = update(USERS).where(USERS.c.id == person.id)
            connection.execute(mine.values(item_sets=sets))
        return token

    def guest(self, token: str) -> tuple[Person, str]:
        """Whom a token lets in, and the query of the view it opens.

        Raises:
            NotFound: there is no such invitation, or it is over.
        """
        query = (
            select(*COLUMNS, INVITES.c.query, INVITES.c.expires_at, INVITES.c.is_revoked)
            .join(INVITES, INVITES.c.user_id == USERS.c.id)
            .where(INVITES.c.token == hashed(token))
        )
        with answering(UNREAD), self.engine.connect() as connection:
            row = connection.execute(query).first() if len(token) <= 100 else None
        if row is None or row.is_disabled or row.is_revoked or row.expires_at < time.time():
            raise GONE
        return person_of(row[:-3]), str(row.query)

    def revoke(self, number: int) -> None:
        """Take an invitation back and log its annotator out. Raises ``NotFound``."""
        change = update(INVITES).where(INVITES.c.id == number).values(is_revoked=True)
        guest = select(INVITES.c.user_id).where(INVITES.c.id == number).scalar_subquery()
        with answering(UNWRITTEN), self.engine.begin() as connection:
            if number > LARGEST or connection.execute(change).rowcount == 0:
                raise NotFound(f"There is no invitation {number}.")
            connection.execute(delete(SESSIONS).where(SESSIONS.c.user_id == guest))

    def listed(self) -> list[dict[str, Any]]:
        """The newest first: id, name, query, expires_at, is_open."""
        query = (
            select(INVITES.c.id, USERS.c.name, INVITES.c.query, INVITES.c.expires_at)
            .add_columns(INVITES.c.is_revoked)
            .join(USERS, INVITES.c.user_id == USERS.c.id)
            .order_by(INVITES.c.id.desc())
            .limit(200)
        )
        with answering(UNREAD), self.engine.connect() as connection:
            rows = connection.execute(query).mappings().all()
        now = time.time()
        return [
            {name: row[name] for name in ("id", "name", "query", "expires_at")}
            | {"is_open": not row["is_revoked"] and row["expires_at"] > now}
            for row in rows
        ]
