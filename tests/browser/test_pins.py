"""Pinning a plot, the board, and its files."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from PIL import Image
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


def png() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (240, 120), "teal").save(out, "PNG")
    return out.getvalue()


def test_a_plot_is_pinned_with_a_sentence(page: Page, app_url: str, board: PinStore) -> None:
    open_page(page, f"{app_url}/nero?step=15")
    expect(page.locator("#nero-aggregate[aria-busy=true]")).to_have_count(0, timeout=60_000)
    page.get_by_role("button", name="Menu: Aggregate").click()
    page.get_by_role("menuitem", name="Pin with a sentence").click()
    page.get_by_label("Sentence").fill("It breaks at a half turn")
    page.get_by_role("button", name="Pin", exact=True).click()
    expect(page.locator("#pin-dialog")).not_to_be_visible()
    (pin,) = board.all()
    assert (pin.sentence, pin.url) == ("It breaks at a half turn", "/nero?step=15")
    assert "measured here" in pin.honesty
    assert Image.open(io.BytesIO(pin.picture)).width > 200


def test_the_board_is_told_moved_and_exported(
    page: Page, app_url: str, board: PinStore, tmp_path: Path
) -> None:
    for sentence in ("first", "second"):
        given = {"sentence": sentence, "title": "Curve", "honesty": "n 5", "url": "/jobs"}
        board.add(given, png())
    open_page(page, f"{app_url}/pinboard")
    cards = page.locator(".pinboard-card")
    top = cards.nth(0).get_by_label("Sentence")
    expect(top).to_have_value("first")
    expect(cards.nth(0).locator("img")).to_have_js_property("naturalWidth", 240)
    cards.nth(1).get_by_role("button", name="Move up").click()
    expect(top).to_have_value("second")
    top.fill("said again")
    top.press("Enter")
    settle(page)
    assert [pin.sentence for pin in board.all()] == ["said again", "first"]
    with page.expect_download() as html:
        page.get_by_role("link", name="Export as HTML").click()
    html.value.save_as(tmp_path / "board.html")
    assert "said again" in (tmp_path / "board.html").read_text()
    with page.expect_download() as file:
        page.get_by_role("link", name="Export as JSON").click()
    file.value.save_as(tmp_path / "board.json")
    assert json.loads((tmp_path / "board.json").read_text())["pins"][0]["url"] == "/jobs"
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Import JSON").click()
    chooser.value.set_files(tmp_path / "board.json")
    expect(cards).to_have_count(4)
    cards.nth(0).get_by_role("button", name="Take off the board").click()
    expect(cards).to_have_count(3)
    cards.nth(0).get_by_text("Open the live view").click()
    expect(page).to_have_url(f"{app_url}/jobs")
