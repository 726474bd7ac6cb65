"""The Zoom-In page as its users drive it: viewer, layers, pieces, draws, links."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from backend.zoom import opening
from backend.zoom.requests import LookRequest
from backend.zoom.result import ZoomResult, share_in_view
from components.runtime import Services
from tests.browser.driving import Traffic, settle
from tests.browser.zoom_cases import (
    MODEL,
    inked,
    now,
    on_screen,
    open_zoom,
    ready,
    rest,
    wait_inked,
    zoom_app,
)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Services]]:
    with zoom_app(tmp_path_factory.mktemp("zoom")) as found:
        yield found


def stored(services: Services, **more: object) -> ZoomResult:
    request = LookRequest(**{"image": opening.IMAGE, "model": MODEL, **more})  # type: ignore[arg-type]
    arrays = services.store.get(request.job().key)
    assert arrays is not None
    return ZoomResult.from_arrays(arrays)


def test_opens_filled_with_few_requests(
    page: Page, app_url: str, traffic: Traffic, callbacks: list[str], services: Services
):
    open_zoom(page, app_url)
    assert len(callbacks) <= 2  # the page, and the one question
    done = stored(services)
    assert now(page, "look.answer") == pytest.approx(done.answer.tolist(), abs=1e-6)
    expect(page.locator("#zoom-answer")).to_contain_text("draws say")
    expect(page.locator("#zoom-list [aria-selected=true]")).to_contain_text("Needle #27")
    expect(page.locator("#zoom-gallery [data-piece]")).to_have_count(len(done.subtiles))
    first = page.locator("#zoom-gallery [data-piece]").first
    assert first.get_attribute("data-piece") == str(done.by_contribution()[0])
    assert len([url for url in traffic.urls if "openseadragon" in url]) == 1
    assert inked(page) > 0


def test_other_pages_do_not_load_the_viewer(page: Page, app_url: str, traffic: Traffic):
    page.goto(f"{app_url}/jobs")
    settle(page)
    assert not [url for url in traffic.urls if "openseadragon" in url]


def test_panning_stays_in_the_browser_and_a_link_comes_back(
    page: Page, app_url: str, traffic: Traffic, callbacks: list[str], services: Services
):
    open_zoom(page, app_url)
    callbacks.clear()
    page.evaluate("() => loupe.zoomViewer.fit({x: 200, y: 300, w: 300, h: 300}, false)")
    page.wait_for_url(re.compile("view="))
    rest(page)
    settle(page)
    assert callbacks == []
    seen = now(page, "inView")
    box = page.evaluate("() => loupe.zoomViewer.seen()")
    done = stored(services)
    wanted = share_in_view(done.alpha, (box["x"], box["y"], box["w"], box["h"]), 128)
    assert seen == pytest.approx(wanted, abs=1e-4)
    expect(page.locator("#zoom-status")).to_contain_text(f"{100 * wanted:.0f} % of the attention")
    address = page.url
    page.goto("about:blank")
    page.goto(address)
    ready(page)
    rest(page)
    again = page.evaluate("() => loupe.zoomViewer.seen()")
    for side in ("x", "y", "w"):
        assert again[side] == pytest.approx(box[side], abs=2)


def test_undo_brings_the_viewport_back(page: Page, app_url: str):
    open_zoom(page, app_url)
    page.evaluate("() => loupe.zoomViewer.fit({x: 200, y: 300, w: 300, h: 300}, false)")
    page.wait_for_url(re.compile("view="))
    page.keyboard.press("Control+z")
    page.wait_for_function("() => !location.search.includes('view=')")
    rest(page)
    assert page.evaluate("() => loupe.zoomViewer.seen().w") >= 1000


def test_peeking_hides_the_layers_while_the_key_is_held(page: Page, app_url: str):
    open_zoom(page, app_url)
    page.locator("h1").click()
    page.keyboard.down("p")
    page.wait_for_function("() => loupe.zoom.now.isPeeking")
    wait_inked(page, "n === 0")
    page.keyboard.up("p")
    page.wait_for_function("() => !loupe.zoom.now.isPeeking")
    assert inked(page) > 0


def test_layers_are_live_and_part_of_the_link(
    page: Page, app_url: str, traffic: Traffic, callbacks: list[str]
):
    open_zoom(page, app_url, "&layers=alpha")
    callbacks.clear()
    traffic.urls.clear()
    before = page.locator(".zoom-overlay").evaluate("c => c.toDataURL()")
    page.get_by_label("First map α: palette").select_option("magma")
    page.wait_for_function(
        "(was) => document.querySelector('.zoom-overlay').toDataURL() !== was", arg=before
    )
    page.wait_for_url(re.compile("style=alpha%3A45|style=alpha:45"))
    low = page.get_by_label("First map α: values below are cut away, % of the maximum")
    whole = inked(page)
    low.evaluate("(e) => { e.value = 99; e.dispatchEvent(new Event('input')); }")
    wait_inked(page, f"n < {whole}")
    page.locator("h1").click()
    page.keyboard.press("1")
    page.wait_for_function("() => !loupe.zoomLayers.isVisible('alpha')")
    wait_inked(page, "n === 0")
    for key in "2345":
        page.keyboard.press(key)
    page.wait_for_function("() => loupe.zoomLayers.isVisible('truth')")
    expect(page.locator("#zoom-cam-said")).to_contain_text("says", timeout=60_000)
    settle(page)
    assert len(callbacks) == 1  # the class map is another question
    assert now(page, "cam.map.shape") == [7, 7]


def test_pieces_and_viewer_are_linked_both_ways(
    page: Page, app_url: str, callbacks: list[str], services: Services
):
    open_zoom(page, app_url)
    callbacks.clear()
    option = page.locator("#zoom-gallery [data-piece]").nth(2)
    row = int(option.get_attribute("data-piece") or -1)
    option.click()
    expect(option).to_have_attribute("aria-selected", "true")
    rest(page)
    x, y, w, h = stored(services).subtiles[row].tolist()
    box = page.evaluate("() => loupe.zoomViewer.seen()")
    assert box["x"] < x
    assert x + w < box["x"] + box["w"]
    assert box["h"] < 600
    page.keyboard.press("h")
    page.locator("#zoom-osd").scroll_into_view_if_needed()
    rest(page)
    other = next(
        i for i in range(len(stored(services).subtiles)) if i != row and _is_alone(services, i)
    )
    x, y, w, h = stored(services).subtiles[other].tolist()
    page.mouse.click(*on_screen(page, x + w / 2, y + h / 2))
    marked = page.locator(f"#zoom-gallery [data-piece='{other}']")
    expect(marked).to_have_attribute("aria-selected", "true")
    page.wait_for_url(re.compile(f"piece={other}"))
    settle(page)
    assert callbacks == []


def _is_alone(services: Services, row: int) -> bool:
    """No other piece is near, and the navigator does not cover it."""
    boxes = stored(services).subtiles[:, :2].astype(float)
    far = np.abs(boxes - boxes[row]).max(axis=1)
    far[row] = np.inf
    inside = 60 < boxes[row, 0] < 640 and 100 < boxes[row, 1] < 850
    return bool(far.min() > 60 and inside)


def test_a_dot_replays_its_draw(page: Page, app_url: str, callbacks: list[str], services: Services):
    open_zoom(page, app_url)
    callbacks.clear()
    page.locator("[data-draw='7']").dispatch_event("click")
    page.wait_for_url(re.compile("draw=7"))
    ready(page)
    page.wait_for_function("() => loupe.zoom.now.told.asked.draw === 7")
    settle(page)
    assert len(callbacks) == 1
    answers = now(page, "draws.answers")
    assert now(page, "look.answer") == pytest.approx(answers[7], abs=1e-6)
    assert stored(services, seed=7).answer.tolist() == pytest.approx(answers[7], abs=1e-6)
    expect(page.locator("[data-draw='7']")).to_have_attribute("aria-pressed", "true")


def test_look_here_makes_the_rectangle_the_only_tile(page: Page, app_url: str):
    open_zoom(page, app_url)
    page.locator("#zoom-look").click()
    start, end = on_screen(page, 300, 300), on_screen(page, 620, 560)
    page.mouse.move(*start)
    page.mouse.down()
    page.mouse.move(*end, steps=4)
    page.mouse.up()
    page.wait_for_url(re.compile("region="))
    page.wait_for_function(
        "() => loupe.zoom.now.told?.asked.region && loupe.zoom.now.look?.tiles.length === 1"
    )
    ready(page)
    (tile,) = now(page, "look.tiles")
    assert tile["x"] == pytest.approx(300, abs=4)
    assert tile["w"] == pytest.approx(320, abs=6)
    page.get_by_role("button", name="Look everywhere").click()
    page.wait_for_function("() => loupe.zoom.now.look?.tiles.length > 1")
    page.wait_for_function("() => !location.search.includes('region=')")


def test_top_k_draws_nothing_by_chance(page: Page, app_url: str, callbacks: list[str]):
    open_zoom(page, app_url)
    callbacks.clear()
    page.get_by_text("Top-k", exact=True).click()
    page.wait_for_function("() => loupe.zoom.now.told.asked.policy === 'topk'")
    page.wait_for_function(  # the draws arrive after the look
        """() => loupe.zoom.now.draws?.answers.every((one, _, all) =>
        one.every((value, k) => Math.abs(value - all[0][k]) < 1e-6))"""
    )
    ready(page)
    answers = np.array(now(page, "draws.answers"))
    assert np.ptp(answers, axis=0).max() < 1e-6
    assert len(callbacks) == 1


def test_keys_go_through_the_images_with_one_question_each(
    page: Page, app_url: str, callbacks: list[str]
):
    open_zoom(page, app_url, "&region=10,10,200,200&piece=2")
    callbacks.clear()
    page.locator("h1").click()
    page.keyboard.press("PageDown")
    page.wait_for_function("() => loupe.zoom.now.image?.key === 'needle:28'")
    ready(page)
    assert len(callbacks) == 1
    assert "region=" not in page.url
    assert "piece=" not in page.url
    expect(page.locator("#zoom-list [aria-selected=true]")).to_contain_text("Needle #28")
    page.keyboard.press("?")
    expect(page.locator("#key-sheet")).to_contain_text("Hold to peek")


def test_every_table_has_what_is_shown(page: Page, app_url: str, services: Services):
    open_zoom(page, app_url)
    done = stored(services)
    counts = {
        "zoom-pieces": len(done.subtiles),
        "zoom-viewer": len(done.tiles),
        "zoom-answer": 20,
        "zoom-share": len(done.subtiles),
    }
    for name, count in counts.items():
        table = page.evaluate(
            """async (name) => (await loupe.card.requestTable(name, 'json')).json()""", name
        )
        assert table["n"] == count, name
    table = page.evaluate("async () => (await loupe.card.requestTable('zoom-cost', 'json')).json()")
    assert MODEL in [row[0] for row in table["rows"]]


def test_the_page_comes_back_as_it_was_left(page: Page, app_url: str):
    open_zoom(page, app_url, "&piece=3&layers=truth")
    page.evaluate("() => loupe.zoomViewer.fit({x: 200, y: 300, w: 300, h: 300}, false)")
    page.locator("#app-nav a[href='/jobs']").click()
    page.locator("#jobs-page").wait_for()
    page.locator("#app-nav a[href='/zoom']").click()
    ready(page)
    assert now(page, "piece") == 3
    assert page.evaluate("() => loupe.zoomLayers.isVisible('truth')")
    assert not page.evaluate("() => loupe.zoomLayers.isVisible('alpha')")


def test_the_pieces_fill_a_phone_without_scrolling_sideways(page: Page, app_url: str):
    page.set_viewport_size({"width": 390, "height": 844})
    open_zoom(page, app_url)
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 390
