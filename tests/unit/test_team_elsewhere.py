"""Logins that others do: an OpenID Connect issuer in this process, and a proxy in front."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from dash import Dash
from flask import Flask, Response, jsonify, request
from joserfc import jwt
from joserfc.jwk import RSAKey
from werkzeug.serving import make_server

from tests.team_app import ORIGIN, team_app

KEY = RSAKey.generate_key(2048, {"kid": "one", "use": "sig", "alg": "RS256"})


class Issuer:
    """What an OpenID Connect issuer says; tests change ``claims``."""

    def __init__(self) -> None:
        self.claims: dict[str, Any] = {}
        self.nonce = ""
        self.challenge = ""
        self.url = ""
        self.key = KEY

    def app(self) -> Flask:
        app = Flask("issuer")
        app.get("/.well-known/openid-configuration")(self.configuration)
        app.get("/keys")(lambda: jsonify({"keys": [KEY.as_dict(private=False)]}))
        app.post("/token")(self.token)
        return app

    def configuration(self) -> Response:
        paths = {"authorization_endpoint": "/authorize", "token_endpoint": "/token"}
        paths |= {"jwks_uri": "/keys"}
        urls = {name: self.url + path for name, path in paths.items()}
        return jsonify(
            {"issuer": self.url, "id_token_signing_alg_values_supported": ["RS256"], **urls}
        )

    def token(self) -> Response:
        assert request.form["code_verifier"]
        now = int(time.time())
        claims = {"iss": self.url, "aud": "loupe", "iat": now, "exp": now + 60, "sub": "s-1"}
        claims |= {"nonce": self.nonce, **self.claims}
        signed = jwt.encode({"alg": "RS256", "kid": "one"}, claims, self.key)
        return jsonify({"access_token": "a", "token_type": "Bearer", "id_token": signed})


@contextmanager
def running(issuer: Issuer) -> Iterator[None]:
    server = make_server("127.0.0.1", 0, issuer.app())
    issuer.url = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(scope="module")
def issuer() -> Iterator[Issuer]:
    made = Issuer()
    with running(made):
        yield made


def env(issuer: Issuer, **more: str) -> dict[str, str]:
    secret = {"LOUPE_OIDC_CLIENT": "loupe", "LOUPE_OIDC_SECRET": "s"}
    return {"LOUPE_AUTH": "oidc", "LOUPE_OIDC_URL": issuer.url, **secret, **more}


def round_trip(client: Any, issuer: Issuer, state: str = "") -> Any:
    """To the issuer and back, as a browser goes; ``state`` replaces the one that was sent."""
    sent = client.get("/_auth/start?next=/nero")
    assert sent.status_code == 302, sent.text
    query = parse_qs(urlsplit(sent.headers["Location"]).query)
    assert query["code_challenge_method"] == ["S256"]
    issuer.nonce = query["nonce"][0]
    back = urlsplit(query["redirect_uri"][0]).path
    return client.get(f"{back}?code=c&state={state or query['state'][0]}")


@pytest.fixture(scope="module")
def app(issuer: Issuer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dash]:
    with team_app(tmp_path_factory.mktemp("oidc"), **env(issuer)) as (made, held):
        assert held.team is not None
        held.team.people.add("ann@lab.org", "analyst")
        yield made


def test_whom_the_issuer_knows_gets_in(issuer: Issuer, app: Dash) -> None:
    issuer.claims = {"email": "ann@lab.org", "email_verified": True}
    client = app.server.test_client()
    assert "Log in with your organisation" in client.get("/login").text
    assert client.post("/login", data={}, headers=ORIGIN).status_code == 404
    there = round_trip(client, issuer)
    assert (there.status_code, there.headers["Location"]) == (302, "/nero")
    assert client.get("/_jobs").status_code == 200
    client.post("/logout", headers=ORIGIN)
    assert client.get("/_jobs").status_code == 401


@pytest.mark.parametrize(
    ("claims", "state", "sentence"),
    [
        ({"email": "eve@lab.org", "email_verified": True}, "", "is not a member of this team"),
        ({"email": "ann@lab.org", "email_verified": False}, "", "s-1 is not a member"),
        ({"email": "ann@lab.org", "email_verified": True}, "forged", "did not work"),
        ({"nonce": "another", "email": "ann@lab.org", "email_verified": True}, "", "did not work"),
        ({"aud": "another", "email": "ann@lab.org", "email_verified": True}, "", "did not work"),
        ({"exp": 1, "email": "ann@lab.org", "email_verified": True}, "", "did not work"),
        ({"sub": "<script>"}, "", "names nobody"),
    ],
)
def test_others_do_not(
    issuer: Issuer, app: Dash, claims: dict[str, Any], state: str, sentence: str
) -> None:
    issuer.claims = claims
    client = app.server.test_client()
    refused = round_trip(client, issuer, state)
    assert refused.status_code == 403
    assert sentence in refused.text
    assert client.get("/_jobs").status_code == 401


def test_a_token_signed_by_somebody_else_is_refused(issuer: Issuer, app: Dash) -> None:
    issuer.claims = {"email": "ann@lab.org", "email_verified": True}
    issuer.key = RSAKey.generate_key(2048, {"kid": "one"})
    client = app.server.test_client()
    try:
        assert round_trip(client, issuer).status_code == 403
    finally:
        issuer.key = KEY
    assert client.get("/_jobs").status_code == 401


def test_an_issuer_that_is_away_is_a_sentence(issuer: Issuer, tmp_path: Path) -> None:
    away = env(issuer) | {"LOUPE_OIDC_URL": "http://127.0.0.1:9"}
    with team_app(tmp_path, **away) as (app, _):
        refused = app.server.test_client().get("/_auth/start")
        assert refused.status_code == 403
        assert "did not work" in refused.text


def test_a_proxy_names_who_asks(tmp_path: Path) -> None:
    with team_app(tmp_path, LOUPE_AUTH="proxy") as (app, _):
        client = app.server.test_client()
        assert client.get("/_jobs").status_code == 401
        assert client.get("/_jobs", headers={"X-Forwarded-User": "viewer"}).status_code == 200
        for name in ("nobody", "", "<script>", "a" * 80):
            assert client.get("/_jobs", headers={"X-Forwarded-User": name}).status_code == 401
        elsewhere = {"REMOTE_ADDR": "10.0.0.9"}
        asked = {"headers": {"X-Forwarded-User": "admin"}, "environ_base": elsewhere}
        assert client.get("/_jobs", **asked).status_code == 401  # not the proxy


def test_new_people_get_the_role_that_is_set(tmp_path: Path) -> None:
    with team_app(tmp_path, LOUPE_AUTH="proxy", LOUPE_NEW_ROLE="viewer") as (app, held):
        client = app.server.test_client()
        asked = {"X-Forwarded-User": "new@lab.org", **ORIGIN}
        assert client.get("/_jobs", headers=asked).status_code == 200
        assert client.post("/_jobs/x/rerun", headers=asked).status_code == 403
        assert held.team is not None
        held.team.people.disable("new@lab.org")
        assert client.get("/_jobs", headers=asked).status_code == 401
