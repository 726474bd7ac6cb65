"""The app as users run it, on a free port, with a folder of its own; and the browser's flags."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Final

import waitress

from app import create_app
from backend import own_sets
from backend.registry import store as registry
from backend.settings import Settings
from backend.work import WORK, Work
from components.runtime import Services, create_services
from tests.bound import bound

CHROMIUM: Final = shutil.which("chromium") or "/usr/bin/chromium"
FLAGS: Final = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


RUNNING: Final[dict[str, Services]] = {}
ENDED_S: Final = 15.0  # a job that does not listen is ended with its worker after 10 s


@contextmanager
def running_app(
    folder: Path,
    works: Mapping[str, Work] = WORK,
    torch_threads: int = 1,
    register: Callable[[], None] = lambda: None,
    env: Mapping[str, str] = MappingProxyType({}),
) -> Iterator[tuple[str, Services]]:
    """Address and services of a server that ends with the block.

    ``register`` adds pages and callbacks to it; ``env`` are more settings.
    """
    settings = Settings.from_env(
        {
            "LOUPE_STATE_DIR": str(folder),
            "LOUPE_DEVICE": "cpu",
            "LOUPE_TORCH_THREADS": str(torch_threads),
            **env,
        }
    )
    services = create_services(settings, works)
    app = create_app(settings, services)
    register()
    if services.team is None:  # with a login the first request would not be let through
        bound(app)
    server = waitress.create_server(app.server, host="127.0.0.1", port=0, threads=settings.threads)
    # A daemon: waitress has no way to be stopped from another thread that closes its socket too.
    threading.Thread(target=server.run, daemon=True).start()
    url = f"http://127.0.0.1:{server.effective_port}"
    RUNNING[url] = services
    try:
        yield url, services
    finally:
        del RUNNING[url]
        services.close()


def turn_to(url: str) -> None:
    """Makes this process look where that server keeps models and sets: another test's server, made
    and closed meanwhile, has left it looking elsewhere. As users run it, there is one a process.
    """
    services = RUNNING.get(url)
    if services is not None:
        own_sets.use(services.store)
        registry.use(services.engine, services.settings)


def leave_nothing_running(url: str) -> None:
    """Cancels what a closed page has asked for: nobody waits for it, and the next test needs both
    the lane and the cores.
    """
    services = RUNNING.get(url)
    if services is None:
        return
    left = [job.id for job in services.jobs.recent() if not job.state.is_final]
    for job_id in left:
        services.jobs.cancel(job_id)
    # A job that does not listen ends with its worker, which the next test must not meet on the way.
    end_s = time.monotonic() + ENDED_S
    while left and time.monotonic() < end_s:
        left = [job_id for job_id in left if not services.jobs.view(job_id).state.is_final]
        time.sleep(0.05)
