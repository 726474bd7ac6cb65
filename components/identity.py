"""Who makes the present request, and what they may do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from flask import current_app, has_request_context
from flask_login import UserMixin, current_user

from backend.errors import NotFound
from backend.team.people import ADMIN, ANALYST, ANNOTATOR, ROLES, VIEWER, Person
from backend.team.team import Forbidden

NOBODY: Final = "local"
WORKERS: Final = (ANALYST, ADMIN)
"""Roles that may change and compute."""
READERS: Final = (VIEWER, ANALYST, ADMIN)
"""Roles that may see what is stored."""
EVERYONE: Final = tuple(ROLES)


class User(UserMixin):  # type: ignore[misc]  # Flask-Login is untyped
    """A person as Flask-Login keeps them; the id is the token of their login."""

    def __init__(self, person: Person, token: str = "") -> None:
        self.person = person
        self.token = token

    def get_id(self) -> str:
        return self.token


def has_login() -> bool:
    """Whether this app knows who asks."""
    return has_request_context() and hasattr(current_app, "login_manager")


def person() -> Person | None:
    """Who asks; ``None`` without a login, where whoever sits at the machine may do everything."""
    if not has_login() or not current_user.is_authenticated:
        return None
    found: Person = current_user.person
    return found


def need(roles: tuple[str, ...], what: str) -> None:
    """Nothing, where the role of whoever asks is among ``roles``.

    Raises:
        Forbidden: it is not; ``what`` begins the sentence.
    """
    asks = person()
    if asks and asks.role not in roles:
        raise Forbidden(f"{what} is not for the role {asks.role}.", "Ask an admin of the team.")


def signs_as(name: str, *, is_writing: bool) -> None:
    """Whether whoever asks may answer, or read the queue, as ``name``.

    Raises:
        Forbidden: annotators have their own name only, and nobody writes under another's.
    """
    asks = person()
    if asks and name != asks.label and (is_writing or asks.role == ANNOTATOR):
        raise Forbidden(f"as={name!r} is somebody else.", f"You are {asks.label}.")


def may_see(item_set: str) -> bool:
    """Whether whoever asks may know of a set."""
    asks = person()
    return asks is None or asks.sees(item_set)


def sees(item_set: str) -> None:
    """Raises ``NotFound`` for a set that whoever asks was not invited to."""
    if not may_see(item_set):
        raise NotFound(f"There is no set {item_set[:80]!r}.", "Open the invitation again.")


def may_open(page: Mapping[str, Any], is_shown: bool) -> bool:
    """Whether the navigation of whoever asks shows a page. Those with ``roles`` need a login."""
    asks = person()
    if asks is None:
        return is_shown and not page.get("roles")
    if asks.role == ANNOTATOR:
        return bool(page["path"] == "/crayon")
    return is_shown and asks.role in page.get("roles", READERS)


def view_of_annotator(values: dict[str, Any]) -> dict[str, Any]:
    """State of the Crayon page with the name of whoever asks; annotators see their queue only."""
    asks = person()
    if asks is None:
        return values
    mine = {"as": values["as"] or asks.label}
    if asks.role == ANNOTATOR:
        step = values["step"] if values["step"] in ("maps", "neurons") else "maps"
        mine = {"as": asks.label, "step": step, "calm": True}
    return values | mine
