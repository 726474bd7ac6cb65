"""``python -m backend users add|list|disable|enable|passwd|role``: the team by command."""

from __future__ import annotations

import argparse
import getpass
import secrets
import sys
from typing import Any

from backend import migrations
from backend.database import open_engine
from backend.errors import BadRequest
from backend.settings import Settings
from backend.team.people import ROLES
from backend.team.team import Team

BY: str = "command line"


def add(commands: Any) -> None:
    """Adds the subcommands."""
    command = commands.add_parser("users", help="who may log in where LOUPE_AUTH is set")
    actions = command.add_subparsers(dest="action", required=True, metavar="ACTION")
    actions.add_parser("list", help="all users").set_defaults(run=show)
    one = actions.add_parser("add", help="a new user; asks for the password")
    one.add_argument("name")
    one.add_argument(
        "--role", default="viewer", help="; ".join(f"{r}: {w}" for r, w in ROLES.items())
    )
    one.add_argument(
        "--no-password", action="store_true", help="comes by oidc, proxy or invitation"
    )
    one.set_defaults(run=make)
    one = actions.add_parser("passwd", help="another password; logs the user out")
    one.add_argument("name")
    one.set_defaults(run=change_password)
    one = actions.add_parser("role", help="another role")
    one.add_argument("name")
    one.add_argument("role")
    one.set_defaults(run=change_role)
    for action, is_disabled in (("disable", True), ("enable", False)):
        one = actions.add_parser(action, help="shut a user out" if is_disabled else "let in again")
        one.add_argument("name")
        one.set_defaults(run=switch, is_disabled=is_disabled)


def show(_asked: argparse.Namespace) -> None:
    """One line a user: name, role, sets."""
    for one in _team().people.everyone():
        off = " (disabled)" if one.is_disabled else ""
        sys.stdout.write(f"{one.name}\t{one.role}{off}\t{', '.join(one.item_sets) or 'all sets'}\n")


def make(asked: argparse.Namespace) -> None:
    """Adds a user. Raises as :meth:`People.add`."""
    team = _team()
    password = "" if asked.no_password else _password()
    made = team.people.add(asked.name, asked.role, password)
    team.audit.add(BY, "user added", f"{made.name}: {made.role}")
    sys.stderr.write(f"{made.name} is added as {made.role}.\n")


def change_password(asked: argparse.Namespace) -> None:
    """Raises as :meth:`People.set_password`."""
    team = _team()
    team.people.get(asked.name)
    team.people.set_password(asked.name, _password())
    team.audit.add(BY, "password changed", asked.name)


def change_role(asked: argparse.Namespace) -> None:
    """Raises as :meth:`People.set_role`."""
    team = _team()
    team.people.set_role(asked.name, asked.role)
    team.audit.add(BY, "role changed", f"{asked.name}: {asked.role}")


def switch(asked: argparse.Namespace) -> None:
    """Shuts out or lets in. Raises as :meth:`People.disable`."""
    team = _team()
    team.people.disable(asked.name, asked.is_disabled)
    team.audit.add(BY, "user disabled" if asked.is_disabled else "user enabled", asked.name)


def _team() -> Team:
    engine = open_engine(Settings.from_env().database_url)
    migrations.upgrade(engine)
    return Team.of(engine)


def _password() -> str:
    """From the terminal, or the first line of what is piped in; never from the arguments, which
    other users of the machine can read.
    """
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\n")
    first = getpass.getpass("Password (empty: one is made): ")
    if not first:
        first = "-".join(secrets.token_hex(3) for _ in range(4))
        sys.stderr.write(f"The password is {first}\n")
    elif getpass.getpass("Again: ") != first:
        raise BadRequest("The two passwords differ.", "Try again.")
    return first
