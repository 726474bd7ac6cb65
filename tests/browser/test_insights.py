"""The Insights page from a domain to a brief, on the bundled campaigns and their model."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from components.runtime import Services

PATIENCE_MS = 90_000  # a worker starts, and two cores may be busy
PAINTED = "() => loupe.insights.now.painted && loupe.insights.now.predicted"
OVERFLOW = "document.documentElement.scrollWidth - innerWidth"


@pytest.fixture
def warm(services: Services) -> None:
    """The worker has loaded the model: on a busy machine that takes longer than a call may."""
    params = {"set": "campaigns", "model": "", "row": 0, "draft": None}
    services.jobs.call("insights.whatif", params, timeout_s=PATIENCE_MS / 1000)
    more = {**params, "method": "integrated-gradients"}
    services.jobs.call("insights.content", more, timeout_s=PATIENCE_MS / 1000)


def card(page: Page, name: str, state: str = "ready") -> None:
    expect(page.locator(f"#insights-{name}")).to_have_attribute(
        "data-state", state, timeout=PATIENCE_MS
    )


def opened(page: Page, address: str) -> None:
    """Open the page and wait until a content is painted and its success predicted."""
    page.goto(address)
    card(page, "contents")
    page.wait_for_function(PAINTED, timeout=PATIENCE_MS)
    card(page, "content")
    card(page, "change")


@pytest.mark.usefixtures("warm")
def test_a_headline_is_edited_a_phrase_taken_and_the_brief_exported(
    page: Page, app_url: str, callbacks: list[str], tmp_path: Path
):
    opened(page, f"{app_url}/insights?domain=1")
    assert len(callbacks) <= 2  # the page; what the set holds
    expect(page.locator("#insights-simulated")).to_contain_text("Simulated")
    assert page.locator("#insights-text .insights-word").count() > 3
    assert page.locator("#insights-stage .insights-box").count() > 0
    first = page.evaluate("loupe.insights.now.predicted.predicted")

    headline = page.locator("#insights-field-headline")
    headline.fill("Say <b>more</b> & less")
    page.wait_for_function(
        "() => loupe.insights.now.predicted.edit.includes('<b>more')", timeout=PATIENCE_MS
    )
    assert page.locator("#insights-text b").count() == 0  # shown as written, never rendered
    assert page.evaluate("loupe.insights.now.predicted.predicted") != first
    expect(page.locator("#insights-edits")).to_contain_text("Headline reworded")

    card(page, "phrases")
    row = page.locator("#insights-phrases-good li").first
    phrase = row.get_attribute("data-phrase") or ""
    row.locator(".insights-phrase").click()
    expect(page.locator("#insights-phrases-why")).to_contain_text("Correlation only")
    row.get_by_role("button", name="Use").click()
    assert phrase in headline.input_value()
    expect(page.locator("#insights-text .insights-word[data-lit]").first).to_be_visible()

    row.get_by_role("button", name=f"Pin “{phrase}” to the brief").click()
    page.get_by_role("tab", name="Brief").click()
    page.get_by_label("Title of the brief").fill("<i>Spring</i>")
    page.get_by_label("Why, in your words").fill("It worked before.")
    expect(page.locator("#insights-brief-sheet")).to_contain_text("It worked before.")
    with page.expect_download() as told:
        page.get_by_role("button", name="Save as HTML").click()
    path = tmp_path / "brief.html"
    told.value.save_as(path)
    text = path.read_text(encoding="utf-8")
    assert phrase in text
    assert "&lt;i&gt;Spring" in text
    assert "Simulated" in text
    assert "http://" not in text.split("</style>")[1]

    page.evaluate("window.print = () => {}")  # no dialog
    page.get_by_role("button", name="Print").click()
    assert len(re.findall(rb"/Type\s*/Page\b", page.pdf())) == 1  # the sheet, once, alone

    page.keyboard.press("Escape")
    page.locator("#undo-button").click()  # the brief, then the phrase, then the headline
    page.wait_for_function("() => !loupe.insights.value('brief').includes('worked')")


@pytest.mark.usefixtures("warm")
def test_keys_and_places_of_the_picture_and_a_version(page: Page, app_url: str):
    page.set_viewport_size({"width": 390, "height": 844})
    opened(page, f"{app_url}/insights")
    assert page.evaluate(OVERFLOW) <= 0
    row = page.evaluate("loupe.insights.value('content')")
    page.locator("h1").click()
    page.keyboard.press("2")
    page.wait_for_function("() => loupe.insights.value('minus') === false")
    page.keyboard.press("j")
    page.wait_for_function(f"() => loupe.insights.value('content') !== {row}")
    page.wait_for_function(PAINTED, timeout=PATIENCE_MS)

    page.locator("#insights-stage .insights-box").first.focus()
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Blank it").click()
    expect(page.locator("#insights-edits")).to_contain_text("A place of the picture blanked")
    page.wait_for_function("() => loupe.insights.now.predicted.edit.includes('blank')")
    page.get_by_label("Name of this version").fill("No trophy")
    page.get_by_role("button", name="Save version").click()
    expect(page.locator("#insights-versions li").first).to_contain_text("No trophy")
    page.locator("#insights-reset").click()
    expect(page.locator("#insights-edits li")).to_have_count(0)
    page.locator("#insights-versions .insights-version").first.click()
    expect(page.locator("#insights-edits li")).to_have_count(1)


@pytest.mark.usefixtures("warm")
def test_a_table_with_mistakes_is_not_imported(page: Page, app_url: str, tmp_path: Path):
    table = tmp_path / "mine.csv"
    table.write_text("id,headline,impressions,clicks\na,Free,100,5\nb,,100,5\nc,Buy,100,500\n")
    page.goto(f"{app_url}/insights")
    page.locator("#insights-own").click()
    page.locator("[name=table]").set_input_files(table)
    page.get_by_role("button", name="Look at it").click()
    problems = page.locator(".insights-problems")
    expect(problems).to_contain_text("Row 3", timeout=PATIENCE_MS)
    expect(problems).to_contain_text("Row 2")
    expect(page.get_by_role("button", name="Import", exact=True)).to_be_disabled()


@pytest.fixture
def scripts(page: Page, app_url: str) -> Page:
    """A page on which the scripts are there and nothing else."""
    page.goto(f"{app_url}/jobs")
    page.wait_for_function("() => window.loupe?.insightsPatches")
    return page


def test_words_are_cut_where_the_model_saw_them_and_markup_is_text(scripts: Page):
    pieces = scripts.evaluate(
        """loupe.insightsPaint.pieces("A <b>B</b>", [{start: 2, end: 5, value: 1, text: "<b>"},
        {start: 3, end: 4, value: 2, text: "b"}, {start: 40, end: 41, value: 3, text: "x"}])"""
    )
    assert [(one["text"], one["value"]) for one in pieces] == [
        ("A ", None),
        ("<b>", 1),
        ("B</b>", None),
    ]
    html = scripts.evaluate(
        """() => { const host = document.createElement("div");
        loupe.insightsPaint.words(host, "<img src=x> ok", [], 0); return host.innerHTML; }"""
    )
    assert html.startswith("&lt;img src=x&gt; ok")


def test_an_edited_text_keeps_the_values_of_words_it_still_has(scripts: Page):
    found = scripts.evaluate(
        """loupe.insightsPaint.carried("now free, новый!", [{text: "Free", value: 2}])"""
    )
    assert [(one["text"], one["value"]) for one in found] == [
        ("now", None),
        ("free", 2),
        ("новый", None),
    ]


def test_an_overlay_shows_one_sign_and_cuts_what_is_small(scripts: Page):
    alphas = scripts.evaluate(
        """[1, -1].map((sign) => { const canvas = loupe.insightsPaint.layer(
        {shape: [1, 3], values: [1, -0.5, 0.1]}, sign, 1, 0.2);
        return Array.from(canvas.getContext("2d").getImageData(0, 0, 3, 1).data)
            .filter((_, i) => i % 4 === 3); })"""
    )
    plus, minus = alphas
    assert (plus[0], plus[1], plus[2]) == (255, 0, 0)
    assert minus[0] == minus[2] == 0
    assert 100 < minus[1] < 255


def test_the_interaction_table_adds_up(scripts: Page):
    sums = scripts.evaluate(
        """loupe.insightsPatches.totals({table: [[1, 2], [3, 4]], row_own: [10, 20],
        column_own: [100, 200], rest: 0.5, baseline: 1000})"""
    )
    assert sums["rows"] == [13, 27]
    assert sums["columns"] == [104, 206]
    assert sums["prediction"] == 1340.5
