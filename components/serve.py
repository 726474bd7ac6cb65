"""Serve the app with waitress until Ctrl-C or SIGTERM, then end the workers."""

from __future__ import annotations

import logging
import signal
import sys
from collections.abc import Callable
from types import FrameType
from typing import TYPE_CHECKING

import waitress

from backend.errors import BackendError
from backend.settings import Settings
from components.runtime import CONFIG, Services

if TYPE_CHECKING:
    from dash import Dash

log = logging.getLogger("loupe.serve")


def main(create_app: Callable[[Settings], Dash]) -> None:
    """Serve with the settings of the environment; what is wrong with them is one sentence."""
    try:
        serve(create_app, Settings.from_env())
    except BackendError as error:
        sys.exit(f"{error.message} {error.hint}".strip())


def serve(create_app: Callable[[Settings], Dash], settings: Settings) -> None:
    """Open the socket, say where, and serve. Returns after a signal, with the workers ended.

    Raises:
        BackendError: a setting or the state folder is not usable, or the port is taken.
    """
    logging.basicConfig(
        level=settings.log_level, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    for name in ("waitress.queue", "werkzeug"):  # a full queue is shown as a slow page, not a log
        logging.getLogger(name).setLevel(logging.ERROR)
    app = create_app(settings)
    services: Services = app.server.config[CONFIG]
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        server = waitress.create_server(
            app.server,
            host=settings.host,
            port=settings.port,
            threads=settings.threads,
            max_request_body_size=settings.max_request_bytes,
            ident="loupe",
        )
        services.jobs.warm(("model",))  # torch loads while the browser opens the first page
        sys.stdout.write(f"Loupe is at http://{settings.host}:{settings.port}\n")
        sys.stdout.flush()
        server.run()
    except OSError as error:
        raise BackendError(
            f"Port {settings.port} of {settings.host} cannot be used: {error.strerror}.",
            "Set PORT to another number.",
        ) from error
    except KeyboardInterrupt:
        log.info("stopping")
    finally:
        services.close()


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
