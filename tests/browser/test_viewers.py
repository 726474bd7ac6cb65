"""A viewer's pages: what brings something in or changes it is not shown. The slow walk that presses
everything else is ``python -m tests.browser.viewer_walk``.
"""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import BrowserType

from tests.browser.harness import CHROMIUM, FLAGS, running_app, turn_to
from tests.browser.test_access import settled
from tests.browser.viewer_walk import log_in
from tests.team_app import PASSWORD

FILLED_LATER = ("/metric-learning", "/modality-gap")  # their forms are made by scripts
FILES = """() => [...document.querySelectorAll('input[type=file], .library-form, #pinboard-import')]
    .filter((one) => (one.type === 'file' ? one.parentElement : one).checkVisibility())
    .filter((one) => !['nero-files', 'zoom-file'].includes(one.id))  // opened by buttons
    .map((one) => one.outerHTML.slice(0, 120))"""


def test_no_page_of_a_viewer_takes_a_file(browser_type: BrowserType, tmp_path: Path) -> None:
    with running_app(tmp_path, env={"LOUPE_AUTH": "password"}) as (url, services):
        assert services.team is not None
        services.team.people.add("vera", "viewer", PASSWORD)
        turn_to(url)
        browser = browser_type.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page()
        log_in(page, url, "vera")
        links = page.locator("#app-nav a")
        assert links.count() > 8
        for link in links.all():  # quicker than opening each address anew
            link.click()
            path = link.get_attribute("href")
            page.wait_for_url(f"**{path}*")
            page.wait_for_function("() => document.querySelector('#main h1')")
            if path in FILLED_LATER:
                settled(page)
            assert page.evaluate(FILES) == [], path
            for control in ("#own-button", "#zoom-upload", "#crayon-run", "#insights-own"):
                assert not page.locator(control).is_visible(), control
        browser.close()
