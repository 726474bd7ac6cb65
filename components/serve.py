"""Serve the app with waitress until Ctrl-C or SIGTERM, then end the workers."""

from __future__ import annotations

import logging
import signal
import sys
from collections.abc import Callable
from types import FrameType
from typing import TYPE_CHECKING, Any, Final

import waitress

from backend.errors import BackendError
from backend.settings import Settings
from components.runtime import CONFIG, Services

if TYPE_CHECKING:
    from dash import Dash

ENDINGS: Final = (signal.SIGTERM, signal.SIGINT)
DEVICE_S: Final = 120.0
log = logging.getLogger("loupe.serve")


def main(create_app: Callable[[Settings], Dash]) -> None:
    """Serve with the settings of the environment; what is wrong with them is one sentence."""
    try:
        serve(create_app, Settings.from_env())
    except BackendError as error:
        sys.exit(f"{error.message} {error.hint}".strip())
    except KeyboardInterrupt:  # before the socket was open
        sys.exit(130)


def serve(create_app: Callable[[Settings], Dash], settings: Settings) -> None:
    """Open the socket, say where, and serve. Returns after a signal, with the workers ended.

    Raises:
        BackendError: a setting or the state folder is not usable, the port is taken, or the
            device that the settings name is not in this machine.
    """
    logging.basicConfig(
        level=settings.log_level, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    for name in ("waitress.queue", "werkzeug"):  # a full queue is shown as a slow page, not a log
        logging.getLogger(name).setLevel(logging.ERROR)
    for ending in ENDINGS:
        signal.signal(ending, _interrupt)
    app = create_app(settings)
    services: Services = app.server.config[CONFIG]
    try:
        server = _opened(app, settings)
        services.jobs.warm(("model",))  # torch loads while the browser opens the first page
        if settings.device in ("cuda", "mps"):  # only the worker can say whether it is there
            services.jobs.call("system.device", {}, timeout_s=DEVICE_S)
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        sys.stdout.write(f"Loupe is at http://{host}:{settings.port}\n")
        sys.stdout.flush()
        server.run()
        log.info("stopping")
    finally:
        services.close()


def _opened(app: Dash, settings: Settings) -> Any:
    try:
        return waitress.create_server(
            app.server,
            host=settings.host,
            port=settings.port,
            threads=settings.threads,
            max_request_body_size=settings.max_request_bytes,
            ident="loupe",
        )
    except OSError as error:
        raise BackendError(
            f"Port {settings.port} of {settings.host} cannot be used: {error.strerror}.",
            "Set PORT to another number.",
        ) from error


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    for ending in ENDINGS:  # an impatient second one must not spare the workers
        signal.signal(ending, lambda _signal, _frame: None)
    raise KeyboardInterrupt
