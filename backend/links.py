"""Short links for view states that are too long for a URL."""

from __future__ import annotations

import base64
import hashlib
import re
import time
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Engine, Text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, Session, mapped_column

from backend.database import Base, answering
from backend.errors import BadRequest, NotFound

ID: Final = re.compile(r"[a-z2-7]{10}\Z")
PATH: Final = re.compile(r"/(?:[A-Za-z0-9_-]+(?:/[A-Za-z0-9_-]+)*)?\Z")
MAX_STATE_BYTES: Final = 200_000


class LinkRow(Base):
    """One link: the page and its state as JSON text."""

    __tablename__ = "links"

    id: Mapped[str] = mapped_column(primary_key=True)
    path: Mapped[str]
    state: Mapped[str] = mapped_column(Text)
    created_at: Mapped[float]


@dataclass(frozen=True, slots=True)
class Link:
    """A page of the app and its state, JSON text."""

    path: str
    state: str


@dataclass(frozen=True, slots=True)
class LinkStore:
    """Links by the hash of what they point to: equal states share one link."""

    engine: Engine

    def put(self, path: str, state: str) -> str:
        """Id of the link to ``path`` with ``state``: 10 characters of base32.

        Raises:
            BadRequest: ``path`` is not a page of this app, or the state is too long.
            StorageFull: the database cannot be written.
        """
        if not PATH.match(path) or len(path) > 200:
            raise BadRequest(f"{path[:80]!r} is not a page of this app.", "It starts with /.")
        if len(state.encode()) > MAX_STATE_BYTES:
            raise BadRequest(
                f"The state has {len(state.encode())} bytes, and {MAX_STATE_BYTES} are allowed.",
                "Select fewer items.",
            )
        digest = hashlib.sha256(f"{path}\n{state}".encode()).digest()
        link_id = base64.b32encode(digest).decode().lower()[:10]
        row = LinkRow(id=link_id, path=path, state=state, created_at=time.time())
        try:
            with (
                answering("The link cannot be stored"),
                Session(self.engine) as session,
                session.begin(),
            ):
                if session.get(LinkRow, link_id) is None:
                    session.add(row)
        except IntegrityError:  # another tab wrote the same link at the same time
            return link_id
        return link_id

    def get(self, link_id: str) -> Link:
        """What the link points to.

        Raises:
            NotFound: there is no such link.
            StorageFull: the database cannot be read.
        """
        if ID.match(link_id):
            with answering("The link cannot be read"), Session(self.engine) as session:
                row = session.get(LinkRow, link_id)
                if row:
                    return Link(row.path, row.state)
        raise NotFound("There is no such link.", "It may have been made on another machine.")
