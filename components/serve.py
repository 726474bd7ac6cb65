"""Serve the app with waitress until Ctrl-C or SIGTERM, then end the workers."""

from __future__ import annotations

import gc
import logging
import signal
import sys
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import waitress

from backend import doctor, logs
from backend.errors import BackendError
from backend.settings import Settings
from components import stopping
from components.runtime import CONFIG, Services

if TYPE_CHECKING:
    from dash import Dash

DEVICE_S: Final = 120.0
SWITCH_S: Final = 0.001
"""A thread that makes a page gives way so often. With Python's 5 ms a short request that asks the
database three times waits for three turns of every page that is being made."""
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
    logs.configure(settings.log_level, settings.log_format)
    sys.setswitchinterval(SWITCH_S)
    for name in ("waitress.queue", "werkzeug"):  # a full queue is shown as a slow page, not a log
        logging.getLogger(name).setLevel(logging.ERROR)
    for ending in stopping.ENDINGS:
        signal.signal(ending, stopping.interrupt)
    app = create_app(settings)
    # What was made for serving stays: looking through all of it for garbage, while nobody is
    # answered, takes 150 ms.
    gc.freeze()
    services: Services = app.server.config[CONFIG]
    try:
        server = _opened(app, settings)
        services.jobs.warm(("model",))  # torch loads while the browser opens the first page
        if settings.device in ("cuda", "mps"):  # only the worker can say whether it is there
            services.jobs.call("system.device", {}, timeout_s=DEVICE_S)
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        sys.stdout.write(f"Loupe is at http://{host}:{settings.port}\n")
        sys.stdout.flush()
        _look(settings, services)
        stopping.run(server)
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


def _look(settings: Settings, services: Services) -> None:
    """Say what is not fit, beside serving: hashing every weights file takes a second."""

    def look() -> None:
        checks = [*doctor.serving(settings, services.engine), *doctor.packages(), doctor.weights()]
        for one in checks:
            if not one.is_good:
                log.warning("%s: %s", one.name, one.told)

    threading.Thread(target=look, name="self-check", daemon=True).start()
