"""Pinning a plot, the board, and its files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from backend.pins import PinStore
from components.runtime import Services
from tests.browser.driving import open_page, settle


@pytest.fixture(autouse=True)
def board(services: Services):
    """An empty board, before and after."""
    held = PinStore(services.engine)
    yield held
    for pin in held.all():
        held.remove(pin.id)


def test_a_plot_is_pinned_told_moved_and_taken_away(
    page: Page, app_url: str, board: PinStore, tmp_path: Path
) -> None:
    open_page(page, f"{app_url}/nero?step=15")
    expect(page.locator("#nero-aggregate[aria-busy=true]")).to_have_count(0, timeout=60_000)
    for sentence in ("It breaks at a half turn", "The other one"):
        page.get_by_role("button", name="Menu: Aggregate").click()
        page.get_by_role("menuitem", name="Pin with a sentence").click()
        page.get_by_label("Sentence").fill(sentence)
        page.get_by_role("button", name="Pin", exact=True).click()
        expect(page.locator("#pin-dialog")).not_to_be_visible()
    open_page(page, f"{app_url}/pinboard")
    cards = page.locator(".pinboard-card")
    expect(cards).to_have_count(2)
    first = cards.nth(0).get_by_label("Sentence")
    expect(first).to_have_value("It breaks at a half turn")
    expect(cards.nth(0)).to_contain_text("measured here")
    assert cards.nth(0).locator("img").evaluate("(image) => image.naturalWidth") > 100
    cards.nth(1).get_by_role("button", name="Move up").click()
    expect(first).to_have_value("The other one")
    first.fill("Said again")
    first.press("Enter")
    settle(page)
    assert [pin.sentence for pin in board.all()] == ["Said again", "It breaks at a half turn"]
    with page.expect_download() as html:
        page.get_by_role("link", name="Export as HTML").click()
    html.value.save_as(tmp_path / "board.html")
    assert "Said again" in (tmp_path / "board.html").read_text()
    with page.expect_download() as file:
        page.get_by_role("link", name="Export as JSON").click()
    file.value.save_as(tmp_path / "board.json")
    assert json.loads((tmp_path / "board.json").read_text())["pins"][0]["url"].startswith("/nero")
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Import JSON").click()
    chooser.value.set_files(tmp_path / "board.json")
    expect(cards).to_have_count(4)
    cards.nth(0).get_by_role("button", name="Take off the board").click()
    expect(cards).to_have_count(3)
    cards.nth(0).get_by_text("Open the live view").click()
    expect(page).to_have_url(f"{app_url}/nero?step=15")
