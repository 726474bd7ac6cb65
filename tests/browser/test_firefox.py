"""Firefox as the second browser: every page opens, fills and complains about nothing."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import dash
import pytest

from tests.browser.firefox import PROGRAM, Firefox, firefox
from tests.browser.harness import turn_to
from tests.waiting import until

SHOTS = os.environ.get("LOUPE_FIREFOX_SHOTS", "")  # a folder, to look at what was seen
FILLED = """(() => {
  const main = document.getElementById("main");
  if (!main || main.innerText.length < 60) return "empty";
  if (main.innerText.includes("WebGL is not supported")) return "no points without WebGL";
  const waits = [...main.querySelectorAll(".plot-card")].filter(
    (card) => card.dataset.state === "loading" && card.offsetParent);
  return waits.length ? waits.map((card) => card.id).join(" ") : "";
})()"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Firefox]:
    if PROGRAM is None:
        pytest.skip("Firefox is not installed (apt-get install firefox-esr)")
    with firefox(tmp_path_factory.mktemp("firefox")) as found:
        found.resize(1280, 900)
        yield found


def test_every_page_opens_in_firefox(browser: Firefox, app_url: str) -> None:
    turn_to(app_url)
    pages = [page for page in dash.page_registry.values() if page["module"].startswith("pages.")]
    seen = {}
    for page in pages:
        browser.errors.clear()
        browser.open(app_url + page["path"])
        until(lambda: browser.value(FILLED) == "", 60)
        width = browser.value("document.documentElement.scrollWidth")
        assert width <= 1280, f"{page['path']} is {width} px wide"
        if SHOTS:
            name = page["path"].strip("/") or "home"
            Path(SHOTS, f"{name}.png").write_bytes(browser.picture())
        seen[page["path"]] = list(browser.errors)
    assert {path: errors for path, errors in seen.items() if errors} == {}
