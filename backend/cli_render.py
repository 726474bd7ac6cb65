"""``python -m backend render LINK out.html``: a page as a file, without a window.

The app itself draws the page in a headless Chromium; what is written is what its own "Export
report" writes, or a picture of the whole page. Of a page without plots the .html holds that
picture. Where there is no Chromium, it holds the tables of the page in place of its plots.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, Final
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import ProxyHandler, Request, build_opener

from backend import static_page
from backend.errors import BackendError, BadRequest
from backend.files import write_atomic
from backend.settings import LOCAL_HOSTS, PROJECT

SUFFIXES: Final = (".html", ".png")
QUIET_S: Final = 2.0  # so long must a page have asked for nothing and no job have run
BUSY: Final = ("queued", "running")
PAUSE_MS: Final = 200
ANSWER_S: Final = 60.0
LOST: Final = "#main .lp-lost"  # what an address that is no page shows
IS_BUSY: Final = """() => [...document.querySelectorAll(
    '#main [aria-busy="true"], #main .plot-card[data-state="loading"]'
)].some((part) => part.getClientRects().length)"""
REPORT: Final = "() => loupe.card.all().length ? loupe.report.build() : null"


class NoBrowser(BadRequest):
    """Nothing on this machine can draw a page."""


def add(commands: Any) -> None:
    """Adds the subcommand."""
    one = commands.add_parser("render", help="a page of the app as one .html or .png file")
    one.add_argument("link", help="what stands in the address bar, such as /nero?task=digits")
    one.add_argument("out", type=Path, help="a new .html (self-contained) or .png (whole page)")
    one.add_argument("--url", default="", help="a Loupe that runs already, http://127.0.0.1:8050")
    one.add_argument("--width", type=int, default=1280, help="of the window in px")
    one.add_argument("--dark", action="store_true", help="in dark colours")
    one.add_argument("--timeout", type=float, default=300.0, help="seconds until it gives up")
    one.set_defaults(run=render)


def render(asked: argparse.Namespace) -> None:
    """Draws the page and writes it.

    Raises:
        BadRequest: the link or the file is not usable.
        NoBrowser: a picture is wanted, and nothing here can draw one.
        BackendError: the page did not come to rest in time.
    """
    path = path_of(asked.link)
    if asked.out.suffix.lower() not in SUFFIXES:
        raise BadRequest(f"{asked.out.name} is not usable.", f"End it in {' or '.join(SUFFIXES)}.")
    if not asked.out.resolve().parent.is_dir():
        raise BadRequest(f"The folder of {asked.out} does not exist.", "Create it first.")
    with _server(asked.url) as base:
        try:
            _draw(_playwright(), f"{base}{path}", asked)
        except NoBrowser as missing:
            if asked.out.suffix.lower() != ".html":
                hint = f"{missing.hint} An .html with the tables of the page needs none of it."
                raise NoBrowser(missing.message, hint) from missing
            _still(base, path, asked.out, missing)
    sys.stdout.write(f"Written to {asked.out}\n")


def path_of(link: str) -> str:
    """The path and query of a link to this app.

    Raises:
        BadRequest: it leads to another machine, or is none.
    """
    parts = urlsplit(link)
    if parts.netloc and parts.hostname not in LOCAL_HOSTS:
        raise BadRequest(
            f"{link[:80]!r} leads to another machine.", "Give what comes after its name: /nero?…"
        )
    if not parts.path.startswith("/") or parts.path.startswith("//"):
        raise BadRequest(f"{link[:80]!r} is not a page.", "It starts with /, such as /nero.")
    return f"{parts.path}?{parts.query}" if parts.query else parts.path


def _playwright() -> Any:
    try:
        from playwright import sync_api
    except ImportError as error:
        raise NoBrowser(
            "Pages are drawn by the package playwright, which is not installed.",
            "Run `pip install playwright`, and get Chromium; or use Export report in a browser.",
        ) from error
    return sync_api


@contextmanager
def _server(url: str) -> Iterator[str]:
    """Address of the app: the one named, or one of our own that ends with the block."""
    if url:
        yield url.rstrip("/")
        return
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    env = {**os.environ, "PORT": str(port), "HOST": "127.0.0.1", "LOUPE_LOG": "WARNING"}
    with subprocess.Popen(
        [sys.executable, str(PROJECT / "app.py")], env=env, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            line = process.stdout.readline() if process.stdout else ""
            if "Loupe is at" not in line:
                raise BackendError("The app did not start.", "See what it says above.")
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


def _draw(playwright: Any, url: str, asked: argparse.Namespace) -> None:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    with playwright.sync_playwright() as driver:
        try:
            browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        except playwright.Error as error:
            raise NoBrowser(
                "Chromium cannot be started.", "Run `python -m playwright install chromium`."
            ) from error
        scheme = "dark" if asked.dark else "light"
        size = {"width": asked.width, "height": 900}
        page = browser.new_context(viewport=size, color_scheme=scheme).new_page()
        try:
            draw(page, url, [asked.out], asked.timeout)
        except playwright.Error as error:
            first = str(error).splitlines()[0][:200]
            raise BackendError("The page could not be drawn.", first) from error
        finally:
            browser.close()


def draw(page: Any, url: str, outs: Sequence[Path], timeout_s: float) -> None:
    """Opens an address of the app in a tab, waits until it rests, and writes it to files.

    Raises:
        BadRequest: the address is no page of the app.
        BackendError: the page did not come to rest in time.
    """
    until_s = time.monotonic() + timeout_s
    traffic = _Traffic(page)
    page.goto(url, timeout=1000 * timeout_s)
    page.wait_for_selector("#main .lp-page", timeout=1000 * timeout_s)
    if page.locator(LOST).count():
        raise BadRequest(
            f"{urlsplit(url).path[:80]!r} is no page of this app.",
            "Copy the link from the address bar.",
        )
    traffic.rest(until_s)
    for out in outs:
        _write(page, out)


def _still(base: str, path: str, out: Path, missing: NoBrowser) -> None:
    """Writes the page without its plots, and says so."""
    reason = f"{missing.message} This file holds the tables of the page in place of its plots."
    told = static_page.document(partial(_ask, base), path, reason).encode()
    write_atomic(out, lambda file: file.write(told))
    sys.stderr.write(f"{reason} {missing.hint}\n")


def _ask(base: str, path: str, body: Mapping[str, Any]) -> Any:
    """As :class:`backend.static_page.Ask`."""
    if urlsplit(base).hostname not in LOCAL_HOSTS:
        raise BadRequest("Without a browser only a Loupe on this machine is asked.", "Omit --url.")
    data, kind = json.dumps(body).encode(), {"Content-Type": "application/json"}
    try:
        request, direct = Request(f"{base}{path}", data, kind), build_opener(ProxyHandler({}))
        with direct.open(request, timeout=ANSWER_S) as answer:
            return json.load(answer)
    except HTTPError as error:
        with suppress(ValueError):
            said = json.load(error)
            raise BackendError(said["message"], said.get("hint", "")) from error
        raise BackendError(f"The app refused this ({error.code}).") from error
    except (OSError, ValueError) as error:
        raise BackendError("The app does not answer.", "Is it still running?") from error


class _Traffic:
    """What a page is waiting for."""

    def __init__(self, page: Any) -> None:
        self._page = page
        self._open: set[Any] = set()
        self._last_s = time.monotonic()
        page.on("request", self._began)
        page.on("requestfinished", self._ended)
        page.on("requestfailed", self._ended)

    def _began(self, request: Any) -> None:
        self._open.add(request)
        self._last_s = time.monotonic()

    def _ended(self, request: Any) -> None:
        self._open.discard(request)
        self._last_s = time.monotonic()

    def rest(self, until_s: float) -> None:
        """Waits until no card is busy, no job runs, and nothing has been asked for a while."""
        url = _jobs_url(self._page.url)
        while self._open or time.monotonic() - self._last_s < QUIET_S:
            if time.monotonic() > until_s:
                raise BackendError("The page is still computing.", "Give it longer: --timeout.")
            self._page.wait_for_timeout(PAUSE_MS)
            jobs = self._page.request.get(url).json()["jobs"]
            if self._page.evaluate(IS_BUSY) or any(job["state"] in BUSY for job in jobs):
                self._last_s = time.monotonic()


def _jobs_url(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}/_jobs"


def _write(page: Any, out: Path) -> None:
    if out.suffix.lower() == ".png":
        page.screenshot(path=out, full_page=True)
        return
    text = page.evaluate(REPORT)
    if text is None:
        words = page.locator("#main").inner_text()
        text = static_page.pictured(page.url, words, page.screenshot(full_page=True))
    data = text.encode("utf-8", "replace")  # what is typed may hold half a character
    write_atomic(out, lambda file: file.write(data))
