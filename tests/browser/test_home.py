"""Home: what is here, and what can I do with it?"""

from __future__ import annotations

from playwright.sync_api import Page, expect

from backend import catalog, datasets
from tests.browser.driving import open_page, settle


def test_home_says_what_is_here(page: Page, app_url: str) -> None:
    open_page(page, app_url)
    for card in catalog.models().values():
        named = page.get_by_role("heading", name=card.title, exact=True)
        tile = page.locator(".lp-fact-card").filter(has=named)
        expect(tile).to_contain_text(card.fingerprint[:8])
    for info in datasets.bundled().values():
        tile = page.locator(".lp-fact-card").filter(has_text=info.source)
        expect(tile).to_contain_text(f"{info.count} images")
        assert tile.locator("img").evaluate("(image) => image.complete && image.naturalWidth > 0")
    expect(page.locator("#home-figure svg")).to_be_visible()
    expect(page.locator("#home-recent")).to_contain_text("Views that you open are listed here")


def test_start_here_leads_to_nero(page: Page, app_url: str) -> None:
    open_page(page, app_url)
    assert page.locator("#home-start").get_attribute("href") == "/nero"


def test_recent_jobs_open_their_log(page: Page, app_url: str, services) -> None:
    from backend.jobs import JobRequest

    services.jobs.submit(JobRequest("test.sleep", {"seconds": 0.02, "value": 77}, "For home"))
    open_page(page, app_url)
    line = page.locator("#home-jobs button").filter(has_text="For home").first
    expect(line).to_contain_text("Done")
    line.click()
    expect(page.locator("#log-drawer")).to_contain_text("sleeping 2 steps")
    page.keyboard.press("Escape")
    settle(page)


def test_a_cut_off_address_has_a_way_out(page: Page, app_url: str) -> None:
    open_page(page, f"{app_url}/neroo")
    expect(page.get_by_role("heading", name="Nothing here")).to_be_visible()
    page.locator("#main").get_by_role("link", name="Home").click()
    expect(page.get_by_role("heading", name="See where a vision model breaks")).to_be_visible()
