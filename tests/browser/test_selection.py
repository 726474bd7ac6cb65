"""One selection across pages, in the URL, and on the shelf."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from tests.browser.driving import Traffic, open_state_page, settle

SELECTED = "#statetest-selected"
COUNT = "#shelf-button-count"


def announce(page: Page, ids: list[int], items: str = "digits") -> None:
    """What a view does when its user lassoes."""
    page.evaluate(
        "([items, ids]) => dash_clientside.set_props("
        "{type: 'selection-event', view: 'statetest'}, {data: {items, ids, by: 'statetest'}})",
        [items, ids],
    )


def test_a_selection_reaches_all_views_once(page: Page, app_url: str, callbacks: list[str]) -> None:
    open_state_page(page, f"{app_url}/statetest")
    callbacks.clear()
    announce(page, [4, 2, 9])
    expect(page.locator(COUNT)).to_have_text("3")
    expect(page.locator(SELECTED)).to_have_text("digits: [4, 2, 9]")
    settle(page)
    assert callbacks == ["statetest-selected.children"]
    assert page.url.endswith("/statetest?sel=digits:4,2,9")


def test_a_selection_follows_the_user(page: Page, app_url: str) -> None:
    open_state_page(page, f"{app_url}/statetest")
    announce(page, [1, 2])
    expect(page.locator(COUNT)).to_have_text("2")
    page.locator("#app-nav a[href='/jobs']").click()
    expect(page.get_by_role("heading", name="Jobs").first).to_be_visible()
    expect(page.locator(COUNT)).to_have_text("2")
    page.go_back()  # the page mounts again: its empty event store must not clear the selection
    expect(page.locator(SELECTED)).to_have_text("digits: [1, 2]")
    settle(page)
    expect(page.locator(COUNT)).to_have_text("2")


def test_a_link_carries_the_selection(page: Page, app_url: str) -> None:
    open_state_page(page, f"{app_url}/statetest?sel=fashion:7,8")
    expect(page.locator(SELECTED)).to_have_text("fashion: [7, 8]")
    page.reload()
    expect(page.locator(SELECTED)).to_have_text("fashion: [7, 8]")


def test_sets_of_other_pages_are_in_links_too(page: Page, app_url: str) -> None:
    open_state_page(page, f"{app_url}/statetest?sel=insights:campaigns:7,8")
    expect(page.locator(SELECTED)).to_have_text("insights:campaigns: [7, 8]")
    open_state_page(page, f"{app_url}/statetest?sel=own 40 8:3")
    expect(page.locator(SELECTED)).to_have_text("own 40 8: [3]")


def test_a_damaged_selection_is_a_sentence(page: Page, app_url: str) -> None:
    open_state_page(page, f"{app_url}/statetest?sel=fashion:7,x")
    notice = page.locator(".mantine-Notification-root")
    expect(
        notice.filter(has_text="sel=fashion:7,x is not a data set with item ids")
    ).to_be_visible()
    expect(page.locator(COUNT)).to_have_text("0")


def test_a_large_selection_goes_behind_a_link(page: Page, app_url: str) -> None:
    open_state_page(page, f"{app_url}/statetest")
    announce(page, list(range(300)))
    expect(page).to_have_url(re.compile(r"\?link=[a-z2-7]{10}$"))
    page.goto(page.url)
    expect(page.locator(COUNT)).to_have_text("300")


def test_undo_takes_a_selection_back(page: Page, app_url: str) -> None:
    open_state_page(page, f"{app_url}/statetest")
    announce(page, [1])
    expect(page).to_have_url(re.compile("sel=digits:1$"))
    announce(page, [1, 2, 3])
    expect(page).to_have_url(re.compile("sel=digits:1,2,3$"))
    page.locator("h1").click()
    page.keyboard.press("Control+z")
    expect(page.locator(COUNT)).not_to_have_text("3")
    page.keyboard.press("Control+Shift+z")
    expect(page.locator(SELECTED)).to_have_text("digits: [1, 2, 3]")


def test_the_shelf_keeps_and_combines(page: Page, app_url: str) -> None:
    open_state_page(page, f"{app_url}/statetest")
    announce(page, [1, 2, 3])
    expect(page.locator(COUNT)).to_have_text("3")
    page.locator("#shelf-button").click()
    panel = page.locator("#shelf-panel")
    panel.get_by_label("Name of the selection").fill("low <b>")
    panel.get_by_role("button", name="Save").click()
    expect(panel).to_contain_text("low <b>")
    announce(page, [3, 4])
    expect(page.locator(COUNT)).to_have_text("2")
    panel.get_by_role("button", name="And: keep").click()
    expect(page.locator(SELECTED)).to_have_text("digits: [3]")
    announce(page, [3, 4])
    expect(page.locator(SELECTED)).to_have_text("digits: [3, 4]")
    panel.get_by_role("button", name="Or: add").click()
    expect(page.locator(SELECTED)).to_have_text("digits: [1, 2, 3, 4]")
    announce(page, [3, 4])
    expect(page.locator(SELECTED)).to_have_text("digits: [3, 4]")
    panel.get_by_role("button", name="Not: take").click()
    expect(page.locator(SELECTED)).to_have_text("digits: [4]")
    page.reload()  # the shelf is this browser's
    page.locator("#shelf-button").click()
    expect(panel).to_contain_text("3 of digits")
    panel.get_by_role("button", name="Select", exact=True).click()
    expect(page.locator(SELECTED)).to_have_text("digits: [1, 2, 3]")
    panel.get_by_role("button", name="Clear").click()
    expect(page.locator(COUNT)).to_have_text("0")
    panel.get_by_role("button", name="Remove").click()
    expect(panel).not_to_contain_text("low <b>")
    page.keyboard.press("Escape")
    expect(panel).not_to_be_visible()


def test_the_shelf_works_by_keyboard(page: Page, app_url: str, traffic: Traffic) -> None:
    open_state_page(page, f"{app_url}/statetest")
    announce(page, [5, 6])
    expect(page.locator(COUNT)).to_have_text("2")
    page.keyboard.press("Alt+s")
    expect(page.locator("#shelf-panel")).to_be_visible()
    page.wait_for_function("() => document.activeElement.closest('#shelf-panel')")
    name = page.get_by_label("Name of the selection")
    for _ in range(3):  # past "Copy ids" and "Clear"
        if name.evaluate("box => box !== document.activeElement"):
            page.keyboard.press("Tab")
    expect(name).to_be_focused()
    page.keyboard.type("mine")
    page.keyboard.press("Enter")
    expect(page.locator("#shelf-panel")).to_contain_text("2 of digits")
    page.keyboard.press("Escape")
    expect(page.locator("#shelf-panel")).not_to_be_visible()
    expect(page.locator("#shelf-button")).to_be_focused()
