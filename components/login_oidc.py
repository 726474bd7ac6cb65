"""Logins at an OpenID Connect issuer, by Authlib: code flow with PKCE, state and nonce."""

from __future__ import annotations

from typing import Any, Final

from authlib.common.errors import AuthlibBaseError
from authlib.integrations.flask_client import OAuth
from flask import Blueprint, Flask, current_app, redirect, request, session
from joserfc.errors import JoseError
from requests import RequestException
from werkzeug.wrappers import Response as BaseResponse

from backend.errors import BackendError
from backend.settings import Settings
from backend.team.people import NAME
from backend.team.team import Forbidden
from components import login_routes
from components.login_proxy import known
from components.runtime import services

blueprint = Blueprint("login_oidc", __name__)
CONFIGURATION: Final = "/.well-known/openid-configuration"
TIMEOUT_S: Final = 10
CLAIMS: Final = ("email", "preferred_username", "sub")


def register(server: Flask, settings: Settings) -> None:
    """Adds the two routes; the issuer is asked at the first login."""
    oauth = OAuth(server)
    oauth.register(
        "team",
        client_id=settings.oidc_client,
        client_secret=settings.oidc_secret,
        server_metadata_url=settings.oidc_url.rstrip("/") + CONFIGURATION,
        client_kwargs={
            "scope": "openid email profile",
            "code_challenge_method": "S256",
            "timeout": TIMEOUT_S,
        },
    )
    server.register_blueprint(blueprint)


def _client() -> Any:
    return current_app.extensions["authlib.integrations.flask_client"].team


@blueprint.get("/_auth/start")
def start() -> BaseResponse:
    """Sends the browser to the issuer."""
    session["next"] = login_routes._next()
    settings = services().settings
    is_secure = current_app.config["SESSION_COOKIE_SECURE"]
    back = f"{'https' if is_secure else 'http'}://{request.host}/_auth/back"
    try:
        sent: BaseResponse = _client().authorize_redirect(back)
    except (AuthlibBaseError, RequestException, ValueError) as error:
        return login_routes.refusal(_unreachable(settings, error))
    return sent


@blueprint.get("/_auth/back")
def back() -> BaseResponse:
    """The browser comes back with a code, which the issuer changes for who it is."""
    settings, team = services().settings, services().team
    assert team is not None
    wanted = str(session.get("next", "/"))
    try:
        token = _client().authorize_access_token()
        found = known(_name(token.get("userinfo") or {}), settings, team)
    except BackendError as error:
        return login_routes.refusal(error)
    except (AuthlibBaseError, JoseError, RequestException, ValueError) as error:
        return login_routes.refusal(_unreachable(settings, error))
    login_routes.let_in(found, "login by issuer")
    return redirect(wanted)


def _name(claims: dict[str, Any]) -> str:
    """The name the issuer vouches for: an address only where it was verified."""
    for claim in CLAIMS:
        value = str(claims.get(claim, ""))
        if claim == "email" and claims.get("email_verified") is not True:
            continue
        if NAME.fullmatch(value):
            return value
    raise Forbidden("The issuer names nobody.", "It must send email, preferred_username or sub.")


def _unreachable(settings: Settings, error: Exception) -> Forbidden:
    login_routes_log = current_app.logger
    login_routes_log.warning("login at %s failed: %s", settings.oidc_url, type(error).__name__)
    return Forbidden("The login at your organisation did not work.", "Try again from /login.")
