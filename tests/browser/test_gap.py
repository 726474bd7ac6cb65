"""The Modality gap page: layouts, a selection, the slider, a query, an import."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from components.runtime import Services

PATIENCE_MS = 90_000  # a worker starts, and two cores may be busy
OVERFLOW = "document.documentElement.scrollWidth - innerWidth"
PAGE = "modality-gap"


@pytest.fixture(scope="module", autouse=True)
def warm(served: tuple[str, Services]) -> None:
    """Both workers have loaded what they need: on a busy machine that takes longer than a test."""
    from backend.gap import requests, spaces

    named = requests.named(spaces.load("pairs-rankclip"))
    served[1].jobs.call("gap.at", {**named, "delta": 0.0}, timeout_s=PATIENCE_MS / 1000)
    asked = {**named, "delta": 0.0, "k": 1, "text": "a dog"}
    served[1].jobs.call("gap.text", asked, timeout_s=PATIENCE_MS / 1000)


def card(page: Page, name: str, state: str = "ready") -> None:
    expect(page.locator(f"#{PAGE}-{name}")).to_have_attribute(
        "data-state", state, timeout=PATIENCE_MS
    )


def opened(page: Page, address: str) -> None:
    page.goto(address)
    for name in ("map", "numbers", "slider", "pair"):
        card(page, name)
    page.wait_for_function("() => loupe.gapSlider.at()", timeout=PATIENCE_MS)


def test_it_opens_on_stored_results_and_a_selection_is_one_in_all_panels(
    page: Page, app_url: str, callbacks: list[str]
):
    opened(page, f"{app_url}/modality-gap")
    assert len(callbacks) <= 2  # the page; which spaces there are
    expect(page.locator(f"#{PAGE}-map .plot-card-honesty")).to_contain_text("250 of 834 pairs")
    expect(page.locator(".gap-panel:visible")).to_have_count(3)
    expect(page.locator(".gap-panel:visible").first).to_contain_text("CLIP-style, small")
    graphs = ".gap-panel:not([hidden]) .js-plotly-plot"
    page.wait_for_function(
        f"() => [...document.querySelectorAll('{graphs}')].every((g) => g.data?.length === 4)"
    )
    drawn = page.evaluate(f"() => document.querySelectorAll('{graphs}')[1].data[1].customdata")
    page.evaluate(
        f"(ids) => document.querySelectorAll('{graphs}')[1].emit('plotly_selected',"
        " {points: ids.map((id) => ({customdata: id}))})",
        drawn[:7],
    )
    expect(page.locator(f"#{PAGE}-chosen")).to_have_text("7 pairs selected")
    for i in range(3):
        page.wait_for_function(
            f"(i) => document.querySelectorAll('{graphs}')[i].data[2].selectedpoints?.length === 7",
            arg=i,
        )
    page.get_by_role("tab", name="Words of two selections").click()
    page.get_by_role("button", name="Keep as A").click()
    page.wait_for_function("() => loupe.gap.value('a').length === 7")
    assert "a=" in page.url

    page.locator(".gap-near button").first.click()
    row = page.evaluate("loupe.gap.value('pair')")
    page.wait_for_function(f"() => loupe.gapPair.found().row === {row}")
    for i in range(3):  # the chosen pair is ringed where it is drawn, and nowhere else
        ring = f"(i) => document.querySelectorAll('{graphs}')[i].data[3].x.length"
        assert page.evaluate(ring, i) == (2 if row in drawn else 0)


def test_the_slider_is_dragged_and_says_what_changes(page: Page, app_url: str):
    page.set_viewport_size({"width": 390, "height": 844})
    opened(page, f"{app_url}/modality-gap?spaces=pairs-rankclip,pairs-random&view=models")
    assert page.evaluate(OVERFLOW) <= 0
    before = page.evaluate("loupe.gapSlider.at()")
    page.get_by_role("button", name="Close the gap").click()
    page.wait_for_function("() => loupe.gapSlider.at().delta > 0.01")
    after = page.evaluate("loupe.gapSlider.at()")
    assert after["gap"] < 0.2 * before["gap"]
    expect(page.locator(f"#{PAGE}-now")).to_contain_text("text → image R@1")
    page.wait_for_function("() => loupe.gap.value('delta') > 0.01")
    page.locator("#undo-button").click()
    page.wait_for_function("() => Math.abs(loupe.gapSlider.at().delta) < 0.001")
    card(page, "models")
    expect(page.locator(f"#{PAGE}-record")).to_contain_text("Reported, not measured here")


# Left edge, top and height of the line that is dragged and, once it rests, of the figure's own.
LINES = """async (share) => {
    const slide = document.getElementById("modality-gap-delta"), {rate} = loupe.gapSlider;
    const updates = rate.updates, box = (one) => {
        const {left, right, top, height} = one.getBoundingClientRect();
        return [(left + right) / 2, top, height];
    };
    slide.value = Number(slide.min) + share * (slide.max - slide.min);
    slide.dispatchEvent(new Event("input"));
    while (rate.updates === updates) await new Promise((go) => setTimeout(go, 4));
    const line = document.querySelector(".gap-cursor"), moved = box(line);
    while (line.isConnected) await new Promise((go) => setTimeout(go, 20));
    return [moved, box(document.querySelector(".gap-swept .shapelayer [data-index='0']"))];
}"""


def test_the_line_that_is_dragged_is_where_the_figure_draws_it(page: Page, app_url: str):
    page.goto(f"{app_url}/modality-gap")
    page.wait_for_function("() => loupe.gapSlider.at()", timeout=PATIENCE_MS)
    page.wait_for_selector('.gap-swept .shapelayer [data-index="0"]', state="attached")
    for share in (0.3, 0.8):
        moved, rests = page.evaluate(LINES, share)
        assert moved == pytest.approx(rests, abs=1.5)


def test_a_text_finds_images_and_a_picture_finds_texts(page: Page, app_url: str):
    opened(page, f"{app_url}/modality-gap")
    found = page.locator(f"#{PAGE}-found li")
    assert found.count() == 0  # nothing is asked of the model before somebody looks
    page.locator(f"#{PAGE}-ask").scroll_into_view_if_needed()
    expect(page.locator(f"#{PAGE}-found")).to_contain_text("an example", timeout=PATIENCE_MS)
    page.get_by_label("Text to find images with").fill("<b>a cow</b>")
    page.get_by_role("button", name="Find images").click()
    expect(page.locator(f"#{PAGE}-found")).to_contain_text("a cow", timeout=PATIENCE_MS)
    expect(found).to_have_count(12, timeout=PATIENCE_MS)
    assert page.locator(f"#{PAGE}-found b b").count() == 0
    out = io.BytesIO()
    Image.new("RGB", (64, 48), "white").save(out, "PNG")
    page.locator(f"#{PAGE}-file").set_input_files(
        {"name": "white.png", "mimeType": "image/png", "buffer": out.getvalue()}
    )
    expect(page.locator(f"#{PAGE}-found")).to_contain_text("white.png", timeout=PATIENCE_MS)
    expect(page.locator(".gap-list li")).to_have_count(12)


def test_arrays_are_imported_or_refused_with_a_sentence(page: Page, app_url: str, tmp_path: Path):
    page.loupe_traffic.allow("/_gap/import")  # type: ignore[attr-defined]
    page.loupe_traffic.allow("400 (BAD REQUEST)")  # type: ignore[attr-defined]
    rng = np.random.default_rng(0)
    both = rng.normal(size=(2, 40, 8)) + np.array([1.0, -1.0])[:, None, None]
    np.save(tmp_path / "raw.npy", both, allow_pickle=False)
    page.goto(f"{app_url}/modality-gap")
    card(page, "numbers")
    page.locator(f"#{PAGE}-own").click()
    page.locator("[name=images]").set_input_files(tmp_path / "raw.npy")
    page.get_by_role("button", name="Import", exact=True).click()
    said = page.locator(f"#{PAGE}-own-said")
    expect(said).to_contain_text("not 1", timeout=PATIENCE_MS)
    page.locator("[name=normalise]").check()
    page.get_by_role("button", name="Import", exact=True).click()
    page.wait_for_function("() => loupe.gap.focus()?.key.startsWith('own-')", timeout=PATIENCE_MS)
    card(page, "numbers")
    expect(page.locator(f"#{PAGE}-table")).to_contain_text("1.000")  # they are told apart
    expect(page.locator(f"#{PAGE}-found")).to_contain_text("no encoder")


def test_many_points_are_lassoed_and_marked(
    page: Page, app_url: str, served: tuple[str, Services], monkeypatch: pytest.MonkeyPatch
):
    from backend.gap import requests, spaces
    from backend.gap.importer import Imported
    from backend.gap.pairs import Pairs

    monkeypatch.setattr(requests, "PLAIN_TO", 20)
    n, store = 60, served[1].store
    both = np.random.default_rng(0).normal(size=(2, n, 6))
    both /= np.linalg.norm(both, axis=2, keepdims=True)
    key = spaces.put(Imported(Pairs(*both.astype("f4"))), "Many", store)
    space = spaces.load(key, store)
    settings = requests.MapSettings(count=n)
    places = {"images": both[0, :, :2] - 2, "texts": both[1, :, :2] + 2, "rows": np.arange(n)}
    for job in (requests.first_job(space, settings), requests.refined_job(space, settings)):
        store.put(job.key, {**places, "recall": np.array(0.987)})
    page.goto(f"{app_url}/modality-gap?spaces={key}&focus={key}&count={n}")
    card(page, "map")
    expect(page.locator(f"#{PAGE}-map .plot-card-honesty")).to_contain_text("98.7 % of the true")
    page.wait_for_function("() => loupe.gapPoints.plot(0)")
    expect(page.locator(f"#{PAGE}-graph-0")).to_be_hidden()  # points stand in its place
    expect(page.get_by_label("pair lines")).to_be_disabled()  # they have none
    box = page.locator(f"#{PAGE}-points-0 .lp-scatter-points").bounding_box()
    assert box is not None
    left, top, wide, high = (box[name] for name in ("x", "y", "width", "height"))
    corners = [(0.01, 0.01), (0.99, 0.01), (0.99, 0.5), (0.01, 0.5)]  # around all texts
    page.mouse.move(left + 0.01 * wide, top + 0.02 * high)
    page.mouse.down()
    for x, y in corners:
        page.mouse.move(left + x * wide, top + y * high, steps=3)
    page.mouse.up()
    expect(page.locator(f"#{PAGE}-chosen")).to_contain_text("60 pairs selected")
    # A text marks its image too.
    page.wait_for_function("() => loupe.gapPoints.plot(0).rowsMarked() === 120")
    x, y = page.evaluate("loupe.gapPoints.plot(0).toPixels(7)")
    page.mouse.click(left + x, top + y)
    page.wait_for_function("() => loupe.gap.value('pair') >= 0")
