"""A team in the browser: an admin invites, the guest answers their queue and sees nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from backend.crayon.answers import Scope
from backend.crayon.requests import fingerprint
from components.runtime import Services
from tests.browser.harness import running_app
from tests.team_app import PASSWORD
from tests.waiting import until

WAIT_MS = 60_000


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Services]]:
    folder = tmp_path_factory.mktemp("team")
    with running_app(folder, env={"LOUPE_AUTH": "password"}) as (url, services):
        assert services.team is not None
        services.team.people.add("boss", "admin", PASSWORD)
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
    guest.keyboard.press("a")
    expect(guest.locator("#crayon-annotate-map")).to_contain_text("1 of", timeout=WAIT_MS)
    scope = Scope("birds", fingerprint("birds"))
    (stored,) = until(lambda: services.answers.current(scope))
    assert (stored.annotator, stored.answer) == ("gina", "yes")
    guest.goto(f"{url}/insights")
    guest.wait_for_url("**/crayon**")
    assert wrong == []

    guest.locator("#logout-button").click()
    guest.wait_for_url(f"{url}/login")
