"""The NERO page as its users drive it: linked views, live angle, budgets, links, faults."""

from __future__ import annotations

import re

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from backend import datasets
from backend.nero.requests import OrbitRequest
from backend.nero.result import OrbitResult
from components.runtime import Services
from tests.browser.driving import Traffic, open_page, settle

GRAPH = "document.querySelector('#nero-{}-graph .js-plotly-plot')"
MODELS = ("digits-plain", "digits-rotated")


def open_nero(page: Page, app_url: str, query: str = "") -> None:
    open_page(page, f"{app_url}/nero{query}")
    ready(page)


def ready(page: Page) -> None:
    """Every plot is drawn: no card is loading, and the map has its dots."""
    page.wait_for_function(
        """() => !document.querySelector('.plot-card[data-state=loading], [data-state=job]')
        && (document.querySelector('#nero-projection-graph .js-plotly-plot')?.data?.[0]?.x?.length
            || document.querySelector('#nero-projection[data-state=empty]'))""",
        timeout=60_000,
    )
    settle(page)


def evaluate(page: Page, expression: str):
    return page.evaluate(f"() => {expression}")


def angle(page: Page) -> float:
    return evaluate(page, "loupe.nero.now.angle")


def bar_heights(page: Page) -> list[list[float]]:
    """(m, 10) what the bars show."""
    return evaluate(page, f"{GRAPH.format('detail')}.data.map(t => Array.from(t.y))")


def stored(services: Services, model: str, step: int = 5) -> dict[str, np.ndarray]:
    arrays = services.store.get(OrbitRequest("digits", model, f"rotation-{step}").job().key)
    assert arrays is not None
    return arrays


def dial_centre(page: Page) -> tuple[float, float, float]:
    evaluate(page, "document.querySelector('#nero-dial').scrollIntoView({block: 'center'})")
    found = evaluate(page, f"loupe.dial.disc({GRAPH.format('individual')})")
    return found["x"], found["y"], found["radius"]


def point_at(page: Page, degrees: float) -> tuple[float, float]:
    x, y, radius = dial_centre(page)
    turn = np.deg2rad(degrees)
    return x + 0.7 * radius * np.cos(turn), y - 0.7 * radius * np.sin(turn)


def test_opens_filled_and_within_its_budget(page: Page, app_url: str, callbacks: list[str]):
    open_nero(page, app_url)
    for card in ("aggregate", "projection", "individual", "input", "detail", "confusion", "worst"):
        expect(page.locator(f"#nero-{card}")).to_have_attribute("data-state", "ready")
    assert evaluate(page, f"{GRAPH.format('projection')}.data[0].x.length") == 500
    expect(page.locator("#nero-caption")).to_contain_text("170°")
    assert len(callbacks) <= 5, callbacks  # the route, the orbits, the map, and the shell's own


def test_overview_left_detail_right_in_the_page_and_on_the_screen(page: Page, app_url: str):
    open_nero(page, app_url)
    order = page.locator(".plot-card").evaluate_all("cards => cards.map(c => c.id)")
    wanted = ["aggregate", "projection", "individual", "input", "detail"]
    assert order[:5] == [f"nero-{name}" for name in wanted]


def test_drag_moves_image_and_bars_without_the_server(
    page: Page, app_url: str, traffic: Traffic, services: Services
):
    open_nero(page, app_url, "?angle=0")
    before = page.locator("#nero-canvas").evaluate("c => c.toDataURL()")
    traffic.urls.clear()
    page.mouse.move(*point_at(page, 0))
    page.mouse.down()
    for degrees in range(0, 95, 5):
        page.mouse.move(*point_at(page, degrees))
    page.wait_for_function(
        "() => document.querySelector('#nero-caption').textContent.includes('90°')"
    )
    during = bar_heights(page)
    page.mouse.up()
    page.wait_for_function("() => loupe.nero.now.angle === 90")
    page.wait_for_url(re.compile("angle=90"))
    settle(page)
    assert [url for url in traffic.urls if "/_nero/" in url or "_dash-update" in url] == []
    item = int(evaluate(page, "loupe.orbit.current.ids[loupe.nero.now.row]"))
    row = int(np.flatnonzero(datasets.load("digits").ids == item)[0])
    for k, model in enumerate(MODELS):
        expected = stored(services, model)["outputs"][row, 18]
        np.testing.assert_allclose(during[k], expected, atol=1e-6)
        np.testing.assert_allclose(bar_heights(page)[k], expected, atol=1e-6)
    assert page.locator("#nero-canvas").evaluate("c => c.toDataURL()") != before


def test_off_grid_angle_asks_the_models_once(
    page: Page, app_url: str, traffic: Traffic, services: Services
):
    open_nero(page, app_url, "?angle=0")
    traffic.urls.clear()
    box = page.get_by_label("Angle in degrees")
    with page.expect_response(re.compile("/_nero/at"), timeout=60_000):
        box.fill("37.5")
        box.press("Enter")
    settle(page)
    assert len([url for url in traffic.urls if "/_nero/at" in url]) == 1
    item = int(evaluate(page, "loupe.orbit.current.ids[loupe.nero.now.row]"))
    params = {"task": "digits", "models": list(MODELS), "item": item, "angle_deg": 37.5}
    fresh = services.jobs.call("nero.at", {**params, "dataset": "digits"}, 60)
    np.testing.assert_allclose(bar_heights(page), fresh["probabilities"], atol=1e-5)
    neighbours = [stored(services, m)["outputs"] for m in MODELS]
    assert neighbours[0].shape[1] == 72  # 37.5° is not one of them: nothing was interpolated


def test_click_on_a_dot_opens_the_item_everywhere_in_one_request(
    page: Page, app_url: str, traffic: Traffic, callbacks: list[str]
):
    open_nero(page, app_url)
    callbacks.clear()
    traffic.urls.clear()
    place = evaluate(
        page,
        f"""(() => {{ const gd = {GRAPH.format("projection")}, i = 123, a = gd._fullLayout;
        const box = gd.getBoundingClientRect();
        return {{x: box.left + a.xaxis._offset + a.xaxis.d2p(gd.data[0].x[i]),
                 y: box.top + a.yaxis._offset + a.yaxis.d2p(gd.data[0].y[i])}}; }})()""",
    )
    with page.expect_response(re.compile("/_nero/item")) as answer:
        page.mouse.click(place["x"], place["y"])
    assert len(answer.value.body()) <= 20_000
    settle(page)
    chosen = evaluate(page, "loupe.orbit.current.ids[loupe.nero.now.row]")
    expect(page.locator("#nero-caption")).to_contain_text(f"#{chosen}")
    ring = evaluate(
        page,
        f"[{GRAPH.format('projection')}.data[1].x[0], {GRAPH.format('projection')}.data[1].y[0]]",
    )
    at = evaluate(page, "loupe.nero.now.placed.rows.indexOf(loupe.nero.now.row)")
    dots = f"{GRAPH.format('projection')}.data[0]"
    assert ring == evaluate(page, f"[{dots}.x[{at}], {dots}.y[{at}]]")
    assert f"item={chosen}" in page.url
    assert len([url for url in traffic.urls if "/_nero/" in url or "/_data" in url]) == 1
    assert callbacks == []


def test_lasso_gives_the_aggregate_of_just_that_lasso(
    page: Page, app_url: str, traffic: Traffic, callbacks: list[str], services: Services
):
    open_nero(page, app_url)
    callbacks.clear()
    box = page.locator("#nero-projection-graph .nsewdrag").first.bounding_box()
    assert box
    x, y, w, h = box["x"], box["y"], box["width"], box["height"]
    page.mouse.move(x + 2, y + 2)
    page.mouse.down()
    for fx, fy in ((0.5, 0.02), (0.5, 0.98), (0.02, 0.98), (0.02, 0.05)):
        page.mouse.move(x + fx * w, y + fy * h, steps=4)
    page.mouse.up()
    page.wait_for_function("() => loupe.nero.now.selected.length > 0")
    settle(page)
    rows = evaluate(page, "loupe.nero.now.selected")
    assert 0 < len(rows) < 500
    expect(page.locator("#shelf-button")).to_contain_text(str(len(rows)))
    drawn = evaluate(
        page,
        f"{GRAPH.format('aggregate')}.data.filter(t => t.meta.role === 'selection')"
        ".map(t => Array.from(t.r))",
    )
    for k, model in enumerate(MODELS):
        arrays = stored(services, model)
        right = arrays["predicted"][rows] == arrays["labels"][rows][:, None]
        np.testing.assert_allclose(drawn[k][:-1], right.mean(axis=0), atol=1e-6)
    assert callbacks == []  # the whole answer was in the browser


def test_subset_redraws_overview_and_map(page: Page, app_url: str, services: Services):
    open_nero(page, app_url, "?subset=class:1")
    arrays = stored(services, MODELS[0])
    rows = np.flatnonzero(arrays["labels"] == 1)
    right = arrays["predicted"][rows] == 1
    drawn = evaluate(page, f"Array.from({GRAPH.format('aggregate')}.data[0].r)")
    np.testing.assert_allclose(drawn[:-1], right.mean(axis=0), atol=1e-6)
    assert evaluate(page, f"{GRAPH.format('projection')}.data[0].x.length") == len(rows) == 50


def test_keyboard_turns_steps_and_undoes(page: Page, app_url: str):
    open_nero(page, app_url, "?angle=10")
    page.locator("#nero-dial").focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_function("() => loupe.nero.now.angle === 15")
    expect(page.locator("#nero-dial")).to_have_attribute("aria-valuenow", "15")
    item = evaluate(page, "loupe.nero.now.row")
    page.keyboard.press("ArrowDown")
    page.wait_for_function(f"() => loupe.nero.now.row !== {item}")
    settle(page)
    page.keyboard.press("Control+z")
    page.wait_for_function(f"() => loupe.nero.now.row === {item}")
    page.get_by_label("Angle in degrees").focus()
    page.keyboard.press("k")  # in a text box: no key of the page
    expect(page.locator("#shelf-button")).to_contain_text("0")


def test_similar_orbits_are_those_of_the_backend_and_open_the_item(
    page: Page, app_url: str, services: Services
):
    open_nero(page, app_url)
    row = evaluate(page, "loupe.nero.now.row")
    result = OrbitResult.from_arrays(stored(services, MODELS[0]))
    rows, shifts, distances = result.similar(row, 24)
    found = evaluate(page, f"loupe.orbit.similar(loupe.orbit.current.models[0], {row}, 24)")
    np.testing.assert_allclose([f["distance"] for f in found], distances, atol=1e-5)
    same = {r: s * 5 for r, s in zip(rows.tolist(), shifts.tolist(), strict=True)}
    agreeing = [f for f in found if same.get(f["row"]) == f["shift_deg"]]
    assert len(agreeing) >= 22  # equal distances may come in either order
    buttons = page.locator("#nero-strip button")
    expect(buttons).to_have_count(24)
    name = buttons.nth(3).get_attribute("aria-label") or ""
    buttons.nth(3).click()
    page.wait_for_function(f"() => loupe.nero.now.row !== {row}")
    assert name.startswith(evaluate(page, "loupe.sprites.name(loupe.nero.now.row)"))
    settle(page)
    page.locator("#nero-take").click()
    expect(page.locator("#shelf-button")).to_contain_text("25")


def test_the_image_in_the_browser_is_the_models_input(page: Page, app_url: str, services: Services):
    open_nero(page, app_url, "?angle=0")
    row = evaluate(page, "loupe.nero.now.row")
    item = int(datasets.load("digits").ids[row])
    for degrees in (0, 35, 90, 123.25):
        drawn = page.evaluate(
            """(angle) => Array.from(loupe.raster.rotate(loupe.nero.now.source, angle).data)
               .filter((_, i) => i % 4 === 0)""",
            degrees,
        )
        params = {"task": "digits", "models": ["digits-plain"], "item": item, "angle_deg": degrees}
        answer = services.jobs.call("nero.at", {**params, "dataset": "digits"}, 60)
        wanted = answer["image"].astype(int).ravel()
        assert np.abs(np.array(drawn) - wanted).max() <= 1, degrees


def test_another_step_is_a_job_and_then_a_result(page: Page, app_url: str, services: Services):
    open_page(page, f"{app_url}/nero?step=90")
    ready(page)
    assert evaluate(page, "loupe.orbit.current.e") == 4
    assert stored(services, MODELS[0], 90)["metric"].shape == (500, 4)


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("?angle=abc", "angle=abc is not a number from 0 to 360"),
        ("?angle=nan", "angle=nan is not a number from 0 to 360"),
        ("?item=999999", "item=999999 is not in"),
        ("?models=nothing", "models=nothing is not"),
        ("?step=7", "step=7 is not one of"),
        ("?task=../etc", "task=../etc is not one of"),
        ("?colour=mean&flavour=vanilla", "“flavour” is not a setting of this page"),
    ],
)
def test_unusable_links_open_with_a_sentence(page: Page, app_url: str, query: str, sentence: str):
    open_nero(page, app_url, query)
    expect(page.locator(".mantine-Notification-root").first).to_contain_text(sentence)
    expect(page.locator("#nero-aggregate")).to_have_attribute("data-state", "ready")


def test_empty_selection_says_what_to_do(page: Page, app_url: str):
    open_page(page, f"{app_url}/nero?subset=selection")
    card = page.locator("#nero-aggregate")
    expect(card).to_have_attribute("data-state", "empty")
    expect(card).to_contain_text("No item is selected.")


def test_two_browsers_do_not_see_each_other(page: Page, app_url: str, browser):
    open_nero(page, app_url, "?angle=20")
    other = browser.new_context().new_page()
    other.goto(f"{app_url}/nero?angle=200&task=digits")
    other.wait_for_function(
        "() => loupe.nero?.now?.payload && loupe.nero.now.angle === 200", timeout=60_000
    )
    page.locator("#nero-dial").focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_function("() => loupe.nero.now.angle === 25")
    assert other.evaluate("() => loupe.nero.now.angle") == 200
    other.context.close()


def test_plots_follow_the_theme(page: Page, app_url: str):
    open_nero(page, app_url)
    colour = f"{GRAPH.format('aggregate')}._fullLayout.font.color"
    light = evaluate(page, colour)
    evaluate(page, "loupe.theme.set('dark')")
    page.wait_for_function(f"(light) => {colour} !== light", arg=light)
    settle(page)
    expect(page.locator("#nero-aggregate")).to_have_attribute("data-state", "ready")
