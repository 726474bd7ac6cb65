"""A team in the browser: an admin invites, the guest answers their queue and sees nothing else; and
a viewer's pages, where what brings something in or changes it is not shown. The slow walk that
presses everything else is ``python -m tests.browser.viewer_walk``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from backend.crayon.answers import Scope
from backend.crayon.requests import fingerprint
from components.runtime import Services
from tests.browser.crayon_desk import READY
from tests.browser.harness import running_app, turn_to
from tests.browser.test_access import settled
from tests.browser.viewer_walk import log_in
from tests.team_app import PASSWORD
from tests.waiting import until

WAIT_MS = 60_000
FILLED_LATER = ("/metric-learning", "/modality-gap")  # their forms are made by scripts
FILES = """() => [...document.querySelectorAll('input[type=file], .library-form, #pinboard-import')]
    .filter((one) => (one.type === 'file' ? one.parentElement : one).checkVisibility())
    .filter((one) => !['nero-files', 'zoom-file'].includes(one.id))  // opened by buttons
    .map((one) => one.outerHTML.slice(0, 120))"""


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Services]]:
    folder = tmp_path_factory.mktemp("team")
    with running_app(folder, env={"LOUPE_AUTH": "password"}) as (url, services):
        assert services.team is not None
        services.team.people.add("boss", "admin", PASSWORD)
        services.team.people.add("vera", "viewer", PASSWORD)
        turn_to(url)
        yield url, services


def fresh(browser: Browser) -> Page:
    page = browser.new_context().new_page()
    page.set_default_timeout(WAIT_MS)
    return page


def test_an_invited_annotator_answers_and_sees_nothing_else(
    browser: Browser, team: tuple[str, Services]
) -> None:
    url, services = team
    page = fresh(browser)
    page.goto(f"{url}/team")
    page.get_by_label("Name").fill("boss")
    page.get_by_label("Password").fill("wrong password")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_have_text("Name and password do not fit.")
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url(f"{url}/team")
    expect(page.locator("#team-users")).to_contain_text("boss", timeout=WAIT_MS)
    page.locator("#team-invites-form").get_by_label("Annotator").fill("gina")
    page.get_by_role("button", name="Make a link").click()
    said = page.locator("#team-invites-said")
    expect(said).to_contain_text("/join/", timeout=WAIT_MS)
    link = re.search(r"http\S+", said.inner_text())
    assert link

    guest = fresh(browser)
    wrong: list[str] = []
    guest.on("pageerror", lambda error: wrong.append(str(error)))
    guest.on("response", lambda r: wrong.append(r.url) if r.status >= 400 else None)
    guest.goto(link[0])
    guest.get_by_role("button", name="Start").click()
    guest.wait_for_url("**/crayon?**")
    expect(guest.locator("#app-nav a")).to_have_count(1)
    expect(guest.get_by_role("button", name="Open the workbench")).to_be_hidden()
    expect(guest.locator("#crayon-annotate-map")).to_contain_text("0 of", timeout=WAIT_MS)
    guest.wait_for_function(READY)  # keys pressed before the picture is seen answer nothing
    guest.keyboard.press("a")
    expect(guest.locator("#crayon-annotate-map")).to_contain_text("1 of", timeout=WAIT_MS)
    scope = Scope("birds", fingerprint("birds"))
    (stored,) = until(lambda: services.answers.current(scope), WAIT_MS / 1000)
    assert (stored.annotator, stored.answer) == ("gina", "yes")
    guest.goto(f"{url}/insights")
    guest.wait_for_url("**/crayon**")
    assert wrong == []

    guest.locator("#logout-button").click()
    guest.wait_for_url(f"{url}/login")


def test_no_page_of_a_viewer_takes_a_file(browser: Browser, team: tuple[str, Services]) -> None:
    url, _services = team
    page = fresh(browser)
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
