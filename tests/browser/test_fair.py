"""The fair-retrieval page: a query, both grids, links between views, a table of one's own."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Page, expect

PATIENCE_MS = 90_000  # a worker starts, and two cores may be busy
OVERFLOW = "document.documentElement.scrollWidth - innerWidth"
COUNTS = "() => loupe.fair.now.told.after.counts"


def card(page: Page, name: str, state: str = "ready") -> None:
    expect(page.locator(f"#{name}")).to_have_attribute("data-state", state, timeout=PATIENCE_MS)


def opened(page: Page, address: str) -> None:
    page.goto(address)
    page.wait_for_selector("#fair-after .fair-tile", timeout=PATIENCE_MS)
    card(page, "fair-results")


def test_a_query_is_balanced_and_every_view_follows(page: Page, app_url: str, callbacks: list[str]):
    opened(page, f"{app_url}/fair-retrieval?k=12")
    assert len(callbacks) <= 1  # the page
    assert page.locator("#fair-before .fair-tile").count() == 12
    minus, _, plus = page.evaluate(COUNTS)
    assert minus == plus
    expect(page.locator(".fair-limits")).to_contain_text("no statement about people")
    for name in ("fair-tradeoff", "fair-queries", "fair-methods", "fair-map", "fair-predictor"):
        card(page, name)

    tile = page.locator("#fair-before .fair-tile").first
    tile.click()
    expect(tile).to_have_attribute("data-marked", "")
    expect(page.locator("#fair-map-count")).to_have_text("1 selected")
    assert page.evaluate("loupe.fairMap.plot().rowsMarked()") == 1

    page.evaluate("loupe.fairMap.plot().select(Int32Array.of(3, 4, 5))")  # as a lasso ends
    expect(page.locator("#fair-map-count")).to_have_text("3 selected")
    page.wait_for_function("() => loupe.selection.current().ids.join() === '3,4,5'")
    assert page.evaluate("loupe.selection.current().items") == "people"

    before = page.evaluate("loupe.fair.now.told.after.ids.join()")
    set_p = "dash_clientside.set_props({type: 'control', page: 'fair', key: 'p'}, {value: 0})"
    page.evaluate(set_p)
    page.wait_for_function(
        "() => loupe.fair.now.told.after.ids.join() === loupe.fair.now.told.before.ids.join()",
        timeout=PATIENCE_MS,
    )
    assert before != page.evaluate("loupe.fair.now.told.after.ids.join()")
    assert "p=0" in page.url
    assert len(callbacks) <= 1  # the rest came as data


def test_a_lasso_on_the_map_selects_what_it_encloses(page: Page, app_url: str):
    opened(page, f"{app_url}/fair-retrieval?k=6")
    plot = page.locator("#fair-map-plot canvas").first
    plot.scroll_into_view_if_needed()
    box = plot.bounding_box()
    assert box
    x, y, w, h = box["x"], box["y"], box["width"], box["height"]
    page.mouse.move(x + 4, y + 40)
    page.mouse.down()
    for px, py in ((x + w / 2, y + 40), (x + w / 2, y + h - 4), (x + 4, y + h - 4)):
        page.mouse.move(px, py, steps=3)
    page.mouse.up()
    half = """() => {
        const plot = loupe.fairMap.plot(), {clientWidth: w} = plot.canvas;
        const inside = Array.from({length: 1710}, (_, i) => plot.toPixels(i)).filter(
            ([px, py]) => px > 4 && px < w / 2 && py > 40 && py < plot.canvas.clientHeight - 4);
        return [loupe.selection.current().ids.length, inside.length];
    }"""
    page.wait_for_function("() => loupe.selection.current().ids.length > 0")
    chosen, expected = page.evaluate(half)
    assert abs(chosen - expected) <= 0.02 * expected + 2  # points on the very edge may differ
    plot.press("Escape")
    page.wait_for_function("() => loupe.selection.current().ids.length === 0")


def test_both_painters_draw_the_points(page: Page, app_url: str):
    opened(page, f"{app_url}/fair-retrieval?k=6")
    drawn = """(renderer) => {
        const host = document.createElement('div');
        host.style.cssText = 'position:fixed;left:0;top:0;width:300px;height:300px';
        document.body.append(host);
        const n = 20000, x = new Float32Array(n), y = new Float32Array(n);
        for (let i = 0; i < n; i += 1) {
            x[i] = Math.cos(i) * (i / n);
            y[i] = Math.sin(i) * (i / n);
        }
        const plot = loupe.scatter.create(host, {renderer, colours: ['#2f6fdb']});
        plot.setPoints({x, y});
        const copy = document.createElement('canvas');
        [copy.width, copy.height] = [plot.canvas.width, plot.canvas.height];
        const context = copy.getContext('2d');
        context.drawImage(plot.canvas, 0, 0);
        const {data, width} = context.getImageData(0, 0, copy.width, copy.height);
        const isInked = (px, py) => data[4 * (py * width + px) + 3] > 8;
        let met = 0, count = 0;
        for (let i = 3; i < data.length; i += 4) count += data[i] > 8;
        for (let row = 0; row < n; row += 50) {
            const [px, py] = plot.toPixels(row).map(Math.round);
            met += [[0, 0], [-1, 0], [0, -1], [-1, -1]].some(([a, b]) => isInked(px + a, py + b));
        }
        const name = plot.renderer;
        plot.destroy();
        host.remove();
        return [name, met / (n / 50), count / (copy.width * copy.height)];
    }"""
    page.loupe_traffic.allow("GPU stall")  # type: ignore[attr-defined]
    for name in ("splat", "webgl"):
        used, met, inked = page.evaluate(drawn, name)
        assert used == name
        assert met > 0.99  # every point is where it says it is
        assert 0.15 < inked < 0.8  # and not everything is ink


def test_a_table_of_ones_own_takes_the_place_of_the_drawings(
    page: Page, app_url: str, tmp_path: Path
):
    opened(page, f"{app_url}/fair-retrieval?k=4")
    path = tmp_path / "mine.csv"
    rows = [f"item {i},{1 - i / 50},{1 if i < 15 else -1}" for i in range(20)]
    path.write_text("id,score,group\n" + "\n".join(rows), encoding="utf-8")
    page.locator("#fair-own").click()
    page.locator("#fair-own-file").set_input_files(path)
    page.get_by_role("button", name="Open", exact=True).click()
    expect(page.locator("#fair-before .fair-tile").first).to_contain_text("item 0")
    assert page.evaluate(COUNTS) == [2, 0, 2]
    card(page, "fair-tradeoff", "empty")
    card(page, "fair-map", "empty")


def test_narrow_and_wide_windows_have_no_horizontal_scroll_bar(page: Page, app_url: str):
    opened(page, f"{app_url}/fair-retrieval?k=6&predictor=mlp")
    for width in (390, 768, 1280, 1920):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate(OVERFLOW) <= 0, width
    page.set_viewport_size({"width": 1280, "height": 900})
