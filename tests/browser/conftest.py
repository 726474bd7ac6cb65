"""A real server for browser tests, and a page whose console errors fail the test."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import dash
import pytest
from playwright.sync_api import BrowserContext, BrowserType, Page, expect

from backend.work import WORK
from components.runtime import Services
from tests.browser import state_page
from tests.browser.driving import Traffic
from tests.browser.harness import CHROMIUM, FLAGS, running_app, turn_to
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
    assert traffic.unexpected() == []
