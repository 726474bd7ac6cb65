"""Plot cards in a real browser: states, menu and table twin."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser import card_app
from tests.browser.cards import choose, listen, set_state

pytestmark = pytest.mark.browser


# --- states


STATES: list[dict[str, Any]] = [
    {"kind": "loading"},
    {"kind": "loading", "keep": True},
    {"kind": "empty", "message": "No item is chosen.", "hint": "Click a dot. " * 20},
    {"kind": "failed", "message": "Out of memory.", "hint": "Choose fewer items."},
    {"kind": "job", "fraction": 0.42, "leftS": 12, "message": "72 angles × 500 digits"},
    {"kind": "job", "keep": True, "message": "72 angles × 500 digits"},
    {"kind": "ready"},
]


@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_moves_between_states(cards: Page, width: int) -> None:
    cards.set_viewport_size({"width": width, "height": 800})
    measure = """() => [...document.querySelectorAll(
        ".plot-card, .plot-card-head, .plot-card-honesty, .plot-card-body")]
        .map((e) => e.getBoundingClientRect().toJSON())"""
    before = cards.evaluate(measure)
    for state in STATES:
        for card in ("cards-polar", "cards-evil", "cards-canvas"):
            set_state(cards, card, **state)
        assert cards.evaluate(measure) == before, state


def test_failed_state_is_a_sentence_with_retry(cards: Page) -> None:
    listen(cards)
    set_state(cards, "cards-polar", kind="failed", message="<b>Out</b>", hint="Choose fewer.")
    card = cards.locator("#cards-polar")
    expect(card.locator(".plot-card-message")).to_have_text("<b>Out</b>")
    expect(card.locator(".plot-card-hint")).to_have_text("Choose fewer.")
    expect(card.get_by_role("button", name="Cancel")).to_be_hidden()
    card.get_by_role("button", name="Retry").click()
    assert cards.evaluate("heard") == [["retry", "cards-polar", None]]


def test_job_is_followed_to_its_end(cards: Page) -> None:
    listen(cards)
    running = {"fraction": 0.4, "left_s": 12.2, "message": "batch 4 of 10"}
    card_app.JOBS["j1"] = card_app.job_view("j1", "running", **running)
    set_state(cards, "cards-polar", kind="job", jobId="j1", message="Turning the images")
    card = cards.locator("#cards-polar")
    bar = card.get_by_role("progressbar")
    expect(bar).to_have_attribute("aria-valuenow", "40")
    expect(card.locator(".plot-card-figures")).to_have_text("40 % · ≈ 12 s left")
    expect(card.locator(".plot-card-message")).to_have_text("Turning the images")
    expect(card).to_have_attribute("aria-busy", "true")
    card_app.JOBS["j1"] = card_app.job_view("j1", "done", fraction=1.0)
    expect(bar).to_have_attribute("aria-valuenow", "100")
    assert cards.evaluate("heard") == [["job-done", "cards-polar", "j1"]]


def test_cancel_ends_the_job_and_offers_it_again(cards: Page) -> None:
    listen(cards)
    card_app.JOBS["j2"] = card_app.job_view("j2", "running", fraction=0.1)
    set_state(cards, "cards-polar", kind="job", jobId="j2")
    card = cards.locator("#cards-polar")
    card.get_by_role("button", name="Cancel").click()
    expect(card.locator(".plot-card-message")).to_have_text("Cancelled.")
    card.get_by_role("button", name="Run again").click()
    assert cards.evaluate("heard") == [
        ["cancel", "cards-polar", "j2"],
        ["retry", "cards-polar", "j2"],
    ]


def test_failed_job_says_why(cards: Page) -> None:
    error = {"error_message": "The device is full.", "error_hint": "Halve the batch."}
    card_app.JOBS["j3"] = card_app.job_view("j3", "failed", **error)
    set_state(cards, "cards-polar", kind="job", jobId="j3")
    card = cards.locator("#cards-polar")
    expect(card.locator(".plot-card-message")).to_have_text("The device is full.")
    expect(card.locator(".plot-card-hint")).to_have_text("Halve the batch.")
    expect(card.get_by_role("button", name="Retry")).to_be_visible()


def test_a_state_may_be_set_before_the_card_is_there(cards: Page) -> None:
    set_state(cards, "cards-late", kind="empty", message="Late")
    cards.evaluate(
        """() => { const late = document.getElementById("cards-canvas").cloneNode(true);
        late.id = "cards-late"; document.body.append(late); }"""
    )
    expect(cards.locator("#cards-late .plot-card-message")).to_have_text("Late")


def test_an_unknown_state_is_refused(cards: Page) -> None:
    said = cards.evaluate(
        """() => { try { loupe.card.setState('cards-polar', {kind: 'odd'}) }
        catch (error) { return error.message } }"""
    )
    assert "ready, loading, empty, failed, job" in said


# --- menu


def test_menu_by_keyboard(cards: Page) -> None:
    button = cards.locator("#cards-polar .plot-card-menu")
    button.focus()
    cards.keyboard.press("Enter")
    expect(cards.get_by_role("menuitem", name="Table", exact=True)).to_be_visible()
    focused = "document.activeElement.dataset.action"
    for _ in range(50):  # the menu takes keys only once it has opened
        if cards.evaluate(f"Boolean({focused})"):
            break
        cards.keyboard.press("ArrowDown")
    seen = []
    for _ in range(8):
        seen.append(cards.evaluate(focused))
        cards.keyboard.press("ArrowDown")
        cards.wait_for_function(f"(was) => {focused} !== was", arg=seen[-1])
    assert sorted(seen) == sorted(["table", "csv", "parquet", "png", "svg", "link", "pin", "about"])
    cards.keyboard.press("Escape")
    expect(button).to_be_focused()


def test_about_opens_by_keyboard_and_gives_the_focus_back(cards: Page) -> None:
    button = cards.locator("#cards-polar .plot-card-menu")
    button.focus()
    cards.keyboard.press("Enter")
    cards.get_by_role("menuitem", name="About this plot").press("Enter")
    dialog = cards.get_by_role("dialog", name="About: Aggregate")
    expect(dialog).to_contain_text("two models of equal accuracy may fail")
    expect(dialog).to_contain_text(card_app.EVIL)
    expect(dialog).to_contain_text("plain 3f2a9c1e")
    cards.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(button).to_be_focused()


def test_copy_link(cards: Page, card_context: BrowserContext) -> None:
    card_context.grant_permissions(["clipboard-read", "clipboard-write"])
    choose(cards, "cards-polar", "Copy link")
    expect(cards.locator("#card-toast")).to_have_text("Link copied")
    assert cards.evaluate("navigator.clipboard.readText()").endswith("/?angle=45")


def test_titles_are_text(cards: Page) -> None:
    assert cards.get_by_text("WebGL is not supported").count() == 0
    expect(cards.locator("#cards-evil h2")).to_have_text(f"Orbit vectors {card_app.EVIL}")
    expect(cards.locator("#cards-evil .plot-card-honesty")).to_contain_text("<script>")


# --- table twin


def test_table_drawer_walk(cards: Page) -> None:
    choose(cards, "cards-polar", "Table")
    drawer = cards.get_by_role("dialog", name="Aggregate")
    expect(drawer.locator("#table-count")).to_have_text("72 of 72 rows")
    first = drawer.locator('.ag-row[row-index="0"]')
    expect(first.locator('[col-id="c1"]')).to_have_text(card_app.EVIL)
    expect(first.locator('[col-id="c2"]')).to_have_text("0.9000")
    expect(first.locator('[col-id="c3"]')).to_have_text("")
    drawer.get_by_label("Search all columns").fill("digit-004")
    expect(drawer.locator("#table-count")).to_have_text("10 of 72 rows")
    header = drawer.locator('.ag-header-cell[col-id="c0"] .ag-header-cell-label')
    header.click()
    header.click()
    expect(drawer.locator('.ag-row[row-index="0"] [col-id="c0"]')).to_have_text("49")
    cards.keyboard.press("Escape")
    expect(drawer).to_be_hidden()
    expect(cards.locator("#cards-polar .plot-card-menu")).to_be_focused()
    assert card_app.BODIES[-1]["url"].endswith("/?angle=45")


def test_large_table_says_what_it_leaves_out(cards: Page) -> None:
    choose(cards, "cards-evil", "Table")
    expect(cards.locator("#table-note")).to_contain_text("First 5,000 of 5,200 rows")
    expect(cards.locator("#table-count")).to_have_text("5,000 of 5,200 rows")
    with cards.expect_download() as caught:
        cards.get_by_role("button", name="Download all rows as CSV").click()
    assert len(pd.read_csv(caught.value.path())) == 5200


def test_refused_table_is_a_sentence(cards: Page) -> None:
    cards.route(
        "**/_table/*",
        lambda route: route.fulfill(
            status=413, json={"message": "The table is too large.", "hint": "Choose a subset."}
        ),
    )
    choose(cards, "cards-polar", "Table")
    failure = cards.locator("#table-failure")
    expect(failure).to_have_text("The table is too large. Choose a subset.")
