"""Everything about a team in one place: made once at the start where a login is set up."""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from argon2 import PasswordHasher
from sqlalchemy import Engine

from backend.errors import BackendError
from backend.files import private_folder, refused
from backend.settings import Settings
from backend.team.audit import Audit
from backend.team.invites import Invites
from backend.team.people import People
from backend.team.sessions import Sessions
from backend.team.throttle import Bucket

KEY_FILE: Final = "cookie.key"


class Forbidden(BackendError):
    """Whoever asks is known, and their role does not allow this."""


class NotLoggedIn(BackendError):
    """Nobody knows who asks."""


class TooMany(BackendError):
    """Asked too often. ``wait_s`` says when to try again."""

    def __init__(self, message: str, wait_s: float) -> None:
        super().__init__(message, f"Wait {max(1, round(wait_s))} s, then try again.")
        self.wait_s = wait_s


@dataclass(frozen=True, slots=True)
class Team:
    """Users, logins, invitations, the log of changes, and limits on guessing and flooding.

    Attributes:
        guesses: wrong passwords of one address for one name; ``from_one`` for all names, and
            ``about_one`` from all addresses.
        writes: requests that change or compute something, for each user.
    """

    people: People
    sessions: Sessions
    invites: Invites
    audit: Audit
    guesses: Bucket = field(default_factory=lambda: Bucket(10, 1 / 60))
    from_one: Bucket = field(default_factory=lambda: Bucket(50, 1 / 10))
    about_one: Bucket = field(default_factory=lambda: Bucket(100, 1 / 30))
    writes: Bucket = field(default_factory=lambda: Bucket(150, 25))

    @classmethod
    def of(cls, engine: Engine, hasher: PasswordHasher | None = None) -> Team:
        """The team of a database; ``hasher`` as in :class:`People`."""
        people = People(engine, hasher)
        return cls(people, Sessions(engine), Invites(engine, people), Audit(engine))


def secret_key(settings: Settings) -> str:
    """What signs cookies: the setting, or 32 random bytes kept in the state folder (0600).

    Raises:
        StorageFull: the state folder cannot be written.
    """
    if settings.secret_key:
        return settings.secret_key
    path = private_folder(settings.state_dir) / KEY_FILE
    try:
        return _kept(path)
    except OSError as error:
        raise refused("The key of the login cookies cannot be kept", error) from error


def _kept(path: Path) -> str:
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_hex(32))
            file.flush()
            os.fsync(file.fileno())
    except FileExistsError:
        pass
    return path.read_text("ascii").strip()
