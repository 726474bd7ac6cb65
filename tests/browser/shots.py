"""``make shots``: a picture of every page in each width and theme, to be looked at.

Also writes ``docs/images/nero.png``, the picture in the README, when asked with ``--readme``.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from tests.browser.harness import CHROMIUM, FLAGS, running_app

HERE = Path(__file__).resolve().parent
SHOTS = HERE / "shots"
README = HERE.parent.parent / "docs" / "images" / "nero.png"
PAGES = {
    "home": "/",
    "nero": "/nero",
    "detection": "/nero?task=detection",
    "piv": "/nero?task=piv",
    "points": "/nero?task=points",
    "texts": "/nero?task=texts",
    "line": "/nero?task=digits&orbit=scale",
    "heatmap": "/nero?task=digits&orbit=translations",
    "zoom": "/zoom",
    "crayon": "/crayon",
    "crayon-maps": "/crayon?set=birds&step=maps&as=anna",
    "crayon-compare": "/crayon?step=compare",
    "insights": "/insights",
    "insights-trust": "/insights?view=trust",
    "metric": "/metric-learning",
    "gap": "/modality-gap",
    "fair": "/fair-retrieval",
    "library": "/library",
    "pinboard": "/pinboard",
    "jobs": "/jobs",
    "missing": "/nowhere",
}
# Cards of a tab that is not open wait until somebody opens it.
DRAWN = """() => ![...document.querySelectorAll('.plot-card[data-state=loading]')]
    .some((card) => card.offsetParent)"""
WIDTHS = {390: 844, 1280: 800, 1920: 1080}


def settled(page: Page) -> None:
    page.wait_for_load_state("networkidle")
    page.wait_for_function(DRAWN)
    page.wait_for_timeout(400)  # fonts and the last paint; a picture, not a test


def take(base: str, only: list[str]) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        for scheme in ("light", "dark"):
            for width, height in WIDTHS.items():
                page = browser.new_page(
                    viewport={"width": width, "height": height}, color_scheme=scheme
                )
                for name in only:
                    page.goto(base + PAGES[name])
                    settled(page)
                    path = SHOTS / f"{name}-{width}-{scheme}.png"
                    page.screenshot(path=path, full_page=True)
                page.close()
        browser.close()


def readme(base: str) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page(
            viewport={"width": 1600, "height": 1000}, color_scheme="light", device_scale_factor=1
        )
        page.goto(f"{base}/nero")
        settled(page)
        README.parent.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=README)
        browser.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pages", nargs="*", default=list(PAGES))
    parser.add_argument("--readme", action="store_true")
    chosen = parser.parse_args()
    SHOTS.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, running_app(Path(folder)) as (url, _):
        if chosen.readme:
            readme(url)
        else:
            take(url, chosen.pages or list(PAGES))
