"""The Crayon page from a diagnosis to a comparison: groups, a run, and what it changed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from components.runtime import Services
from tests.browser.crayon_desk import desk_app
from tests.crayon_bench import forget

RUN = "&source=simulated&epochs=1&seeds=1&controls=0"
PATIENCE_MS = 60_000  # a worker starts, and two cores may be busy


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Services]]:
    with desk_app(tmp_path_factory.mktemp("crayon")) as found:
        yield found


def card(page: Page, name: str, state: str = "ready") -> None:
    expect(page.locator(f"#crayon-{name}")).to_have_attribute(
        "data-state", state, timeout=PATIENCE_MS
    )


def test_a_diagnosis_leads_to_a_run_and_the_run_to_a_comparison(
    page: Page, app_url: str, services: Services, callbacks: list[str]
):
    forget(services)
    page.goto(f"{app_url}/crayon?set=garments{RUN}")
    card(page, "gallery")
    card(page, "groups")
    assert len(callbacks) <= 3  # the page; the maps; what they say of each item
    expect(page.locator("#crayon-tiles")).to_contain_text("Worst group (WGA)")
    expect(page.locator("#crayon-gallery-list [data-item]")).to_have_count(24)
    expect(page.locator("#crayon-classes")).to_contain_text("No answers are simulated yet")

    page.locator("#crayon-chips [data-group]").nth(1).click()  # one group; the address follows
    expect(page.locator("#crayon-gallery")).to_contain_text("of 150 test images")
    first = page.locator("#crayon-gallery-list [data-item]").first
    first.click()
    expect(first).to_have_attribute("aria-selected", "true")
    assert "group=0" in page.url

    page.get_by_role("tab", name="Refine").click()
    expect(page.locator("#crayon-plan")).to_contain_text("Simulated:", timeout=PATIENCE_MS)
    expect(page.locator("#crayon-run")).to_be_disabled()  # there are no answers
    page.get_by_role("button", name="Simulate map answers").click()
    expect(page.locator("#crayon-alpha-place input")).to_be_visible(timeout=PATIENCE_MS)
    weight = page.evaluate("loupe.crayon.value('relevant')")
    alpha = page.locator("#crayon-alpha-place input")
    alpha.fill(str(2 * float(alpha.input_value())))
    alpha.press("Tab")  # alpha sets the weight of one sample, as the weight sets alpha
    page.wait_for_function(f"Math.abs(loupe.crayon.value('relevant') - {2 * weight}) < 1e-3")
    expect(page.locator("#crayon-run")).to_be_enabled(timeout=PATIENCE_MS)
    page.locator("#crayon-run").click()
    expect(page.locator("#crayon-run-note")).to_contain_text("1 run started")
    page.wait_for_function("loupe.crayonRuns.done().length === 1", timeout=PATIENCE_MS)
    card(page, "curves")
    expect(page.locator("#crayon-tree-view")).to_contain_text("Attention, seed 0 (simulated")

    page.get_by_role("tab", name="Compare").click()
    card(page, "runs")
    card(page, "change")
    expect(page.locator("#crayon-claims")).to_contain_text("no ERM: training goes on to compare")
    expect(page.locator("#crayon-runs-grid .ag-center-cols-container .ag-row")).to_have_count(2)
    expect(page.locator("#crayon-change-list [data-item]")).to_have_count(12)
    page.locator("#crayon-runs-grid .ag-pinned-left-cols-container .ag-row").nth(1).click()
    page.wait_for_function(
        "new URLSearchParams(location.search).get('run') === loupe.crayonRuns.done()[0].key"
    )
    card(page, "reported")
    page.locator("#crayon-reported select").select_option("main")
    expect(page.locator("#crayon-reported")).to_contain_text("not measured here")
    card(page, "budget", "empty")  # it waits for a press: it would train many models
