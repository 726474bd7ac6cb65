"""One page, one skeleton, every kind of task and layout: the same tests on each of them."""

from __future__ import annotations

import re

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from backend.nero import orbits, tasks
from components.runtime import Services
from tests.browser.driving import Traffic, settle
from tests.browser.nero_cases import (
    CELLS,
    CLOUDS,
    DIGITS,
    MAP,
    MOVING,
    PAIRS,
    SKELETON,
    Case,
    another,
    answers,
    every,
    open_case,
    point_of,
    ready,
    shown_values,
    stored,
)
from tests.browser.test_nero import GRAPH, evaluate
from tests.browser.test_nero_looks import OVERLAPS, TABLES


@every
def test_opens_with_the_same_cards_in_the_same_order_within_its_budget(
    page: Page, app_url: str, case: Case, callbacks: list[str], traffic: Traffic
):
    open_case(page, app_url, case)
    cards = page.locator(".plot-card").evaluate_all("cards => cards.map(c => c.id)")
    assert cards == SKELETON
    for card in SKELETON[:6]:
        expect(page.locator(f"#{card}")).to_have_attribute("data-state", "ready")
    assert evaluate(page, "document.querySelector('#nero-views').dataset.layout") == case.layout
    assert evaluate(page, "loupe.orbit.current.e") == case.elements.size
    assert len(callbacks) <= 5, callbacks
    assert page.evaluate(OVERLAPS) == []
    expect(page.locator(".nero-kind")).to_have_text(f"{case.kind} task")


@every
def test_a_dot_opens_its_item_everywhere(
    page: Page, app_url: str, case: Case, traffic: Traffic, callbacks: list[str]
):
    open_case(page, app_url, case)
    place = page.evaluate(
        """() => { const gd = document.querySelector('#nero-projection-graph .js-plotly-plot');
        const box = gd.getBoundingClientRect(), {xaxis, yaxis} = gd._fullLayout, {now} = loupe.nero;
        const at = (i) => [box.left + xaxis._offset + xaxis.d2p(gd.data[0].x[i]),
            box.top + yaxis._offset + yaxis.d2p(gd.data[0].y[i])];
        const all = now.placed.rows.map((_, i) => at(i));
        const free = all.map(([x, y], i) => Math.min(...all.filter((_, k) => k !== i)
            .map(([u, v]) => Math.hypot(u - x, v - y))));
        const mine = now.placed.rows.indexOf(now.row);
        free[mine] = -1;
        const i = free.indexOf(Math.max(...free));
        return {at: at(i), row: now.placed.rows[i]}; }"""
    )
    callbacks.clear()
    traffic.urls.clear()
    page.mouse.click(*place["at"])
    page.wait_for_function(f"() => loupe.nero.now.payload?.row === {place['row']}", timeout=60_000)
    settle(page, 60)
    item = evaluate(page, f"loupe.orbit.current.ids[{place['row']}]")
    page.wait_for_url(re.compile(f"item={item}(&|$)"))
    ring = f"{GRAPH.format('projection')}.data[1]"
    dots, at = f"{GRAPH.format('projection')}.data[0]", "loupe.nero.now.placed.rows.indexOf"
    where = evaluate(page, f"{at}({place['row']})")
    assert evaluate(page, f"[{ring}.x[0], {ring}.y[0]]") == evaluate(
        page, f"[{dots}.x[{where}], {dots}.y[{where}]]"
    )
    for card in ("individual", "input", "detail"):
        line = page.locator(f"#nero-{card} .plot-card-honesty")
        expect(line).to_contain_text(f"item {item}")
    assert len([url for url in traffic.urls if "/_nero/item" in url]) == 1
    assert callbacks == []


@pytest.mark.parametrize("case", CELLS, ids=str)
def test_a_cell_is_chosen_by_a_press_and_shown_without_the_server(
    page: Page, app_url: str, case: Case, traffic: Traffic, callbacks: list[str], services: Services
):
    open_case(page, app_url, case)
    element = another(case)
    x, y = point_of(page, element)
    callbacks.clear()
    traffic.urls.clear()
    page.mouse.move(x, y)
    page.mouse.down()
    page.wait_for_function(f"() => loupe.nero.now.shown.element === {element}")
    page.mouse.up()
    page.wait_for_function(f"() => loupe.nero.now.element === {element}")
    settle(page)
    page.wait_for_url(re.compile(f"element={element}(&|$)"))
    asked = [url for url in traffic.urls if "/_nero/" in url or "_dash-update" in url]
    # A transform that only the server can draw is one picture; numbers are all here.
    assert [url for url in asked if "/_nero/input" not in url] == []
    expect(page.locator("#nero-element")).to_have_text(case.elements.labels[element])
    page.wait_for_timeout(150)  # the rest, after which tables are drawn
    answers(page, services, case, element)


@pytest.mark.parametrize("case", CELLS, ids=str)
def test_a_drag_moves_through_elements_live(page: Page, app_url: str, case: Case, traffic: Traffic):
    open_case(page, app_url, case)
    start, end = point_of(page, case.elements.identity_index), point_of(page, another(case))
    traffic.urls.clear()
    page.mouse.move(*start)
    page.mouse.down()
    seen = set()
    for k in range(1, 9):
        part = k / 8
        page.mouse.move(*(a + (b - a) * part for a, b in zip(start, end, strict=True)))
        page.wait_for_timeout(30)
        seen.add(evaluate(page, "loupe.nero.now.shown.element"))
    assert [url for url in traffic.urls if "/_nero/" in url or "_dash-update" in url] == []
    assert len(seen) > 1
    page.mouse.up()
    page.wait_for_function(f"() => loupe.nero.now.element === {another(case)}")


@every
def test_keys_step_by_the_layout_and_through_items(page: Page, app_url: str, case: Case):
    open_case(page, app_url, case)
    page.locator("#nero-dial").focus()
    before = evaluate(page, "loupe.nero.now.shown.element")
    for key, direction in (("ArrowLeft", "left"), ("ArrowRight", "right")):
        at = evaluate(page, "loupe.neroPlace.chosen().element")
        step = f"loupe.neroLayouts.step(loupe.orbit.current.spec.orbit, {at}, '{direction}')"
        wanted = evaluate(page, step)
        page.keyboard.press(key)
        page.wait_for_function(f"() => loupe.neroPlace.chosen().element === {wanted}")
    expect(page.locator("#nero-dial")).to_have_attribute("aria-valuetext", re.compile("item"))
    assert evaluate(page, "loupe.nero.now.shown.element") == before
    row = evaluate(page, "loupe.nero.now.row")
    page.keyboard.press("PageDown")
    page.wait_for_function(f"() => loupe.nero.now.row !== {row}")
    settle(page, 60)
    page.keyboard.press("0")
    identity = case.elements.identity_index
    page.wait_for_function(f"() => loupe.neroPlace.chosen().element === {identity}")


@every
def test_another_metric_is_in_every_plot(
    page: Page, app_url: str, case: Case, services: Services, callbacks: list[str]
):
    open_case(page, app_url, case)
    name = list(tasks.find(case.task).metrics)[-1]
    label = evaluate(page, f"loupe.orbit.current.spec.metrics.find(m => m.name === '{name}').label")
    callbacks.clear()
    page.get_by_label("Metric", exact=True).first.click()
    page.get_by_role("option", name=label, exact=True).click()
    page.wait_for_function(f"() => loupe.orbit.current.shown.name === '{name}'")
    ready(page)
    arrays = stored(services, page)
    if f"metric_{name}" in arrays:
        wanted = arrays[f"metric_{name}"]
    else:
        predicted = arrays["predicted"]
        identity = predicted[:, [case.elements.identity_index]]
        wanted = np.where((predicted < 0) | (identity < 0), np.nan, predicted == identity)
    means = np.nanmean(wanted.astype(float), axis=0)
    drawn = evaluate(
        page,
        "Array.from(loupe.orbit.aggregate(loupe.orbit.current.models[0], loupe.nero.now.rows))",
    )
    np.testing.assert_allclose(np.array(drawn, float), means, atol=2e-4)
    shown = shown_values(
        page, "cells" if case.layout in ("heatmap", "squares", "discs") else "curve"
    )
    numbers = [value for value in shown if value is not None]
    assert min(numbers) == pytest.approx(np.nanmin(means), abs=2e-4)
    assert max(numbers) == pytest.approx(np.nanmax(means), abs=2e-4)
    expect(page.locator("#nero-aggregate .plot-card-honesty")).to_contain_text(label)
    assert len(callbacks) <= 1  # the map of other curves


@pytest.mark.parametrize("case", MOVING, ids=str)
def test_consensus_takes_the_place_of_the_truth(
    page: Page, app_url: str, case: Case, services: Services
):
    open_case(page, app_url, case)
    switch = page.locator("#nero-sides")
    switch.get_by_text("Consensus", exact=True).click()
    page.wait_for_function("() => loupe.orbit.current.side === 'consensus'")
    ready(page)
    arrays = stored(services, page)
    with np.errstate(invalid="ignore"):
        means = np.nanmean(arrays["consensus_metric"].astype(float), axis=0)
    drawn = evaluate(
        page,
        "Array.from(loupe.orbit.aggregate(loupe.orbit.current.models[0], loupe.nero.now.rows))",
    )
    np.testing.assert_allclose(np.array(drawn, float), means, atol=2e-4)
    row = evaluate(page, "loupe.nero.now.row")
    a, b = arrays["metric"][row].astype(float), arrays["consensus_metric"][row].astype(float)
    known = np.isfinite(a) & np.isfinite(b)
    told = evaluate(
        page,
        "loupe.neroGroups.correlations(loupe.orbit.current.models[0], [loupe.nero.now.row])[0]",
    )
    assert told == pytest.approx(np.corrcoef(a[known], b[known])[0, 1], abs=2e-3)
    assert "median" in (page.locator("#nero-tip").text_content() or "")
    switch.get_by_text("Both", exact=True).click()
    page.wait_for_function("() => loupe.orbit.current.side === 'both'")
    ready(page)
    models = evaluate(page, "loupe.orbit.current.models.length")
    role = f"{GRAPH.format('individual')}.data.filter(t => t.meta?.role === 'cells')"
    page.wait_for_function(f"() => {role}.length === {2 * models}")
    titles = evaluate(page, f"{GRAPH.format('individual')}.layout.annotations.map(a => a.text)")
    assert sum("Truth" in title for title in titles) == models
    assert sum("Consensus" in title for title in titles) == models
    page.wait_for_url(re.compile("consensus=both"))


@pytest.mark.parametrize("case", [DIGITS, CLOUDS], ids=str)
def test_consensus_of_what_does_not_move_is_refused_with_its_reason(
    page: Page, app_url: str, case: Case
):
    open_case(page, app_url, case)
    choices = page.locator("#nero-sides input")
    assert choices.evaluate_all("inputs => inputs.every(i => i.disabled)")
    assert "A class does not move" in (page.locator("#nero-why").text_content() or "")
    names = evaluate(page, "loupe.orbit.current.spec.metrics.map(m => m.name)")
    assert "agreement" in names


def test_averages_instead_of_maps_and_back_by_undo(page: Page, app_url: str):
    open_case(page, app_url, PAIRS)
    heights = f"{GRAPH.format('individual')}.data.find(t => t.meta?.role === 'cells').z.length"
    detailed = evaluate(page, heights)
    assert detailed > 100
    page.get_by_label("Show averaged NERO").check()
    page.wait_for_function(f"() => {heights} < 10")
    settle(page)
    page.wait_for_url(re.compile("averaged=1"))
    row = evaluate(page, "loupe.nero.now.row")
    drawn = evaluate(
        page,
        f"{GRAPH.format('individual')}.data.find(t => t.meta?.role === 'cells')"
        ".z.map(r => Array.from(r)).flat().filter(Number.isFinite)",
    )
    wanted = evaluate(
        page,
        f"Array.from(loupe.orbit.slice(loupe.orbit.curves(loupe.orbit.current.models[0]), {row}))",
    )
    np.testing.assert_allclose(sorted(drawn), sorted(wanted), rtol=1e-6)
    page.keyboard.press("Control+z")
    page.wait_for_function(f"() => {heights} === {detailed}")
    expect(page.get_by_label("Show averaged NERO")).not_to_be_checked()


@every
def test_every_table_twin_answers(page: Page, app_url: str, case: Case):
    open_case(page, app_url, case)
    for name in TABLES:
        table = page.evaluate(
            """(name) => fetch(`/_table/nero-${name}.json`, {method: 'POST',
                headers: {'Content-Type': 'application/json'},
                body: JSON.stringify(loupe.state.current())}).then((answer) => answer.json())""",
            name,
        )
        assert table.get("n", 0) > 0, (name, table)
        assert table["columns"]


def test_another_orbit_of_the_same_images_and_its_samplings(page: Page, app_url: str):
    open_case(page, app_url, DIGITS, "&models=digits-plain")
    page.get_by_label("Orbit", exact=True).first.click()
    page.get_by_role("option", name="Mirror images", exact=True).click()
    page.wait_for_function(
        "() => loupe.orbit.current?.spec.orbit.family === 'reflection'", timeout=120_000
    )
    ready(page)
    assert evaluate(page, "document.querySelector('#nero-views').dataset.layout") == "line"
    assert (
        evaluate(page, "loupe.state.current().values.step") == orbits.FAMILIES["reflection"].default
    )
    expect(page.locator("#nero-element")).to_be_visible()
    expect(page.get_by_label("Angle in degrees")).to_be_hidden()
    page.wait_for_function("() => !document.querySelector('#nero-canvas.is-waiting')")
    page.keyboard.press("Control+z")
    page.wait_for_function(
        "() => loupe.orbit.current?.spec.orbit.family === 'rotation'", timeout=120_000
    )


def test_the_picture_of_a_transform_is_the_models_input(
    page: Page, app_url: str, services: Services
):
    open_case(page, app_url, MAP)
    element = another(MAP)
    evaluate(page, f"loupe.neroPlace.choose({element})")
    page.wait_for_function(
        f"""() => loupe.nero.now.element === {element}
        && !document.querySelector('#nero-canvas.is-waiting')"""
    )
    settle(page)
    drawn = page.locator("#nero-canvas").evaluate(
        """c => Array.from(c.getContext('2d').getImageData(0, 0, c.width, c.height).data)
            .filter((_, i) => i % 4 === 0)"""
    )
    item = evaluate(page, "loupe.orbit.current.ids[loupe.nero.now.row]")
    params = {"task": "digits", "item": item, "orbit": MAP.elements.key, "element": element}
    wanted = services.jobs.call("nero.input", {**params, "dataset": "digits"}, 60)["image"]
    np.testing.assert_array_equal(drawn, wanted.astype(int).ravel())


def test_files_of_ones_own_have_agreement_only(page: Page, app_url: str, tmp_path):
    from PIL import Image

    from backend import datasets

    files = []
    for row in (0, 60, 120):
        files.append(tmp_path / f"mine-{row}.png")
        Image.fromarray(datasets.load("digits").image(row)).save(files[-1])
    open_case(page, app_url, DIGITS, "&models=digits-plain")
    with page.expect_file_chooser() as chooser:
        page.locator("#nero-open").click()
    chooser.value.set_files(files)
    page.wait_for_url(re.compile("set=own-"))
    page.wait_for_function(
        "() => loupe.orbit.current?.spec.set.startsWith('own-') && loupe.nero.now.payload",
        timeout=120_000,
    )
    ready(page)
    names = evaluate(page, "loupe.orbit.current.spec.metrics.map(m => m.name)")
    assert names == ["agreement"]
    assert evaluate(page, "loupe.orbit.current.n") == 3
    expect(page.locator("#nero-confusion")).to_contain_text("Nobody knows the right classes")
    expect(page.get_by_label("Data set", exact=True).first).to_have_value(re.compile("mine-0.png"))


def test_a_file_that_is_none_is_named(page: Page, app_url: str, traffic: Traffic, tmp_path):
    traffic.allow("400")
    (tmp_path / "notes.png").write_text("not a picture")
    open_case(page, app_url, DIGITS)
    with page.expect_file_chooser() as chooser:
        page.locator("#nero-open").click()
    chooser.value.set_files([tmp_path / "notes.png"])
    expect(page.locator(".mantine-Notification-root").first).to_contain_text("notes.png")
