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
from werkzeug.routing import Rule

from app import create_app
from backend.settings import Settings
from backend.team.people import ROLES
from backend.team.team import Team
from backend.work import Work
from components.runtime import Services, create_services
from tests.bound import bound
from tests.fake_work import WORKS

PASSWORD = "three unrelated words"
Held = tuple[Dash, Services]
CALLBACK = "/_dash-update-component"
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


def rules(app: Dash) -> list[tuple[str, Rule]]:
    """Every method of every route of the running app."""
    found = [
        (method, rule)
        for rule in app.server.url_map.iter_rules()
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"})
    ]
    assert len(found) > 60
    return found


def address(rule: Rule) -> str:
    """An address that the rule takes."""

    def filled(part: re.Match[str]) -> str:
        kind = part[1] or ""
        choice = re.match(r"any\((\w+)", kind)
        return choice[1] if choice else "1" if kind.startswith("int") else "x.json"

    return re.sub(r"<(?:([^<>]*):)?\w+>", filled, str(rule))


def ask(client: FlaskClient, method: str, path: str) -> Any:
    body = {"json": {}} if method in ("POST", "PUT") else {}
    return client.open(path, method=method, headers=ORIGIN, **body)


def callback(app: Dash, output: str, pathname: str = "/crayon") -> dict[str, Any]:
    """A request in the form that a browser would send."""
    known = app.callback_map[output]
    made = known["output"] if isinstance(known["output"], list) else [known["output"]]
    values = {"pathname": pathname, "search": ""}
    outputs = [{"id": o.component_id_str(), "property": o.component_property} for o in made]
    sent = {
        part: [
            {"id": s["id"], "property": s["property"], "value": values.get(s["property"])}
            for s in known[part]
        ]
        for part in ("inputs", "state")
    }
    outputs_or_one = outputs if output.startswith("..") else outputs[0]
    return {"output": output, "outputs": outputs_or_one, "changedPropIds": [], **sent}
