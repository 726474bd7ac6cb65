"""How the NERO page looks and holds together: sizes, warnings, jobs, exports, undo."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import ConsoleMessage, Page, expect

from tests.browser.driving import settle
from tests.browser.test_nero import GRAPH, evaluate, open_nero, ready

BODIES = """() => [...document.querySelectorAll('.plot-card')].map((card) => {
    const {x, y, width, height} = card.querySelector('.plot-card-body').getBoundingClientRect();
    return [card.id, ...[x, y, width, height].map(Math.round)]; })"""
OVERLAPS = """() => { const cards = [...document.querySelectorAll('.plot-card')]
    .map((card) => [card.id, card.getBoundingClientRect()]);
    return cards.flatMap(([a, p], i) => cards.slice(i + 1).filter(([, q]) =>
        p.left < q.right - 1 && q.left < p.right - 1
        && p.top < q.bottom - 1 && q.top < p.bottom - 1)
        .map(([b]) => [a, b])); }"""
PLOTS = ("aggregate", "projection", "individual", "detail", "confusion")
TABLES = ("aggregate", "projection", "individual", "detail", "confusion", "worst", "similar")


@pytest.fixture
def complaints(page: Page) -> Iterator[list[str]]:
    """Warnings and traces of the console: none of them may be ours."""
    said: list[str] = []

    def hear(message: ConsoleMessage) -> None:
        if message.type in ("warning", "trace", "error"):
            said.append(message.text)

    page.on("console", hear)
    yield said
    assert said == []


def choose(page: Page, label: str, option: str) -> None:
    page.get_by_label(label, exact=True).first.click()
    page.get_by_role("option", name=option).first.click()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [(390, 844), (1280, 800), (1920, 1080)])
def test_nothing_jumps_overlaps_or_overflows(
    page: Page, app_url: str, complaints: list[str], size: tuple[int, int], scheme: str
):
    page.set_viewport_size({"width": size[0], "height": size[1]})
    page.emulate_media(color_scheme=scheme)
    page.goto(f"{app_url}/nero", wait_until="commit")
    page.wait_for_selector(".plot-card[data-state=loading]")
    page.evaluate("document.fonts.ready.then(() => 1)")
    first = page.evaluate(BODIES)
    ready(page)
    assert page.evaluate(BODIES) == first
    assert page.evaluate(OVERLAPS) == []
    assert evaluate(page, "document.documentElement.scrollWidth") == size[0]
    if size[0] >= 1280:  # the five linked sections are seen at once
        lowest = evaluate(page, "document.querySelector('#nero-detail').getBoundingClientRect()")
        assert lowest["bottom"] <= size[1]


def test_leaving_while_it_loads_leaves_no_complaint(
    page: Page, app_url: str, complaints: list[str]
):
    page.goto(f"{app_url}/jobs")
    settle(page)
    for wait_ms in (50, 250, 700):
        evaluate(page, "loupe.state.go('/nero')")
        page.wait_for_timeout(wait_ms)
        evaluate(page, "loupe.state.go('/jobs')")
        page.wait_for_timeout(400)
    evaluate(page, "loupe.state.go('/nero')")
    page.locator("#nero-aggregate").wait_for()
    ready(page)
    expect(page.locator("#nero-similar")).to_have_attribute("data-state", "ready")


def test_moving_the_angle_draws_without_plotly_and_like_plotly(page: Page, app_url: str):
    open_nero(page, app_url, "?angle=0")
    paths = "[...document.querySelectorAll('#nero-detail .point > path')]"
    numbers = f"{paths}.map(p => p.attributes.d.value.match(/[\\d.]+/g).map(Number))"
    calls = page.evaluate(
        """() => { const {Plotly} = window, kept = {}; let calls = 0;
        for (const name of ['restyle', 'relayout', 'react', 'update', 'redraw']) {
            kept[name] = Plotly[name];
            Plotly[name] = (...all) => { calls += 1; return kept[name](...all); };
        }
        const at = (angle) => loupe.neroPlace.live(loupe.neroPlace.placeOf(angle));
        for (let angle = 0; angle < 360; angle += 15) at(angle);
        at(45);
        Object.assign(Plotly, kept);
        return calls; }"""
    )
    assert calls == 0
    moved = evaluate(page, numbers)
    evaluate(page, "loupe.neroPlace.settle(loupe.neroPlace.placeOf(45))")
    page.wait_for_timeout(400)
    drawn = evaluate(page, numbers)
    for ours, theirs in zip(moved, drawn, strict=True):
        assert ours == pytest.approx(theirs, abs=1.01)  # Plotly shows at least a pixel
    cursor = f"{GRAPH.format('individual')}.data.find(t => t.meta.role === 'cursor').theta"
    assert evaluate(page, cursor) == [45, 45]  # exports show what the overlay shows


def test_undefined_answers_are_gaps_and_are_counted(page: Page, app_url: str):
    open_nero(page, app_url, "?subset=class:3")
    found = page.evaluate(
        """() => { const {current} = loupe.orbit, [model] = current.models;
        const rows = loupe.orbit.rowsOf('class:3'), at = (row, g) => row * current.e + g;
        const values = model.values.get('metric');
        const forget = (at) => { model.predicted[at] = -1; values[at] = NaN; };
        rows.forEach((row) => forget(at(row, 7)));
        forget(at(rows[0], 8));
        const others = rows.slice(1).filter((row) => model.predicted[at(row, 8)] === 3).length;
        model.values.delete('accuracy'); // it follows from the answers
        loupe.theme.set('dark');
        return {share: loupe.orbit.aggregate(model, rows)[8],
            wanted: others / (rows.length - 1), missing: rows.length + 1}; }"""
    )
    assert found["share"] == pytest.approx(found["wanted"])
    honesty = page.locator("#nero-aggregate .plot-card-honesty")
    expect(honesty).to_contain_text(f"{found['missing']} answers undefined, left out")
    drawn = evaluate(page, f"Number.isFinite({GRAPH.format('aggregate')}.data[0].r[7])")
    assert drawn is False
    assert evaluate(page, "loupe.sprites.className(-1)") == "no answer"


def test_cancel_retry_and_the_newest_step_wins(page: Page, app_url: str):
    open_nero(page, app_url)
    choose(page, "Step", "2°")
    card = page.locator("#nero-aggregate")
    expect(card).to_have_attribute("data-state", "job", timeout=30_000)
    card.locator("[data-action=cancel]").click()
    expect(card).to_have_attribute("data-state", "failed")
    expect(card).to_contain_text("cancelled")
    expect(page.locator("#nero-detail")).to_have_attribute("data-state", "empty")
    card.locator("[data-action=retry]").click()
    expect(card).to_have_attribute("data-state", "job")
    choose(page, "Step", "90°")
    page.wait_for_function(
        "() => loupe.orbit.current && loupe.orbit.current.e === 4", timeout=90_000
    )
    expect(card).to_have_attribute("data-state", "ready")
    jobs = page.evaluate("() => fetch('/_jobs').then((answer) => answer.json())")
    listed = jobs if isinstance(jobs, list) else jobs["jobs"]
    fine = [job["state"] for job in listed if job["params"].get("orbit") == "rotation-2"]
    assert set(fine) <= {"cancelled"}


def test_another_data_set_and_back_by_undo(page: Page, app_url: str, complaints: list[str]):
    open_nero(page, app_url, "?models=digits-plain&angle=30")
    evaluate(page, "loupe.selection.set({items: 'digits', ids: [3008, 1873]})")
    page.wait_for_function("() => loupe.nero.now.selected.length === 2")
    choose(page, "Data set", "Photographs")
    page.wait_for_function("() => loupe.orbit.current?.spec.task === 'photos'", timeout=120_000)
    ready(page)
    assert evaluate(page, "loupe.nero.now.selected") == []  # those ids are of other items
    assert re.search("digit", page.locator("#main").inner_text().replace("Digit", "digit")) is None
    assert page.locator("#nero-detail .ytick").count() == 8
    page.keyboard.press("Control+z")
    page.wait_for_function("() => loupe.orbit.current?.spec.task === 'digits'", timeout=60_000)
    ready(page)
    assert evaluate(page, "loupe.nero.now.angle") == 30
    assert evaluate(page, "loupe.orbit.current.models.map(m => m.key)") == ["digits-plain"]


def test_a_subset_does_not_choose_for_the_user_and_shows_thumbnails(page: Page, app_url: str):
    open_nero(page, app_url)
    before = evaluate(page, "loupe.nero.now.row")
    choose(page, "Items shown", "1 (50)")
    page.wait_for_function(
        f"() => {GRAPH.format('projection')}.data[0].x.length === 50", timeout=90_000
    )
    images = f"({GRAPH.format('projection')}.layout.images || []).length"
    page.wait_for_function(f"() => {images} === 50")
    settle(page)
    expect(page.locator("#nero-place")).to_have_text("– / 50")
    assert evaluate(page, "loupe.nero.now.row") == before


@pytest.mark.parametrize(("typed", "angle"), [("360", 0), ("400", 40), ("-1", 359), ("", 170)])
def test_typed_angles_go_round(page: Page, app_url: str, typed: str, angle: int):
    open_nero(page, app_url)
    box = page.get_by_label("Angle in degrees")
    box.fill(typed)
    box.press("Enter")
    box.blur()
    expect(box).to_have_value(f"{angle}°")
    assert evaluate(page, "loupe.nero.now.angle") == angle


def test_shelf_selection_is_marked_and_takes_the_lasso_away(page: Page, app_url: str):
    open_nero(page, app_url)
    evaluate(page, "loupe.selection.set({items: 'digits', ids: [3008, 1873, 4844]})")
    marked = f"{GRAPH.format('projection')}.data[0].selectedpoints?.length"
    page.wait_for_function(f"() => {marked} === 3")
    expect(page.locator("#nero-legend")).to_contain_text("selection (3)")
    expect(page.locator("#nero-band")).to_contain_text("the selection (3)")


def test_the_report_has_every_plot_with_its_data(page: Page, app_url: str):
    open_nero(page, app_url)
    text = page.evaluate("() => loupe.report.build()")
    figures = re.findall(r'<script type="application/json" data-plot="[^"]+">(.*?)</script>', text)
    assert len(figures) == len(PLOTS)
    for figure in map(json.loads, figures):
        traces = figure["data"]
        assert any(trace.get("r") or trace.get("y") or trace.get("z") for trace in traces)
    names = [trace["name"] for trace in json.loads(figures[0])["data"] if trace.get("showlegend")]
    assert names == ["Digits, plain", "Digits, rotation-augmented"]
    for title in ("Input", "Similar orbits"):
        section = re.search(rf"<section><h2>{title}</h2>.*?</section>", text, re.DOTALL)
        assert section is not None
        assert "<img src=" in section.group()
    assert "<h2>Worst items</h2>" in text
    assert text.count("<table>") >= len(TABLES)


@pytest.mark.parametrize("query", ["", "?subset=class:6&metric=confidence"])
def test_every_table_twin_answers_with_rows(page: Page, app_url: str, query: str):
    open_nero(page, app_url, query)
    for name in TABLES:
        table = page.evaluate(
            """(name) => fetch(`/_table/nero-${name}.json`, {method: 'POST',
                headers: {'Content-Type': 'application/json'},
                body: JSON.stringify(loupe.state.current())}).then((answer) => answer.json())""",
            name,
        )
        assert table["n"] > 0, name
        assert len(table["rows"]) > 0, name


def test_plots_have_words_that_follow(page: Page, app_url: str):
    open_nero(page, app_url, "?angle=0")
    for name in PLOTS:
        label = page.locator(f"#nero-{name}-graph").get_attribute("aria-label") or ""
        assert len(label) > 20, name
    page.locator("#nero-dial").focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator("#nero-detail-graph")).to_have_attribute("aria-label", re.compile("^5°: "))
    said = page.locator("#nero-dial").get_attribute("aria-valuetext") or ""
    assert said.startswith("5 degrees, item 3008, labelled 6; confidence of the true class")


def test_ticks_of_the_orbit_map_differ_however_alike_its_values_are(page: Page, app_url: str):
    open_nero(page, app_url)
    formats = page.evaluate(
        """() => [[0.1, 0.9], [0.998, 0.9991], [1, 1]].map((values) => loupe.draw.projection(
            [0, 0, 1, 1], [0, 1], values, "mean", false).data[0].marker.colorbar.tickformat)"""
    )
    assert formats == [".2f", ".4f", ".2f"]
