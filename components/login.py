"""The login of a team: who asks, what their role allows, and what is written down about it.

``register`` does nothing where no login is set up: on one machine, whoever sits there is the owner.
"""

from __future__ import annotations

import logging
from typing import Final
from urllib.parse import quote

import orjson
from dash import Dash
from flask import Flask, Response, g, redirect, request
from flask_login import LoginManager, current_user
from werkzeug.wrappers import Response as BaseResponse

from backend.errors import BackendError
from backend.settings import LOCAL_HOSTS, Settings
from backend.team.people import ANNOTATOR
from backend.team.sessions import WHOLE_S
from backend.team.team import Forbidden, NotLoggedIn, Team, TooMany, secret_key
from components import access, login_proxy, login_routes, team_routes
from components.access import PUBLIC, QUEUE, allowed
from components.identity import User, person
from components.runtime import Services
from components.security import WRITES, Guard

log = logging.getLogger("loupe.login")
CALLBACKS: Final = "/_dash-update-component"
READ_ONLY: Final = ("/_dash-update-component", "/_table/", "/_crayon/answers", "/_crayon/undo")
"""Posts that need no row in the log of changes: they read, or keep a history of their own."""


def register(app: Dash, settings: Settings, held: Services) -> Guard | None:
    """Add the routes of the login; returns what every request must pass, for ``protect``."""
    team_routes.register(app.server)
    if held.team is None:
        return None
    server = app.server
    _keep_cookies(server, settings)
    _know(server, settings, held.team)
    login_routes.register(server)
    if settings.auth == "oidc":
        from components import login_oidc  # its libraries take a third of a second to load

        login_oidc.register(server, settings)
    team = held.team
    server.after_request(lambda response: _written_down(response, team))
    return lambda: _refused(team)


def _keep_cookies(server: Flask, settings: Settings) -> None:
    is_public = settings.host not in LOCAL_HOSTS or any(
        name not in LOCAL_HOSTS for name in settings.names
    )
    is_secure = is_public and settings.cookies == "https"
    server.secret_key = secret_key(settings)
    server.config.update(
        SESSION_COOKIE_NAME="__Host-loupe" if is_secure else "loupe",
        SESSION_COOKIE_SECURE=is_secure,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        PERMANENT_SESSION_LIFETIME=WHOLE_S,
    )


def _know(server: Flask, settings: Settings, team: Team) -> None:
    manager = LoginManager(server)
    manager.session_protection = None  # logins end in the database, whatever the cookie says

    @manager.user_loader
    def load(token: str) -> User | None:
        found = team.sessions.person(token)
        return User(found, token) if found else None

    if settings.auth == "proxy":
        manager.request_loader(lambda asked: login_proxy.user(asked, settings, team))


def _refused(team: Team) -> BaseResponse | None:
    """A redirection for whoever is somewhere else at home.

    Raises:
        NotLoggedIn, Forbidden, TooMany: answered as 401, 403 and 429.
    """
    rule = str(request.url_rule) if request.url_rule else "/<path:path>"
    if rule in PUBLIC:
        return None
    if request.method in WRITES and not _says_where_from():
        raise Forbidden("The request does not say which page it comes from.", "Use a browser.")
    if not current_user.is_authenticated:
        return _to_login()
    asks = current_user.person
    if asks.role not in allowed(rule, request.method):
        if asks.role == ANNOTATOR and _is_page():
            return redirect(QUEUE)
        raise Forbidden(f"This is not for the role {asks.role}.", "Ask an admin of the team.")
    if request.method in WRITES:
        wait_s = team.writes.take(str(asks.id))
        if wait_s:
            raise TooMany("You ask faster than the server takes.", wait_s)
    return _sent_home(rule) if asks.role == ANNOTATOR else None


def _says_where_from() -> bool:
    """Browsers say it with every write; ``security.protect`` has refused what is foreign."""
    is_ours = request.headers.get("Sec-Fetch-Site") == "same-origin"
    return is_ours or bool(request.headers.get("Origin"))


def _sent_home(rule: str) -> BaseResponse | None:
    """Annotators have one page, and the callbacks of that page."""
    if rule in ("/", "/<path:path>") and request.path != QUEUE:
        return redirect(QUEUE)
    if rule == CALLBACKS and not access.annotators_callback(_body()):
        raise Forbidden("Annotators see their queue only.", "Open the invitation again.")
    return None


def _body() -> object:
    try:
        return orjson.loads(request.get_data())
    except orjson.JSONDecodeError:
        return None


def _to_login() -> BaseResponse:
    if not _is_page():
        raise NotLoggedIn("You are not logged in, or no longer.", "Log in, then try again.")
    back = request.full_path.removesuffix("?")
    return redirect("/login" if back == "/" else f"/login?next={quote(back, safe='/')}")


def _is_page() -> bool:
    rule = str(request.url_rule) if request.url_rule else ""
    is_shown = rule in ("/", "/<path:path>", "/s/<path:link_id>")
    return request.method == "GET" and is_shown


def _written_down(response: Response, team: Team) -> Response:
    """Log what was changed, and let no shared cache keep what needs a login."""
    if str(request.url_rule) not in PUBLIC:
        kept = response.headers.get("Cache-Control", "")
        response.headers["Cache-Control"] = kept.replace("public", "private") or "no-cache"
    is_change = request.method in WRITES and response.status_code < 400
    if is_change and not request.path.startswith(READ_ONLY) and "audited" not in g:
        asks = person()
        try:
            team.audit.add(asks.name if asks else "", f"{request.method} {_rule()}", request.path)
        except BackendError as error:  # the change itself is done
            log.error("a change is not in the log of changes: %s", error)
    return response


def _rule() -> str:
    return str(request.url_rule or "")
