"""What tests of plot cards do to the small app of ``card_app``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from playwright.sync_api import ConsoleMessage, Download, Page


def watch_console(page: Page) -> list[str]:
    """Errors the page reports; not the browser's own line about an answer that is meant (413)."""
    said: list[str] = []

    def note(line: ConsoleMessage) -> None:
        if line.type == "error" and "413" not in line.text:
            said.append(line.text)

    page.on("console", note)
    page.on("pageerror", lambda error: said.append(str(error)))
    return said


def choose(page: Page, card: str, entry: str) -> None:
    page.locator(f"#{card} .plot-card-menu").click()
    page.get_by_role("menuitem", name=entry, exact=True).click()


def download(page: Page, card: str, entry: str) -> tuple[Download, bytes]:
    with page.expect_download() as caught:
        choose(page, card, entry)
    return caught.value, Path(caught.value.path()).read_bytes()


def set_state(page: Page, card: str, **state: Any) -> None:
    page.evaluate("([card, state]) => loupe.card.setState(card, state)", [card, state])


def listen(page: Page) -> None:
    page.evaluate(
        """() => { window.heard = [];
        for (const name of ["retry", "cancel", "job-done"]) document.addEventListener(
            "loupe:" + name, (e) => heard.push([name, e.detail.cardId, e.detail.jobId])); }"""
    )
