"""Faults as the user of a page meets them: a sentence, a way on, and no error in the console."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from components.runtime import Services
from tests.browser.driving import open_page
from tests.waiting import until

WAIT_MS = 20_000
LONG = "/nero?step=1&models=digits-p4"  # some seconds of work, not among the shipped results


def test_worker_killed_during_a_run(page: Page, app_url: str, services: Services) -> None:
    page.goto(app_url + LONG)
    card = page.locator("#nero-aggregate")
    expect(card.get_by_role("button", name="Cancel")).to_be_visible(timeout=WAIT_MS)
    newest = until(lambda: services.jobs.recent(1))[0]
    until(lambda: services.jobs.view(newest.id).fraction)
    services.jobs._lanes["model"].kill()  # type: ignore[attr-defined]
    message = card.locator(".plot-card-message")
    expect(message).to_contain_text(
        "The worker process ended while it computed this.", timeout=WAIT_MS
    )
    card.get_by_role("button", name=re.compile("Retry|Run again")).click()
    expect(card.get_by_role("button", name="Cancel")).to_be_visible(timeout=WAIT_MS)
    again = until(lambda: services.jobs.recent(1)[0].id != newest.id and services.jobs.recent(1)[0])
    until(lambda: services.jobs.view(again.id).fraction)
    card.get_by_role("button", name="Cancel").click()
    until(lambda: services.jobs.view(again.id).state.is_final)
    assert services.jobs.view(again.id).state == "cancelled"


def test_doubled_keys_open_the_page_with_a_notice(page: Page, app_url: str) -> None:
    open_page(page, f"{app_url}/nero?task=x&task=digits&angle=1&angle=y")
    expect(page.get_by_text("angle=y is not a number from 0 to 360")).to_be_visible(timeout=WAIT_MS)
