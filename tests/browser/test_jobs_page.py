"""Jobs: live without callbacks; cancel, run again, log; the indicator in the header."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Page, expect

from backend.jobs import JobRequest
from components.runtime import Services
from tests.browser.driving import open_page, settle

ROW = "#jobs-grid .ag-center-cols-container .ag-row"


def row(page: Page, title: str) -> str:
    """Selector of the row of a job by its title."""
    index = page.locator(ROW).filter(has_text=title).first.get_attribute("row-id")
    return f"#jobs-grid .ag-row[row-id='{index}']"


def test_a_job_appears_moves_and_ends(
    page: Page, app_url: str, services: Services, callbacks: list[str], tmp_path: Path
) -> None:
    open_page(page, f"{app_url}/jobs")
    assert callbacks == [".._pages_content.children..._pages_store.data.."]
    callbacks.clear()
    gate = tmp_path / "go"
    services.jobs.submit(JobRequest("test.until", {"file": str(gate)}, "Waiting <i>for</i> a file"))
    page.evaluate("loupe.jobs.refresh()")
    expect(page.locator("#jobs-button-count")).to_have_text("1")
    job = page.locator(row(page, "Waiting <i>for</i> a file")).first
    expect(job).to_contain_text("Running")
    gate.touch()
    expect(job).to_contain_text("Done")
    expect(page.locator("#jobs-button-count")).to_have_text("0")
    settle(page)
    assert callbacks == []


def test_cancel_run_again_and_log(
    page: Page, app_url: str, services: Services, tmp_path: Path
) -> None:
    services.jobs.submit(JobRequest("test.until", {"file": str(tmp_path / "never")}, "Endless"))
    open_page(page, f"{app_url}/jobs")
    expect(page.locator(ROW).filter(has_text="Endless").first).to_contain_text("Running")
    page.get_by_role("button", name="Cancel: Endless").first.click()
    expect(page.locator(ROW).filter(has_text="Endless").first).to_contain_text("Cancelled")
    services.jobs.submit(JobRequest("test.sleep", {"seconds": 0.05, "value": 3}, "Short"))
    page.evaluate("loupe.jobs.refresh()")
    expect(page.locator(ROW).filter(has_text="Short").first).to_contain_text("Done")
    page.get_by_role("button", name="Log: Short").first.click()
    expect(page.locator("#log-drawer")).to_contain_text("sleeping 5 steps")
    page.keyboard.press("Escape")
    expect(page.locator("#log-drawer")).not_to_be_visible()
    page.get_by_role("button", name="Run again: Endless").first.click()
    expect(page.locator("#jobs-button-count")).to_have_text("1")
    page.get_by_role("button", name="Cancel: Endless").first.click()
    expect(page.locator("#jobs-button-count")).to_have_text("0")


def test_a_failure_says_its_sentence(page: Page, app_url: str, services: Services) -> None:
    services.jobs.submit(JobRequest("test.fail", {"kind": "sentence"}, "Failing"))
    open_page(page, f"{app_url}/jobs")
    line = page.locator(row(page, "Failing"))
    expect(line.first).to_contain_text("Failed")
    expect(page.locator("#jobs-grid")).to_contain_text("angle='x' is not a number.")
    assert "Traceback" not in page.content()


def test_the_header_panel_cancels_from_any_page(
    page: Page, app_url: str, services: Services, tmp_path: Path
) -> None:
    services.jobs.submit(JobRequest("test.until", {"file": str(tmp_path / "never2")}, "Slow one"))
    open_page(page, f"{app_url}/")
    expect(page.locator("#jobs-button-count")).to_have_text("1")
    page.locator("#jobs-button").click()
    panel = page.locator("#jobs-panel")
    expect(panel).to_contain_text("Slow one")
    expect(panel.get_by_role("progressbar")).to_have_count(1)
    panel.get_by_role("button", name="Cancel Slow one").click()
    expect(panel).to_contain_text("Cancelled")
    panel.get_by_role("link", name="All jobs").click()
    expect(page).to_have_url(f"{app_url}/jobs")


def test_nothing_is_asked_while_nothing_runs(page: Page, app_url: str) -> None:
    open_page(page, f"{app_url}/jobs")
    expect(page.locator("#jobs-button-count")).to_have_text("0")
    settle(page)  # three asks a second would never settle


def test_watch_tells_until_the_end(page: Page, app_url: str, services: Services) -> None:
    open_page(page, f"{app_url}/statetest")
    job = services.jobs.submit(JobRequest("test.sleep", {"seconds": 0.4, "value": 9}, "Watched"))
    states = page.evaluate(
        "(id) => new Promise((resolve) => { const seen = []; loupe.jobs.watch(id, (view) => {"
        " seen.push(view.state); if (loupe.jobs.isFinal(view)) resolve(seen); },"
        " {every_ms: 50}); })",
        job,
    )
    assert states[-1] == "done"
    settle(page)


def test_a_job_that_is_gone_ends_the_watch(page: Page, app_url: str, traffic) -> None:
    traffic.allow("404")
    open_page(page, f"{app_url}/statetest")
    state = page.evaluate(
        "() => new Promise((resolve) => loupe.jobs.watch('nosuch', (view) => resolve(view.state)))"
    )
    assert state == "failed"
