"""The URL is the state: query, links, undo, and sentences for what cannot be used."""

from __future__ import annotations

import re

from playwright.sync_api import Browser, Page, expect

from tests.browser.driving import Traffic, open_page, open_state_page, settle

TASK = 'input[id*=\'"key":"task"\']'
ANGLE = 'input[id*=\'"key":"angle"\']'
NOTE = 'input[id*=\'"key":"note"\']'
SHOWN = "#statetest-shown"


def set_control(page: Page, key: str, value: object) -> None:
    page.evaluate(
        "([key, value]) => dash_clientside.set_props("
        "{type: 'control', page: 'statetest', key}, {value})",
        [key, value],
    )


def test_defaults_are_left_out_of_the_url(page: Page, app_url: str, callbacks: list[str]) -> None:
    open_state_page(page, f"{app_url}/statetest")
    expect(page.locator(SHOWN)).to_contain_text("task=digits")
    assert "?" not in page.url
    assert len(callbacks) == 3  # the page, its view, its selection
    callbacks.clear()
    page.locator(ANGLE).fill("90")
    expect(page).to_have_url(f"{app_url}/statetest?angle=90")
    expect(page.locator(SHOWN)).to_contain_text("angle=90")
    settle(page)
    assert set(callbacks) == {"statetest-shown.children"}  # writing the URL asks the server nothing


def test_a_copied_url_shows_the_same(page: Page, app_url: str) -> None:
    url = f"{app_url}/statetest?task=fashion&angle=12.5&models=c,a&item=7&note=a%20%26%20b"
    open_page(page, url)
    expect(page.locator(SHOWN)).to_have_text(
        "angle=12.5 item=7 models=['c', 'a'] note=a & b task=fashion"
    )
    settle(page)
    assert page.evaluate("loupe.state.current().values.models.join()") == "c,a"
    assert "models=c,a" in page.url
    assert "note=a%20%26%20b" in page.url


def test_an_empty_list_survives_the_url(page: Page, app_url: str) -> None:
    open_state_page(page, f"{app_url}/statetest")
    set_control(page, "models", [])
    expect(page).to_have_url(re.compile("models=-"))
    page.reload()
    expect(page.locator(SHOWN)).to_contain_text("models=[]")


def test_bad_parts_of_a_url_become_sentences(page: Page, app_url: str) -> None:
    open_state_page(page, f"{app_url}/statetest?angle=abc&task=nope&who=me&item=5")
    notices = page.locator(".mantine-Notification-root")
    expect(
        notices.filter(has_text="angle=abc is not a number from 0 to 360; 0 is shown.")
    ).to_be_visible()
    expect(notices.filter(has_text="task=nope is not one of digits, fashion")).to_be_visible()
    expect(notices.filter(has_text="“who” is not a setting of this page")).to_be_visible()
    expect(page.locator(SHOWN)).to_contain_text("angle=0 item=5")
    expect(page).to_have_url(f"{app_url}/statetest?item=5")


def test_undo_and_redo(page: Page, app_url: str, callbacks: list[str]) -> None:
    open_state_page(page, f"{app_url}/statetest")
    expect(page.locator("#undo-button")).to_be_disabled()
    set_control(page, "angle", 40)
    expect(page).to_have_url(re.compile("angle=40"))
    set_control(page, "task", "fashion")
    expect(page).to_have_url(re.compile("task=fashion"))
    settle(page)
    callbacks.clear()
    page.locator("h1").click()
    page.keyboard.press("Control+z")
    expect(page).to_have_url(f"{app_url}/statetest?angle=40")
    expect(page.locator(SHOWN)).to_contain_text("task=digits")
    settle(page)
    assert callbacks == ["statetest-shown.children"]  # one undo, one answer
    page.locator("#undo-button").click()
    expect(page).to_have_url(f"{app_url}/statetest")
    expect(page.locator(ANGLE)).to_have_value("0")
    page.keyboard.press("Control+Shift+z")
    page.keyboard.press("Control+Shift+z")
    expect(page.locator(SHOWN)).to_contain_text("task=fashion")
    expect(page.locator("#redo-button")).to_be_disabled()


def test_one_undo_restores_several_controls_with_one_callback(
    page: Page, app_url: str, callbacks: list[str]
) -> None:
    open_state_page(page, f"{app_url}/statetest")
    page.evaluate(
        "['angle', 'item'].forEach((key) => dash_clientside.set_props("
        "{type: 'control', page: 'statetest', key}, {value: 77}))"
    )
    expect(page).to_have_url(re.compile("angle=77&item=77"))
    settle(page)
    callbacks.clear()
    for _ in range(2):
        if not page.locator("#undo-button").is_disabled():
            page.locator("#undo-button").click()
            settle(page)
    expect(page).to_have_url(f"{app_url}/statetest")
    assert len(callbacks) <= 2


def test_undo_stays_out_of_text_boxes(page: Page, app_url: str) -> None:
    open_state_page(page, f"{app_url}/statetest")
    set_control(page, "angle", 40)
    expect(page).to_have_url(re.compile("angle=40"))
    page.locator(NOTE).press_sequentially("ab")
    page.keyboard.press("Control+z")
    expect(page).to_have_url(re.compile("angle=40"))
    page.keyboard.press("?")
    expect(page.locator("#key-sheet")).not_to_be_visible()


def test_undo_goes_back_across_pages(page: Page, app_url: str) -> None:
    open_state_page(page, f"{app_url}/statetest")
    set_control(page, "angle", 40)
    expect(page).to_have_url(re.compile("angle=40"))
    page.locator("#app-nav a[href='/jobs']").click()
    expect(page.get_by_role("heading", name="Jobs").first).to_be_visible()
    page.keyboard.press("Control+z")
    expect(page).to_have_url(f"{app_url}/statetest")
    expect(page.locator(SHOWN)).to_contain_text("angle=0")


def test_long_state_hides_behind_a_link(page: Page, app_url: str) -> None:
    open_state_page(page, f"{app_url}/statetest")
    long = "x" * 3000
    set_control(page, "note", long)
    expect(page).to_have_url(re.compile(r"\?link=[a-z2-7]{10}$"))
    link = page.url.split("link=")[1]
    page.goto(f"{app_url}/s/{link}")
    expect(page.locator(NOTE)).to_have_value(long)
    expect(page.locator(SHOWN)).to_contain_text("note=xxx")


def test_an_unknown_link_is_a_sentence(page: Page, app_url: str, traffic: Traffic) -> None:
    traffic.allow("/_links/aaaaaaaaaa")
    traffic.allow("404")
    open_state_page(page, f"{app_url}/statetest?link=aaaaaaaaaa")
    expect(
        page.locator(".mantine-Notification-root").filter(has_text="“aaaaaaaaaa” is not known here")
    ).to_be_visible()


def test_two_browsers_do_not_see_each_other(page: Page, browser: Browser, app_url: str) -> None:
    open_state_page(page, f"{app_url}/statetest")
    other = browser.new_context()
    second = other.new_page()
    second.goto(f"{app_url}/statetest?angle=5")
    expect(second.locator(SHOWN)).to_contain_text("angle=5")
    set_control(page, "angle", 200)
    expect(page.locator(SHOWN)).to_contain_text("angle=200")
    expect(second.locator(SHOWN)).to_contain_text("angle=5")
    assert second.evaluate("loupe.state.current().values.angle") == 5
    other.close()


def test_navigation_brings_a_page_back_as_it_was_left(page: Page, app_url: str) -> None:
    open_state_page(page, f"{app_url}/statetest?angle=30")
    page.locator("#app-nav a[href='/']").click()
    entry = page.locator("#home-recent a").first
    expect(entry).to_contain_text("angle 30")
    entry.click()
    expect(page).to_have_url(f"{app_url}/statetest?angle=30")
    expect(page.locator(ANGLE)).to_have_value("30")
    page.go_back()
    expect(page.locator("#home-recent")).to_be_visible()
