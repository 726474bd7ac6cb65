"""Who is logged in. The cookie holds a random token, the database its hash: logging out ends it."""

from __future__ import annotations

import hashlib
import secrets
import time
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Engine, delete, insert, or_, select, update

from backend.database import answering
from backend.team.people import COLUMNS, Person, person_of
from backend.team.tables import SESSIONS, USERS

IDLE_S: Final = 14 * 24 * 3600.0
WHOLE_S: Final = 60 * 24 * 3600.0
TOUCH_S: Final = 60.0  # how fresh ``seen_at`` is kept
UNREAD, UNWRITTEN = "The login cannot be read", "The login cannot be written"


def hashed(token: str) -> str:
    """What the database knows of a token: whoever reads it there cannot log in with it."""
    return hashlib.sha256(token.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Sessions:
    """Logins of this installation. Every method may raise ``StorageFull``."""

    engine: Engine

    def start(self, person: Person) -> str:
        """A new token for ``person``. Also forgets logins that are over."""
        token, now = secrets.token_urlsafe(32), time.time()
        row = {"token": hashed(token), "user_id": person.id, "created_at": now, "seen_at": now}
        over = or_(SESSIONS.c.seen_at < now - IDLE_S, SESSIONS.c.created_at < now - WHOLE_S)
        with answering(UNWRITTEN), self.engine.begin() as connection:
            connection.execute(delete(SESSIONS).where(over))
            connection.execute(insert(SESSIONS).values(row))
        return token

    def person(self, token: str) -> Person | None:
        """Whose token this is; nobody's once it is over or the user disabled."""
        if len(token) > 100:
            return None
        query = (
            select(*COLUMNS, SESSIONS.c.created_at.label("since"), SESSIONS.c.seen_at)
            .join(SESSIONS, SESSIONS.c.user_id == USERS.c.id)
            .where(SESSIONS.c.token == hashed(token))
        )
        with answering(UNREAD), self.engine.connect() as connection:
            row = connection.execute(query).first()
        now = time.time()
        if row is None or row.is_disabled:
            return None
        if row.seen_at < now - IDLE_S or row.since < now - WHOLE_S:
            return None
        if row.seen_at < now - TOUCH_S:
            self._touch(token, now)
        return person_of(row[:-2])

    def end(self, token: str) -> None:
        """The token is worth nothing any more, whoever has copied it."""
        with answering(UNWRITTEN), self.engine.begin() as connection:
            connection.execute(delete(SESSIONS).where(SESSIONS.c.token == hashed(token)))

    def _touch(self, token: str, now: float) -> None:
        change = update(SESSIONS).where(SESSIONS.c.token == hashed(token)).values(seen_at=now)
        with answering(UNWRITTEN), self.engine.begin() as connection:
            connection.execute(change)
