"""The frame: keyboard, theme, notices, keys, widths; and what happens when things fail."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.driving import Traffic, open_page, open_state_page, settle

PAGES = ["/", "/jobs", "/nowhere"]
HIDDEN = """[...document.querySelectorAll('.lp-header > *')].filter((node) => {
    const box = node.getBoundingClientRect();
    return box.width && (box.right > innerWidth || box.left < 0); }).map((node) => node.id)"""
SCHEME = "document.documentElement.getAttribute('data-mantine-color-scheme')"


@pytest.mark.parametrize("path", PAGES)
def test_one_callback_opens_a_page(
    page: Page, app_url: str, callbacks: list[str], path: str
) -> None:
    open_page(page, app_url + path)
    assert callbacks == [".._pages_content.children..._pages_store.data.."]


def test_nothing_comes_from_elsewhere(page: Page, app_url: str, traffic: Traffic) -> None:
    open_page(page, app_url)
    own = (app_url, "data:", "blob:")
    assert [url for url in traffic.urls if not url.startswith(own)] == []


@pytest.mark.parametrize("path", PAGES)
def test_no_page_is_wider_than_the_window(page: Page, app_url: str, path: str) -> None:
    """Opened narrow, as on a phone, and then made wider."""
    for width in (390, 768, 1280, 1920):
        page.set_viewport_size({"width": width, "height": 844})
        if width == 390:
            open_page(page, app_url + path)
        page.wait_for_function(f"() => document.documentElement.scrollWidth <= {width}")
        page.wait_for_function(f"() => ({HIDDEN}).length === 0")


def test_every_button_has_a_name(page: Page, app_url: str) -> None:
    open_page(page, app_url)
    nameless = page.evaluate(
        "[...document.querySelectorAll('button, a')].filter((node) =>"
        " !(node.getAttribute('aria-label') || node.textContent.trim())).map((n) => n.outerHTML)"
    )
    assert nameless == []


def test_the_theme_changes_without_a_callback(
    page: Page, app_url: str, callbacks: list[str]
) -> None:
    open_page(page, app_url)
    callbacks.clear()
    page.evaluate(
        "() => { window.heard = []; loupe.theme.onChange((scheme) => { heard.push(scheme); }); }"
    )
    button = page.locator("#theme-button")
    expect(button).to_have_attribute("aria-label", "Theme: as the system")
    button.click()
    button.click()
    expect(button).to_have_attribute("aria-label", "Theme: dark")
    assert page.evaluate(SCHEME) == "dark"
    assert page.evaluate("heard") == ["dark"]
    settle(page)
    assert callbacks == []
    page.goto(app_url, wait_until="commit")
    page.wait_for_function("document.body !== null")
    assert page.evaluate(SCHEME) == "dark"  # before Dash has drawn anything: no flash
    settle(page)


def test_the_system_decides_unless_told(browser: Browser, app_url: str) -> None:
    context = browser.new_context(color_scheme="dark")
    page = context.new_page()
    page.goto(app_url)
    page.locator("#main .lp-page").wait_for()
    assert page.evaluate(SCHEME) == "dark"
    context.close()


def test_skip_link_then_content(page: Page, app_url: str) -> None:
    open_page(page, app_url)
    page.keyboard.press("Tab")
    expect(page.get_by_text("Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.locator("#home-start")).to_be_focused()


def test_the_key_sheet_lists_the_keys(page: Page, app_url: str) -> None:
    open_page(page, app_url)
    page.keyboard.press("?")
    sheet = page.locator("#key-sheet")
    expect(sheet).to_contain_text("Undo the last change of the view")
    page.keyboard.press("Alt+j")  # under a dialog no key fires
    expect(sheet).to_be_visible()
    page.keyboard.press("Escape")
    expect(sheet).not_to_be_visible()
    page.keyboard.press("Alt+j")
    expect(page.get_by_role("heading", name="Jobs").first).to_be_visible()


def test_a_tour_is_offered_walked_and_left(page: Page, app_url: str) -> None:
    open_page(page, app_url)
    button = page.locator("#tour-button")
    expect(button).to_be_hidden()  # Home has none
    page.evaluate(
        "loupe.tour.add('', [{at: '.nowhere', title: 'Gone', text: ''},"
        " {at: '#home-start', title: 'First', text: 'one'},"
        " {at: '#main h1', title: 'Second', text: 'two'}]); loupe.tour.label()"
    )
    expect(button).to_have_attribute("data-fresh", "true")
    button.click()
    box = page.locator("#tour-panel")
    expect(box).to_contain_text("1 of 2")
    expect(page.locator("#home-start")).to_have_class(re.compile("lp-tour-lit"))
    page.keyboard.press("Enter")
    expect(box).to_contain_text("Second")
    page.keyboard.press("Escape")
    expect(box).not_to_be_visible()
    expect(button).to_be_focused()
    expect(button).to_have_attribute("data-fresh", "false")
    assert page.locator(".lp-tour-lit").count() == 0


def test_a_page_can_add_keys(page: Page, app_url: str) -> None:
    open_page(page, app_url)
    page.evaluate(
        "window.pressed = 0; window.remove = loupe.keys.add("
        "{key: 'x', label: 'Count', run: () => { pressed += 1; }});"
        "loupe.keys.add({scope: 'jobs', key: 'y', label: 'No', run: () => { pressed += 10; }})"
    )
    page.keyboard.press("x")
    page.keyboard.press("y")  # the scope is another page
    page.keyboard.press("Control+x")
    assert page.evaluate("pressed") == 1
    page.evaluate("remove()")
    page.keyboard.press("x")
    assert page.evaluate("pressed") == 1


def test_the_navigation_opens_on_a_phone(page: Page, app_url: str) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    open_page(page, app_url)
    link = page.locator("#app-nav a[href='/jobs']")
    expect(link).not_to_be_in_viewport()
    page.get_by_role("button", name="Navigation").click()
    expect(link).to_be_in_viewport()
    link.click()
    expect(page.get_by_role("heading", name="Jobs").first).to_be_visible()
    expect(link).not_to_be_in_viewport()


def test_an_expected_error_is_its_sentence(page: Page, app_url: str) -> None:
    open_state_page(page, f"{app_url}/statetest")
    page.locator("#statetest-sentence").click()
    notice = page.locator(".mantine-Notification-root")
    expect(notice).to_contain_text("angle='x' is not a number.")
    expect(notice).to_contain_text("Use 0 to 360.")


def test_a_defect_is_a_reference_number(page: Page, app_url: str) -> None:
    open_state_page(page, f"{app_url}/statetest")
    page.locator("#statetest-defect").click()
    notice = page.locator(".mantine-Notification-root")
    expect(notice).to_contain_text("Something went wrong (ref ")
    assert "secret" not in page.content()
    expect(page.locator("#statetest-shown")).to_contain_text("task=digits")  # nothing is lost


def test_a_lost_server_is_a_notice(page: Page, app_url: str, traffic: Traffic) -> None:
    open_state_page(page, f"{app_url}/statetest")
    traffic.allow("ERR_FAILED")  # what the browser itself writes about a refused connection
    page.route("**/_dash-update-component*", lambda route: route.abort())
    page.locator('input[id*=\'"key":"angle"\']').fill("90")
    notice = page.locator(".mantine-Notification-root")
    expect(notice.filter(has_text="Loupe does not answer")).to_have_count(1)
    page.unroute("**/_dash-update-component*")
    page.locator('input[id*=\'"key":"angle"\']').fill("91")
    expect(notice.filter(has_text="Loupe answers again")).to_be_visible()
    expect(page.locator("#statetest-shown")).to_contain_text("angle=91")


def test_several_notices_at_once_are_all_shown(page: Page, app_url: str) -> None:
    open_page(page, app_url)
    page.evaluate("['one', 'two', 'three'].forEach((m) => loupe.notify({title: m, message: m}))")
    expect(page.locator(".mantine-Notification-root")).to_have_count(3)
