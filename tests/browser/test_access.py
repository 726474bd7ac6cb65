"""axe-core on every page of the registry, in light and dark: no serious violation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dash
from playwright.sync_api import Page

from tests.browser.driving import open_page

AXE = (Path(__file__).parent / "vendor" / "axe.min.js").read_text(encoding="utf-8")
RULES: dict[str, Any] = {
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"],
    "resultTypes": ["violations"],
}
# experimental in axe
RULES["rules"] = {"label-content-name-mismatch": {"enabled": False}}
CONTRAST: dict[str, Any] = {"runOnly": {"type": "rule", "values": ["color-contrast"]}}
SERIOUS = ("serious", "critical")
VIEWS = {  # beside each page as it opens
    "/crayon": ["?set=birds&step=maps&as=anna", "?step=compare"],
    "/insights": ["?view=trust"],
}


def addresses() -> list[str]:
    pages = [page for page in dash.page_registry.values() if page["module"].startswith("pages.")]
    paths = [str(one["path"]) for one in pages if one["name"] != "Not found"] + ["/nowhere"]
    return [path + query for path in paths for query in ["", *VIEWS.get(path, [])]]


def settled(page: Page) -> None:
    """Until nothing was added to the page for half a second; axe judges what is there."""
    page.evaluate(
        """() => new Promise((done) => {
          let timer = setTimeout(done, 500);
          const seen = new MutationObserver(() => {
            clearTimeout(timer);
            timer = setTimeout(() => { seen.disconnect(); done(); }, 500);
          });
          seen.observe(document.body, { childList: true, subtree: true });
          setTimeout(() => { seen.disconnect(); done(); }, 3000);
        })"""
    )


def violations(page: Page, rules: dict[str, Any]) -> list[str]:
    page.evaluate(AXE)
    found = page.evaluate("(rules) => axe.run(document, rules)", rules)["violations"]
    return [
        f"{one['id']} ({one['impact']}): {[node['target'] for node in one['nodes'][:3]]}"
        for one in found
        if one["impact"] in SERIOUS
    ]


def test_no_page_has_a_serious_violation(page: Page, app_url: str) -> None:
    page.set_default_timeout(60_000)  # pages of every kind, one after another
    found = {}
    assert len(addresses()) >= 7
    for address in addresses():
        page.emulate_media(color_scheme="light")
        open_page(page, app_url + address)
        settled(page)
        told = violations(page, RULES)
        page.emulate_media(color_scheme="dark")
        page.wait_for_timeout(600)  # colours of the controls fade over
        found[address] = told + violations(page, CONTRAST)
    assert {address: told for address, told in found.items() if told} == {}


def test_axe_finds_what_is_wrong(page: Page, app_url: str) -> None:
    """The check itself can fail."""
    open_page(page, f"{app_url}/jobs")
    page.evaluate(
        "document.getElementById('main').append(document.createElement('button'),"
        "Object.assign(document.createElement('p'), {textContent: 'x', style: 'color: #fefefe'}))"
    )
    assert any(told.startswith("button-name") for told in violations(page, RULES))
