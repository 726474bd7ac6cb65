"""Every control of every page, pressed by a viewer: ``python -m tests.browser.viewer_walk``.

Prints what the server refused as not for the role, and with which control it was asked: such a
control should not have been shown.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import dash
from playwright.sync_api import Error, Page, Response, sync_playwright

from tests.browser.harness import CHROMIUM, FLAGS, running_app
from tests.team_app import PASSWORD

CONTROLS = """() => [...document.querySelectorAll(
    '#main button, #main input[type=file], #main [role=tab], #main summary')]
  .filter((one) => one.checkVisibility({ checkOpacity: true, checkVisibilityCSS: true })
    || (one.type === "file" && one.parentElement.checkVisibility()))
  .map((one) => {
    one.dataset.walk = one.dataset.walk || String(window.walked = (window.walked || 0) + 1);
    const name = one.getAttribute("aria-label") || one.innerText || one.id || one.className;
    return [one.dataset.walk, one.tagName + ":" + (one.type || ""), one.id, name.slice(0, 60)];
  })"""
ROUNDS = 3  # a control may open others


def log_in(page: Page, url: str, name: str) -> None:
    page.goto(f"{url}/login")
    page.fill("input[name=name]", name)
    page.fill("input[name=password]", PASSWORD)
    page.press("input[name=password]", "Enter")
    page.wait_for_selector("#app-user")


def pressed(page: Page, url: str) -> Iterator[tuple[str, str]]:
    """Presses everything on a page; yields each control with what was refused for it."""
    refused: list[str] = []

    def hear(answer: Response) -> None:
        if answer.status == 403:
            refused.append(f"{answer.request.method} {answer.url.removeprefix(url)[:80]}")

    page.on("response", hear)
    known: set[str] = set()
    for _ in range(ROUNDS):
        fresh = [one for one in page.evaluate(CONTROLS) if one[0] not in known]
        for number, kind, element, name in fresh:
            known.add(number)
            told = f"{kind} #{element} {name!r}"
            if kind == "INPUT:file":
                yield told, "takes a file"
                continue
            try:
                page.click(f"[data-walk='{number}']", timeout=700, no_wait_after=True)
            except Error:  # covered or gone by now
                continue
            page.wait_for_timeout(120)
            for one in refused:
                yield told, one
            refused.clear()
            if page.locator("dialog[open]").count():
                page.keyboard.press("Escape")
        if not fresh:
            break
    page.remove_listener("response", hear)


def walk(folder: Path, paths: list[str]) -> int:
    """Writes what a viewer was refused, page by page (all of them unless named); how often."""
    found: set[str] = set()
    env = {"LOUPE_AUTH": "password"}
    with running_app(folder, env=env) as (url, services), sync_playwright() as driver:
        assert services.team is not None
        services.team.people.add("vera", "viewer", PASSWORD)
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        log_in(page, url, "vera")
        for one in dash.page_registry.values():
            if not one["module"].startswith("pages.") or one["name"] in ("Not found", "Team"):
                continue
            if paths and one["path"] not in paths:
                continue
            page.goto(url + one["path"])
            page.wait_for_timeout(2500)
            for told, what in pressed(page, url):
                line = f"{one['path']}: {told}: {what}"
                if line not in found:
                    sys.stdout.write(line + "\n")
                    sys.stdout.flush()
                found.add(line)
        browser.close()
    return len(found)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        refused = walk(Path(name), sys.argv[1:])
    sys.stdout.write(f"{refused} refused\n")
    sys.exit(bool(refused))
