"""What every request must pass and every response carries.

Callbacks are an open HTTP interface, so their bodies are checked here before Dash sees them:
Dash itself answers a broken one with an HTML error page.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final
from urllib.parse import SplitResult, urlsplit
from uuid import uuid4

import orjson
from dash import Dash
from dash.exceptions import DependencyException, InvalidResourceError
from flask import Flask, Response, g, request
from werkzeug.exceptions import HTTPException, InternalServerError, RequestEntityTooLarge
from werkzeug.wrappers import Response as BaseResponse

from backend.errors import (
    BackendError,
    BadRequest,
    DeviceFull,
    NotFound,
    StorageFull,
    WeightsRefused,
)
from backend.jobs import NoAnswer
from backend.settings import LOCAL_HOSTS, Settings
from backend.team.team import Forbidden, NotLoggedIn, TooMany
from components import callback_form

log = logging.getLogger(__name__)
STATUS: Final[dict[type[BackendError], int]] = {
    BadRequest: 400,
    NotFound: 404,
    WeightsRefused: 409,
    StorageFull: 507,
    DeviceFull: 507,
    NoAnswer: 503,
    NotLoggedIn: 401,
    Forbidden: 403,
    TooMany: 429,
}
HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
CSP: Final = (
    # plotly.js compiles the drawing code of its WebGL traces; without 'unsafe-eval' they silently
    # show "WebGL is not supported". Inline scripts and scripts from elsewhere stay forbidden.
    "default-src 'self'; script-src 'self' 'unsafe-eval' {scripts}; "
    # Mantine, AG Grid and plotly set styles from JavaScript
    "style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self' data: blob:; "
    "worker-src 'self' blob:; object-src 'none'; base-uri 'self'; form-action 'self'; "
    "frame-ancestors 'none'"
)
RESERVED: Final = ("/_", "/s/", "//")
Guard = Callable[[], BaseResponse | None]
WRITES: Final = ("POST", "PUT", "PATCH", "DELETE")


def protect(app: Dash, settings: Settings, guard: Guard | None = None) -> None:
    """Guard all routes of ``app``. Call it once, before the first request.

    ``guard`` is asked after host, site and size were judged, before a callback is read.
    """
    server = app.server
    server.config["MAX_CONTENT_LENGTH"] = settings.max_request_bytes

    @server.before_request
    def refuse() -> BaseResponse | None:
        return _refused(settings) or (guard() if guard else None) or _broken_callback(app)

    @server.after_request
    def add_headers(response: Response) -> Response:
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        if response.mimetype == "text/html":
            scripts = " ".join(app.csp_hashes())
            response.headers.setdefault("Content-Security-Policy", CSP.format(scripts=scripts))
        else:  # nothing else is ever a document
            response.headers.setdefault(
                "Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"
            )
        return response


def handle_errors(server: Flask) -> None:
    """Answer every failure with JSON ``{"message", "hint"}``; part of ``routes.register``."""
    server.register_error_handler(BackendError, _sentence)
    server.register_error_handler(HTTPException, _http)
    for kind in (DependencyException, InvalidResourceError):
        server.register_error_handler(kind, lambda _: answer(404, "There is no such file."))


def answer(status: int, message: str, hint: str = "") -> Response:
    """A failure as JSON, never kept by a cache."""
    response = Response(
        orjson.dumps({"message": message, "hint": hint}), status, mimetype="application/json"
    )
    response.headers["Cache-Control"] = "no-store"
    return response


def _sentence(error: BackendError) -> Response:
    status = next((code for kind, code in STATUS.items() if isinstance(error, kind)), 500)
    response = answer(status, error.message, error.hint)
    if isinstance(error, TooMany):
        response.headers["Retry-After"] = str(max(1, round(error.wait_s)))
    return response


def _http(error: HTTPException) -> BaseResponse:
    if isinstance(error, RequestEntityTooLarge):
        return _too_large()
    if isinstance(error, InternalServerError):
        number = uuid4().hex[:8]
        log.error("request failed, reference %s", number, exc_info=error.original_exception)
        return answer(
            500, f"Something went wrong (reference {number}).", "Look for it in the server's log."
        )
    if error.response is not None or (error.code or 500) < 400:  # a redirect
        return error.get_response()
    return answer(error.code or 500, error.name + ".")


def _too_large() -> Response:
    return answer(413, "The request is too large.", "LOUPE_MAX_REQUEST_MB sets the limit.")


def _refused(settings: Settings) -> Response | None:
    """The answer to a request that must not go further."""
    host = _split(f"//{request.host}").hostname
    if host not in (*LOCAL_HOSTS, settings.host, *settings.names):
        # Another name that resolves to this machine: a web page that rebinds its DNS name.
        return answer(403, "This app is not served under this name.", "LOUPE_NAMES names others.")
    if request.method not in WRITES:
        return answer(404, "There is no such page.") if _is_lost() else None
    origin = request.headers.get("Origin")
    is_foreign = origin is not None and _split(origin).netloc != request.host
    if is_foreign or request.headers.get("Sec-Fetch-Site") == "cross-site":
        return answer(403, "The request comes from another site.")
    if (request.content_length or 0) > settings.max_request_bytes:
        return _too_large()
    return None


def _split(url: str) -> SplitResult:
    try:
        return urlsplit(url)
    except ValueError:  # an unclosed [ and the like
        return urlsplit("")


def _is_lost() -> bool:
    """Whether Dash's rule for pages took what was meant for a route: it would answer 200."""
    is_page = request.url_rule is not None and request.url_rule.rule.endswith("<path:path>")
    return is_page and request.path.startswith(RESERVED)


def _broken_callback(app: Dash) -> Response | None:
    if request.method not in WRITES or not request.path.endswith("/_dash-update-component"):
        return None
    if request.mimetype != "application/json":
        return answer(415, "A callback takes JSON.")
    try:
        body = orjson.loads(request.get_data())
    except orjson.JSONDecodeError:
        return answer(400, "The request is not JSON.")
    if not isinstance(body, dict):
        return answer(400, "The request is not a callback.")
    known = app.callback_map.get(str(body.get("output")))
    if known is None or "callback" not in known:  # the browser's own never come here
        log.warning("callback for an unknown output was refused")
        return answer(400, "There is no such callback.", "Reload the page.")
    if not callback_form.fits(known, body):
        return answer(400, "The callback's inputs are not those of this app.", "Reload the page.")
    g.callback = str(body["output"])
    return None
