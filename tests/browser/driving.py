"""Helpers for browser tests: waiting for quiet, and the traffic a page made."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

from playwright.sync_api import Page, Request

QUIET_MS = 300


@dataclass
class Traffic:
    """What one page asked for and complained about. ``problems`` must be empty at the end."""

    open_requests: set[Request] = field(default_factory=set)
    last_s: float = field(default_factory=time.monotonic)
    callbacks: list[str] = field(default_factory=list)
    urls: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    allowed: list[str] = field(default_factory=list)

    def allow(self, part: str) -> None:
        """A test that provokes an error names a part of it, so that it is no problem."""
        self.allowed.append(part)

    def unexpected(self) -> list[str]:
        return [p for p in self.problems if not any(part in p for part in self.allowed)]

    def watch(self, page: Page) -> None:
        page.on("request", self._begin)
        page.on("requestfinished", self._end)
        page.on("requestfailed", self._fail)
        page.on("response", self._answered)
        page.on("console", self._said)
        page.on("pageerror", lambda error: self.problems.append(f"page error: {error}"))

    def _begin(self, request: Request) -> None:
        self.open_requests.add(request)
        self.last_s = time.monotonic()
        self.urls.append(request.url)
        if "_dash-update-component" in request.url:
            self.callbacks.append((request.post_data_json or {}).get("output", "?"))

    def _end(self, request: Request) -> None:
        self.open_requests.discard(request)
        self.last_s = time.monotonic()

    def _fail(self, request: Request) -> None:
        self._end(request)
        if "ERR_ABORTED" not in (request.failure or ""):
            self.problems.append(f"request failed: {request.url} {request.failure}")

    def _answered(self, response: Any) -> None:
        if response.status >= 400:
            self.problems.append(f"HTTP {response.status}: {response.url}")

    def _said(self, message: Any) -> None:
        if message.type == "error":
            self.problems.append(f"console: {message.text}")


def settle(page: Page, timeout_s: float = 20.0) -> None:
    """Return once no request was in flight for 300 ms. Needs the ``page`` fixture of conftest."""
    traffic: Traffic = page.loupe_traffic  # type: ignore[attr-defined]
    end_s = time.monotonic() + timeout_s
    while traffic.open_requests or time.monotonic() - traffic.last_s < QUIET_MS / 1000:
        if time.monotonic() > end_s:
            urls = [request.url for request in traffic.open_requests]
            raise AssertionError(f"still busy after {timeout_s} s: {urls}")
        page.wait_for_timeout(20)  # lets Playwright handle events


def open_state_page(page: Page, url: str) -> None:
    """Open the page of ``state_page.py`` and wait until its own first callbacks have answered.

    On a busy machine the quiet of ``settle`` may come before them.
    """
    open_page(page, url)
    page.wait_for_function(
        """() => ["statetest-shown", "statetest-selected"]
        .every((id) => document.getElementById(id)?.textContent)"""
    )
    settle(page)


def open_page(page: Page, url: str) -> None:
    """Go to ``url`` and wait until the shell stands and the page is quiet."""
    page.goto(url)
    page.locator("#main .lp-page").wait_for()
    settle(page)
