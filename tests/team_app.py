"""An app with a login, its users and clients that behave as browsers do."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from argon2 import PasswordHasher
from dash import Dash
from flask.testing import FlaskClient

from app import create_app
from backend.settings import Settings
from backend.team.people import ROLES
from backend.team.team import Team
from backend.work import Work
from components.runtime import Services, create_services
from tests.bound import bound
from tests.fake_work import WORKS

PASSWORD = "three unrelated words"
ORIGIN = {"Origin": "http://localhost"}
CHEAP = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)  # seconds matter in tests


@contextmanager
def team_app(
    folder: Path, works: Mapping[str, Work] = WORKS, **env: str
) -> Iterator[tuple[Dash, Services]]:
    """The app and its services; one user for each role, named like it."""
    env = {"LOUPE_STATE_DIR": str(folder), "LOUPE_AUTH": "password", **env}
    services = create_services(Settings.from_env(env), works)
    services = replace(services, team=Team.of(services.engine, CHEAP))
    assert services.team is not None
    for role in ROLES:
        if services.team.people.find(role) is None:
            services.team.people.add(role, role, PASSWORD)
    try:
        yield bound_with_login(services), services
    finally:
        services.close()


def bound_with_login(services: Services) -> Dash:
    """The app after its first request, which must be let through: see ``tests/bound.py``."""
    app = create_app(services.settings, services)
    guards = app.server.before_request_funcs.pop(None, [])
    bound(app)
    app.server.before_request_funcs[None] = guards
    return app


def form_of(client: FlaskClient, path: str = "/login") -> str:
    found = re.search(r'name="form" value="([^"]+)"', client.get(path).text)
    assert found
    return found[1]


def log_in(client: FlaskClient, name: str, password: str = PASSWORD, **more: str) -> Any:
    data = {"form": form_of(client), "name": name, "password": password, **more}
    return client.post("/login", data=data, headers=ORIGIN)


def logged_in(app: Dash, name: str) -> FlaskClient:
    client = app.server.test_client()
    assert log_in(client, name).status_code == 302
    client.environ_base["HTTP_ORIGIN"] = "http://localhost"
    return client
