"""A real server for browser tests, and a page whose console errors fail the test."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import dash
import pytest
from playwright.sync_api import Browser, BrowserContext, BrowserType, Page, expect
from werkzeug.serving import make_server

from backend.work import WORK
from components.runtime import Services
from tests.browser import card_app, state_page
from tests.browser.cards import watch_console
from tests.browser.driving import Traffic
from tests.browser.harness import CHROMIUM, FLAGS, leave_nothing_running, running_app, turn_to
from tests.fake_work import WORKS as FAKES

expect.set_options(timeout=15_000)  # ms; two cores may be busy with another browser


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "tests/browser" in item.path.as_posix():
            item.add_marker(pytest.mark.browser)
            # On two cores shared with a second browser a key press may come before the focus it is
            # meant for. One more try, and the summary names who needed it.
            item.add_marker(pytest.mark.flaky(reruns=1))


@pytest.fixture(scope="session")
def browser_type_launch_args() -> dict[str, Any]:
    return {
        "executable_path": CHROMIUM,
        "args": FLAGS,
    }


@pytest.fixture(scope="session")
def browser_context_args() -> dict[str, Any]:
    return {"viewport": {"width": 1280, "height": 900}, "color_scheme": "light"}


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Services]]:
    """Address and services of the app, with the test works and a page of state beside its own."""
    folder = tmp_path_factory.mktemp("loupe")
    with running_app(folder, {**WORK, **FAKES}, register=state_page.register) as found:
        yield found
    dash.page_registry.pop("tests.state_page", None)


@pytest.fixture
def app_url(served: tuple[str, Services]) -> str:
    return served[0]


@pytest.fixture
def services(served: tuple[str, Services]) -> Services:
    return served[1]


@pytest.fixture
def traffic() -> Traffic:
    """What the page asked for; ``traffic.allow("part")`` permits an error a test provokes."""
    return Traffic()


@pytest.fixture
def callbacks(traffic: Traffic) -> list[str]:
    """Outputs of the callbacks that reached the server, in order."""
    return traffic.callbacks


@pytest.fixture(scope="session")
def profile(
    browser_type: BrowserType,
    browser_type_launch_args: dict[str, Any],
    browser_context_args: dict[str, Any],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[BrowserContext]:
    """One browser profile for many tests: scripts are fetched and compiled once, not 200 times."""
    with_cache = browser_type.launch_persistent_context(
        tmp_path_factory.mktemp("profile"), **browser_type_launch_args, **browser_context_args
    )
    yield with_cache
    with_cache.close()


def forget(page: Page, origin: str) -> None:
    """Empties what a site may have stored in the profile; the cache of files stays."""
    session = page.context.new_cdp_session(page)
    kinds = "cookies,local_storage,indexeddb,websql,service_workers"
    session.send("Storage.clearDataForOrigin", {"origin": origin, "storageTypes": kinds})
    session.detach()


@pytest.fixture
def page(profile: BrowserContext, app_url: str, traffic: Traffic) -> Iterator[Page]:
    """A tab that knows nothing of other tests. Console errors and failed requests fail the test."""
    turn_to(app_url)
    page = profile.new_page()
    forget(page, app_url)
    page.set_default_timeout(15_000)
    traffic.watch(page)
    page.loupe_traffic = traffic  # type: ignore[attr-defined]
    yield page
    page.close()
    leave_nothing_running(app_url)
    assert traffic.unexpected() == []


@pytest.fixture(scope="module")
def card_url() -> Iterator[str]:
    """Address of the small card app, served from a thread."""
    server = make_server("127.0.0.1", 0, card_app.create().server, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def card_context(browser: Browser) -> Iterator[BrowserContext]:
    """One profile for all tests of a file, so that scripts come from its cache."""
    context = browser.new_context(
        accept_downloads=True, viewport={"width": 1280, "height": 820}, color_scheme="light"
    )
    yield context
    context.close()


@pytest.fixture
def cards(card_context: BrowserContext, card_url: str) -> Iterator[Page]:
    """The app with its plots drawn; fails when the page has said an error by the end."""
    page = card_context.new_page()
    said = watch_console(page)
    card_app.BODIES.clear()
    card_app.JOBS.clear()
    page.goto(f"{card_url}/?angle=45")
    page.locator("#cards-polar .polarlayer").wait_for()
    page.locator("#cards-evil .main-svg").first.wait_for()
    yield page
    assert said == []
    assert page.evaluate("window.hacked") is None
    page.close()
