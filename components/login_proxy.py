"""Logins that a proxy in front has done: it names the user in a header."""

from __future__ import annotations

from flask import Request

from backend.errors import BadRequest
from backend.settings import Settings
from backend.team.people import NAME, Person
from backend.team.team import Forbidden, Team
from components.identity import User


def user(asked: Request, settings: Settings, team: Team) -> User | None:
    """Who the proxy says it is; nobody where the request does not come from the proxy."""
    name = asked.headers.get(settings.proxy_header, "").strip()
    if asked.remote_addr not in settings.proxies or not NAME.fullmatch(name):
        return None
    try:
        return User(known(name, settings, team))
    except (Forbidden, BadRequest):
        return None


def known(name: str, settings: Settings, team: Team) -> Person:
    """The user whom another login calls ``name``, added with the role for new people.

    Raises:
        Forbidden: nobody has that name and new people are not let in, or the user is disabled.
    """
    found = team.people.find(name)
    if found is None and settings.new_role:
        found = team.people.add(name, settings.new_role)
        team.audit.add(name, "added by login", settings.new_role)
    if found is None or found.is_disabled:
        raise Forbidden(f"{name} is not a member of this team.", "Ask an admin to add this name.")
    return found
