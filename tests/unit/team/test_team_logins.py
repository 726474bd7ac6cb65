"""Logins: wrong passwords, cookies, sessions, rates."""

from __future__ import annotations

import statistics
import time
from pathlib import Path

import pytest
from dash import Dash
from flask.testing import FlaskClient

from tests.team_app import (
    ORIGIN,
    PASSWORD,
    Held,
    form_of,
    log_in,
    logged_in,
    team_app,
)

# Logins


def test_wrong_passwords_end_in_429_and_the_right_one_waits_too(app: Dash) -> None:
    client = app.server.test_client()
    codes = [log_in(client, "analyst", "wrong password").status_code for _ in range(50)]
    assert codes == [401] * 10 + [429] * 40
    refused = log_in(client, "analyst")
    assert refused.status_code == 429
    assert int(refused.headers["Retry-After"]) > 0
    assert log_in(client, "viewer").status_code == 302  # another name is not shut out


def test_unknown_names_take_as_long_as_wrong_passwords(held: Held) -> None:
    from argon2 import PasswordHasher

    from backend.team.people import People

    people = People(held[1].engine, PasswordHasher(time_cost=2, memory_cost=8192))
    people.add("somebody", "viewer", PASSWORD)
    spent: dict[str, list[float]] = {"somebody": [], "nobody at all": []}
    for _ in range(15):
        for name, times in spent.items():
            start_s = time.process_time()  # of this process: others may be busy
            assert people.checked(name, "wrong password") is None
            times.append(time.process_time() - start_s)
    known, unknown = (statistics.median(times) for times in spent.values())
    assert abs(known - unknown) < max(0.005, 0.5 * known), (known, unknown)


def test_a_cookie_is_worth_nothing_after_logging_out(app: Dash) -> None:
    client = logged_in(app, "viewer")
    cookie = client.get_cookie("loupe")
    assert cookie is not None
    assert client.get("/_jobs").status_code == 200
    assert client.post("/logout").status_code == 302
    thief = app.server.test_client()
    thief.set_cookie("loupe", cookie.value)
    assert thief.get("/_jobs").status_code == 401


def test_a_login_never_keeps_the_session_it_came_with(app: Dash) -> None:
    """Session fixation: what was planted before the login opens nothing after it."""
    client = app.server.test_client()
    client.get("/login")
    planted = client.get_cookie("loupe")
    assert planted is not None
    log_in(client, "viewer")
    renewed = client.get_cookie("loupe")
    assert renewed is not None
    assert renewed.value != planted.value
    thief = app.server.test_client()
    thief.set_cookie("loupe", planted.value)
    assert thief.get("/_jobs").status_code == 401


def test_forged_cookies_are_nobody(app: Dash) -> None:
    from flask import Flask

    for key in ("", "secret", "dev", "changeme", "thisISaSECRET_1234"):
        other = Flask("forger")
        other.secret_key = key or "x"
        signer = other.session_interface.get_signing_serializer(other)  # type: ignore[attr-defined]
        client = app.server.test_client()
        client.set_cookie("loupe", signer.dumps({"_user_id": "x" * 43, "_fresh": True}))
        assert client.get("/_jobs").status_code == 401


def test_cookies_have_their_flags(app: Dash, tmp_path: Path) -> None:
    header = app.server.test_client().get("/login").headers["Set-Cookie"]
    assert "HttpOnly" in header
    assert "SameSite=Lax" in header
    env = {"LOUPE_NAMES": "loupe.example.org", "LOUPE_SECRET_KEY": "0123456789abcdef" * 4}
    with team_app(tmp_path, **env) as (public, _):
        answer = public.server.test_client().get(
            "/login", base_url="https://loupe.example.org", headers={"Host": "loupe.example.org"}
        )
        assert answer.headers["Set-Cookie"].startswith("__Host-loupe=")
        assert "Secure" in answer.headers["Set-Cookie"]


@pytest.mark.parametrize("path", ["https://evil.example", "//evil.example", "/\\evil", "x", "/a\n"])
def test_a_login_leads_to_this_app_only(app: Dash, path: str) -> None:
    client = app.server.test_client()
    assert log_in(client, "viewer", next=path).headers["Location"] == "/"
    again = app.server.test_client()
    there = log_in(again, "viewer", next="/nero?task=digits&angle=3")
    assert there.headers["Location"] == "/nero?task=digits&angle=3"


def test_other_sites_log_nobody_in_and_write_nothing(app: Dash) -> None:
    client = app.server.test_client()
    data = {"form": form_of(client), "name": "viewer", "password": PASSWORD}
    foreign = {"Origin": "https://evil.example"}
    assert client.post("/login", data=data, headers=foreign).status_code == 403
    assert client.post("/login", data={**data, "form": "x"}, headers=ORIGIN).status_code == 403
    log_in(client, "viewer")
    for headers in (foreign, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}, {}):
        answer = client.post("/_links", json={"path": "/nero", "state": {}}, headers=headers)
        assert answer.status_code == 403, headers


def test_disabling_a_role_or_password_takes_effect_at_once(app: Dash, held: Held) -> None:
    team = held[1].team
    assert team is not None
    team.people.add("ann", "viewer", PASSWORD)
    client = logged_in(app, "ann")
    team.people.set_role("ann", "analyst")
    assert client.get("/_jobs").status_code == 401
    client = logged_in(app, "ann")
    team.people.disable("ann")
    assert client.get("/_jobs").status_code == 401
    assert log_in(app.server.test_client(), "ann").status_code == 401


def test_one_user_asking_too_fast_does_not_slow_another(
    clients: dict[str, FlaskClient], held: Held, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert held[1].team is not None
    monkeypatch.setattr(held[1].team.writes, "_burst", 20)
    monkeypatch.setattr(held[1].team.writes, "_per_s", 0.01)
    body = {"path": "/nero", "state": {"angle": 1}}
    codes = [clients["viewer"].post("/_links", json=body).status_code for _ in range(40)]
    assert codes == [200] * 20 + [429] * 20
    assert clients["analyst"].post("/_links", json=body).status_code == 200
