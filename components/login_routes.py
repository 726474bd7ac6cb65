"""Logging in with a password, coming by invitation, and logging out: plain pages without Dash."""

from __future__ import annotations

import hmac
import re
import secrets
from html import escape
from typing import Final

from flask import Blueprint, Flask, Response, g, redirect, request, session
from flask_login import current_user, login_user, logout_user
from werkzeug.wrappers import Response as BaseResponse

from backend.errors import BackendError, NotFound
from backend.team.people import Person
from backend.team.team import Forbidden, Team, TooMany
from components.identity import User
from components.runtime import services

blueprint = Blueprint("login", __name__)
NEXT: Final = re.compile(r"/(?![/\\])[\w\-./~%?=&,:+!$'()*;@]*\Z")
WRONG: Final = "Name and password do not fit."
_PAGE: Final = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark"><meta name="robots" content="noindex">
<title>{title} · Loupe</title>
<link rel="icon" type="image/svg+xml" href="/assets/logo.svg">
<script src="/assets/00-first-paint.js"></script>
<link rel="stylesheet" href="/assets/00-tokens.css">
<link rel="stylesheet" href="/assets/10-shell.css">
<link rel="stylesheet" href="/assets/15-login.css">
</head>
<body class="login-body">
<main class="login lp-card">
<p class="login-brand"><span class="lp-logo" aria-hidden="true"></span>Loupe</p>
<h1>{title}</h1>
{content}
</main>
</body>
</html>"""


def register(server: Flask) -> None:
    """Adds the routes."""
    server.register_blueprint(blueprint)


@blueprint.get("/login")
def show_login() -> BaseResponse:
    """The form, or the way to another login."""
    if current_user.is_authenticated:
        return redirect(_next())
    return page("Log in", _form())


@blueprint.post("/login")
def log_in() -> BaseResponse:
    """Checks name and password; too many wrong ones are a 429."""
    held = services()
    if held.settings.auth != "password":
        raise NotFound("This team logs in elsewhere.", "Open /login.")
    _check_form()
    team = _team()
    name = request.form.get("name", "").strip()[:64]
    address = remote_address()
    wait_s = max(
        team.guesses.wait_s(f"{address} {name}"),
        team.from_one.wait_s(address),
        team.about_one.wait_s(name),
    )
    if wait_s > 0:
        return _too_often(TooMany("Too many wrong passwords.", wait_s))
    found = team.people.checked(name, request.form.get("password", ""))
    if found is None:
        team.guesses.take(f"{address} {name}")
        team.from_one.take(address)
        team.about_one.take(name)
        team.audit.add(name, "login refused")
        return page("Log in", _form(WRONG, name), 401)
    team.guesses.refill(f"{address} {name}")
    let_in(found, "login")
    return redirect(_next())


@blueprint.get("/join/<token>")
def show_invitation(token: str) -> BaseResponse:
    """Says who is invited; opening a link must not log in by itself."""
    try:
        guest, _ = _team().invites.guest(token)
    except NotFound as error:
        return page("Invitation", f"<p>{escape(error.message)} {escape(error.hint)}</p>", 404)
    content = (
        f"<p>You are invited to answer as <b>{escape(guest.label)}</b>. Your answers are stored "
        "under this name.</p>"
        f'<form method="post">{_token()}'
        '<button class="lp-btn lp-btn-main login-go" autofocus>Start</button></form>'
    )
    return page("Invitation", content)


@blueprint.post("/join/<token>")
def join(token: str) -> BaseResponse:
    """Lets the invited annotator in and opens their queue."""
    _check_form()
    guest, query = _team().invites.guest(token)
    let_in(guest, "login by invitation")
    return redirect(f"/crayon?{query}")


@blueprint.post("/logout")
def log_out() -> BaseResponse:
    """Ends the login, here and for whoever has copied its cookie."""
    team = _team()
    if current_user.is_authenticated:
        team.sessions.end(current_user.token)
        team.audit.add(current_user.person.name, "logout")
    g.audited = True
    logout_user()
    session.clear()
    return redirect("/login")


def let_in(found: Person, how: str) -> None:
    """Start a login for ``found``: always under a new token, with nothing of an earlier one."""
    team = _team()
    session.clear()
    session.permanent = True
    login_user(User(found, team.sessions.start(found)))
    team.audit.add(found.name, how)
    g.audited = True


def page(title: str, content: str, status: int = 200) -> Response:
    """A page without Dash, in the look of the app. ``content`` is HTML, its values escaped."""
    text = _PAGE.format(title=escape(title), content=content)
    response = Response(text, status, mimetype="text/html")
    response.headers["Cache-Control"] = "no-store"
    return response


def remote_address() -> str:
    """Address of the browser: what the last trusted proxy says, or the other end itself."""
    address = request.remote_addr or ""
    if address in services().settings.proxies:
        address = request.headers.get("X-Forwarded-For", "").rpartition(",")[2].strip() or address
    return address[:64]


def _team() -> Team:
    team = services().team
    if team is None:
        raise NotFound("There is no login here.")
    return team


def _form(said: str = "", name: str = "") -> str:
    if services().settings.auth == "oidc":
        return (
            f'<p>Your organisation knows you.</p><a class="lp-btn lp-btn-main login-go" '
            f'href="/_auth/start?next={escape(_next())}">Log in with your organisation</a>'
        )
    if services().settings.auth == "proxy":
        return "<p>The proxy in front of Loupe has not named you, or nobody here has that name.</p>"
    alert = f'<p class="login-said" role="alert">{escape(said)}</p>' if said else ""
    return f"""{alert}<form method="post" action="/login">{_token()}
<input type="hidden" name="next" value="{escape(_next())}">
<label>Name<input class="lp-field" name="name" autocomplete="username" value="{escape(name)}"
 required maxlength="64" {"" if name else "autofocus"}></label>
<label>Password<input class="lp-field" name="password" type="password"
 autocomplete="current-password" required maxlength="200" {"autofocus" if name else ""}></label>
<button class="lp-btn lp-btn-main login-go">Log in</button></form>"""


def _too_often(error: TooMany) -> Response:
    response = page("Log in", _form(f"{error.message} {error.hint}"), 429)
    response.headers["Retry-After"] = str(max(1, round(error.wait_s)))
    return response


def _token() -> str:
    """A hidden field that only a form of ours can hold: nobody is logged in by another site."""
    kept = session.setdefault("form", secrets.token_urlsafe(16))
    return f'<input type="hidden" name="form" value="{escape(kept)}">'


def _check_form() -> None:
    kept, given = str(session.get("form", "")), request.form.get("form", "")
    if not kept or not hmac.compare_digest(kept.encode(), given.encode()):
        raise Forbidden("The form is out of date.", "Open /login again, then log in.")


def _next() -> str:
    """Where to go after the login: a path of this app, never another site."""
    wanted = request.values.get("next", "/")
    return wanted if len(wanted) < 4000 and NEXT.match(wanted) else "/"


def refusal(error: BackendError) -> BaseResponse:
    """A login elsewhere that does not let anybody in, as a page."""
    return page("Log in", f'<p role="alert">{escape(error.message)} {escape(error.hint)}</p>', 403)
