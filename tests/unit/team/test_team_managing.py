"""Managing people, what is written down of it, and what keeps a start from being unsafe."""

from __future__ import annotations

from pathlib import Path

import pytest
from dash import Dash
from flask.testing import FlaskClient

from backend.errors import BadRequest
from backend.settings import Settings
from backend.team.people import label_of
from backend.team.team import secret_key
from tests.team_app import (
    PASSWORD,
    logged_in,
)

# Managing


def test_admins_manage_and_everything_is_written_down(
    app: Dash, clients: dict[str, FlaskClient]
) -> None:
    admin = clients["admin"]
    made = admin.post("/_team/users", json={"name": "eve", "role": "viewer", "password": PASSWORD})
    assert made.get_json()["user"]["role"] == "viewer"
    eve = logged_in(app, "eve")
    assert admin.post("/_team/users/eve", json={"role": "analyst"}).status_code == 200
    assert eve.get("/_jobs").status_code == 401
    for body in ({"password": "short"}, {"role": "king"}, {}, {"is_disabled": "yes"}):
        assert admin.post("/_team/users/eve", json=body).status_code == 400
    assert admin.post("/_team/users/admin", json={"is_disabled": True}).status_code == 400
    assert admin.post("/_team/users/nobody", json={"role": "viewer"}).status_code == 404
    for name in ("", "<script>", "x" * 80, "simulated-1", "eve"):
        body = {"name": name, "role": "viewer", "password": PASSWORD}
        assert admin.post("/_team/users", json=body).status_code == 400
    changes = admin.get("/_team/audit").get_json()["changes"]
    actions = {(one["who"], one["action"], one["target"]) for one in changes}
    assert ("admin", "user added", "eve: viewer") in actions
    assert ("admin", "role changed", "eve: analyst") in actions
    assert ("eve", "login", "") in actions
    assert PASSWORD not in str(changes)


def test_changes_of_pages_are_written_down(clients: dict[str, FlaskClient]) -> None:
    clients["analyst"].post("/_links", json={"path": "/nero", "state": {}})
    newest = clients["admin"].get("/_team/audit").get_json()["changes"][0]
    assert newest["who"] == "analyst"
    assert (newest["action"], newest["target"]) == ("POST /_links", "/_links")


def test_addresses_become_names_for_answers() -> None:
    assert label_of("ann@lab.org") == "ann at lab.org"
    assert len(label_of("x" * 64)) == 40


def test_keys_of_cookies(tmp_path: Path) -> None:
    settings = Settings.from_env({"LOUPE_STATE_DIR": str(tmp_path / "a"), "LOUPE_AUTH": "password"})
    key = secret_key(settings)
    assert len(key) == 64
    assert secret_key(settings) == key  # two workers, one key
    assert (tmp_path / "a" / "cookie.key").stat().st_mode & 0o077 == 0
    for weak in ("changeme", "a" * 40):
        with pytest.raises(BadRequest, match="LOUPE_SECRET_KEY") as told:
            Settings.from_env({"LOUPE_AUTH": "password", "LOUPE_SECRET_KEY": weak})
        assert weak not in str(told.value)


@pytest.mark.parametrize(
    ("env", "sentence"),
    [
        ({"HOST": "0.0.0.0"}, "HOST='0.0.0.0' can be reached from other machines"),
        ({"HOST": "192.168.0.7"}, "HOST='192.168.0.7' can be reached from other machines"),
        ({"LOUPE_NAMES": "loupe.example"}, "LOUPE_NAMES='loupe.example' opens the app to others"),
        ({"HOST": "0.0.0.0", "LOUPE_AUTH": "password"}, "LOUPE_NAMES='' holds none"),
        ({"LOUPE_AUTH": "basic"}, "LOUPE_AUTH='basic' is not one of password, oidc, proxy"),
        ({"LOUPE_AUTH": "oidc"}, "LOUPE_AUTH='oidc' needs LOUPE_OIDC_URL"),
        ({"LOUPE_AUTH": "proxy", "LOUPE_NEW_ROLE": "admin"}, "LOUPE_NEW_ROLE='admin' is not"),
    ],
)
def test_no_start_without_a_login_that_works(env: dict[str, str], sentence: str) -> None:
    with pytest.raises(BadRequest) as told:
        Settings.from_env(env)
    assert sentence in told.value.message
    assert told.value.hint


def test_secrets_are_not_in_what_settings_print() -> None:
    env = {
        "LOUPE_AUTH": "oidc",
        "LOUPE_OIDC_URL": "https://issuer.example",
        "LOUPE_OIDC_CLIENT": "loupe",
        "LOUPE_OIDC_SECRET": "canary-1",
        "LOUPE_SECRET_KEY": "canary-2-0123456789abcdef-ABCDEF",
        "LOUPE_DATABASE_URL": "postgresql://u:canary-3@h/x",
        "LOUPE_REDIS_URL": "redis://:canary-4@h/0",
    }
    assert "canary" not in repr(Settings.from_env(env))
