"""Orbit plots in the browser: the pointer finds the cell, the outline lies on it, and quickly."""

from __future__ import annotations

import base64
import logging
import re
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Page, expect
from werkzeug.serving import make_server

from components.figures import orbit_layouts
from tests.browser import layouts_page
from tests.browser.layouts_page import PLOTS

ONE_OF_EACH = ("heatmap2", "squares2d", "squares8", "discs3", "line", "linelog", "linetext")
FRAME_MS = 8  # what a drag may take of a frame
DRAW_MS = 150  # 2,808 sectors of three models, or as many cells

# Where an element's cell is, in client pixels, in the panel of one model: from the axes' own scale.
PLACE = """([name, element, model]) => {
    const {gd, orbit} = plots[name], p = orbit.positions[element];
    const plane = orbit.layout === "discs" ? p[0] : undefined;
    const mine = gd.data.filter((t) => t.meta.role === "cursor"
        && (plane === undefined || t.meta.plane === plane));
    const trace = mine[Math.min(model, mine.length - 1)];
    const axis = (ref, letter) =>
        gd._fullLayout[(ref || letter).replace(letter, letter + "axis")];
    const xa = axis(trace.xaxis, "x"), ya = axis(trace.yaxis, "y");
    const box = gd.getBoundingClientRect();
    const turn = p[1] * Math.PI / 180, angles = orbit.positions.map((q) => q[2]);
    const rim = Math.max(...angles) + (angles[1] - angles[0]) / 2;
    const [cx, cy] = trace.meta.centre || [];
    const [x, y] = orbit.layout === "discs"
        ? [cx + p[2] / rim * Math.cos(turn), cy + p[2] / rim * Math.sin(turn)]
        : orbit.layout === "squares" ? [p[0] + 0.5, p[1] + 0.5]
        : orbit.layout === "line" ? [p[0], plots[name].models[0].values[element]] : p;
    return [box.left + xa._offset + xa.d2p(x), box.top + ya._offset + ya.d2p(y)];
}"""
OUTLINE = """(name) => plots[name].gd.querySelector(".nero-cells-mark").getAttribute("d")"""


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = make_server("127.0.0.1", 0, layouts_page.create(), threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.port}"
    server.shutdown()


def show(page: Page, address: str, *names: str) -> None:
    page.goto(f"{address}/?only={','.join(names)}")
    page.wait_for_selector("body[data-ready]", timeout=60_000)


def click(page: Page, name: str, element: int, model: int = 0) -> int:
    """The element that a press at the middle of another's cell chooses."""
    page.locator(f"#{name}").scroll_into_view_if_needed()
    x, y = page.evaluate(PLACE, [name, element, model])
    page.mouse.click(x, y)
    page.wait_for_function(f"() => plots.{name}.done.length")
    return int(page.evaluate(f"plots.{name}.done.pop()"))


def boxes(path: str) -> list[tuple[float, float, float, float]]:
    """Left, top, right, bottom of each outline in a path."""
    found = []
    for part in path.split("M")[1:]:
        points = np.array([[float(v) for v in pair.split()] for pair in part.split("L")])
        found.append((*points.min(axis=0), *points.max(axis=0)))
    return found


@pytest.mark.parametrize("name", ONE_OF_EACH)
def test_a_press_on_a_cell_chooses_its_element(page: Page, address: str, name: str):
    show(page, address, name)
    plot = PLOTS[name]()
    size, models = plot.orbit.size, 1 if plot.orbit.layout == "line" else len(plot.values)
    for k, element in enumerate(np.linspace(1, size - 1, 6).astype(int).tolist()):
        assert click(page, name, element, k % models) == element


def test_a_press_on_a_discs_centre_is_no_rotation(page: Page, address: str):
    show(page, address, "discs1")
    orbit = PLOTS["discs1"]().orbit
    for plane in range(3):
        chosen = click(page, "discs1", plane * 24 * 13 + 5 * 13)
        assert orbit.positions[chosen][[0, 2]].tolist() == [plane, 0]
    (everywhere,) = [boxes(page.evaluate(OUTLINE, "discs1"))]
    assert len(everywhere) == 3  # the same rotation on every disc


@pytest.mark.parametrize("name", ["heatmap3", "squares2d", "discs2"])
def test_the_outline_lies_on_the_cell_in_every_models_panel(page: Page, address: str, name: str):
    show(page, address, name)
    plot = PLOTS[name]()
    element = int(plot.orbit.size * 0.37)
    page.evaluate(f"plots.{name}.cursor({element})")
    box = page.evaluate(
        f"(({{left, top}}) => [left, top])(plots.{name}.gd.getBoundingClientRect())"
    )
    outlines = boxes(page.evaluate(OUTLINE, name))
    assert len(outlines) == len(plot.values)
    for model, (left, top, right, bottom) in enumerate(outlines):
        x, y = page.evaluate(PLACE, [name, element, model])
        middle = ((left + right) / 2 + box[0], (top + bottom) / 2 + box[1])
        assert middle == pytest.approx((x, y), abs=1.6)
        assert left < x - box[0] < right
        assert top < y - box[1] < bottom


def test_the_outline_follows_the_plot_when_the_window_changes(page: Page, address: str):
    show(page, address, "heatmap2")
    page.evaluate("plots.heatmap2.cursor(200)")
    before = page.evaluate(OUTLINE, "heatmap2")
    page.set_viewport_size({"width": 390, "height": 800})
    page.wait_for_function(f"(before) => ({OUTLINE})('heatmap2') !== before", arg=before)
    page.wait_for_function("() => plots.heatmap2.gd._fullLayout.width < 390")
    box = page.evaluate("(b => [b.left, b.top])(plots.heatmap2.gd.getBoundingClientRect())")
    left, top, right, bottom = boxes(page.evaluate(OUTLINE, "heatmap2"))[0]
    x, y = page.evaluate(PLACE, ["heatmap2", 200, 0])
    assert ((left + right) / 2, (top + bottom) / 2) == pytest.approx(
        (x - box[0], y - box[1]), abs=1.6
    )


def test_the_page_sees_one_outline_and_an_export_has_it_too(page: Page, address: str):
    show(page, address, "heatmap2")
    page.evaluate("plots.heatmap2.cursor(37); plots.heatmap2.draw()")
    page.wait_for_function("() => document.querySelectorAll('#heatmap2 .nero-mark').length === 2")
    for mark in page.locator("#heatmap2 .nero-mark").all():
        assert not mark.is_visible()
    page.evaluate("plots.heatmap2.cursor(35)")
    x = page.evaluate("plots.heatmap2.gd.data.find(t => t.meta.role === 'cursor').x")
    assert x == [-54, -50, -50, -54, -54]  # row 1, column 3: 2 px around −52
    svg = page.evaluate(
        "Plotly.toImage(plots.heatmap2.gd, {format: 'svg', width: 400, height: 300})"
    )
    assert svg.count("rgb(221%2C%2061%2C%2045)") + svg.count("rgb(221, 61, 45)") >= 2


def test_a_drag_goes_from_cell_to_cell_and_beyond_the_edge(page: Page, address: str):
    show(page, address, "heatmap2")
    x, y = page.evaluate(PLACE, ["heatmap2", 33 * 16, 0])
    page.mouse.move(x, y)
    page.mouse.down()
    for dx in range(0, 30, 2):
        page.mouse.move(x + dx, y)
    page.mouse.move(x - 400, y)  # far out on the left: the edge of that row
    page.mouse.up()
    page.wait_for_function("() => plots.heatmap2.done.length === 1")
    moved = page.evaluate("plots.heatmap2.moved")
    assert len(set(moved)) > 3
    assert page.evaluate("plots.heatmap2.done") == [16 * 32 + 0]


def test_a_press_beside_the_panels_is_nobodys(page: Page, address: str):
    show(page, address, "discs1")
    box = page.locator("#discs1 .frame").bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + 3, box["y"] + 3)
    centre = page.evaluate(PLACE, ["discs1", 0, 0])
    rim = page.evaluate(PLACE, ["discs1", 12, 0])
    reach = rim[0] - centre[0]
    page.mouse.click(centre[0] + 0.85 * reach, centre[1] + 0.85 * reach)  # a panel's free corner
    assert page.evaluate("plots.discs1.done") == []


def cpu_ms(page: Page, script: str, times: int) -> float:
    """What the page's thread works per time of ``script``: busy neighbours do not count."""
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})

    def spent() -> float:
        metrics = session.send("Performance.getMetrics")["metrics"]
        return float(next(m["value"] for m in metrics if m["name"] == "TaskDuration"))

    before = spent()
    page.evaluate(
        f"""async () => {{
        for (let i = 0; i < {times}; i++) {{
            {script};
            await new Promise((resolve) => requestAnimationFrame(resolve));
        }}
    }}"""
    )
    return (spent() - before) * 1000 / times


@pytest.mark.parametrize("name", ["heatmap6", "squares3", "discs3", "line", "circle"])
def test_a_frame_of_a_drag_is_quick(page: Page, address: str, name: str):
    """Finding the element, moving all outlines and painting, for each of 60 frames."""
    show(page, address, name)
    script = f"""const {{gd, orbit, cursor}} = plots.{name}, box = gd.getBoundingClientRect();
        const [x, y] = [box.left + box.width * (0.2 + i / 100), box.top + 140 + i];
        const event = {{clientX: x, clientY: y}};
        cursor(loupe.layouts.of(orbit).hit(gd, orbit, event, true))"""
    assert cpu_ms(page, script, 60) < FRAME_MS
    assert page.evaluate(f"plots.{name}.element") >= 0


@pytest.mark.parametrize("name", ["discs3", "heatmap3", "squares2d"])
def test_a_plot_is_drawn_in_a_moment(page: Page, address: str, name: str):
    show(page, address, name)
    assert cpu_ms(page, f"await plots.{name}.draw()", 6) < DRAW_MS


# --- values ---------------------------------------------------------------------------------------


def filled(page: Page, name: str, model: int, field: str) -> Any:
    script = f"""() => plots.{name}.gd.data.filter((t) => t.meta.role === "cells")[{model}].{field}
        .map((row) => (row && row.length !== undefined && typeof row !== "string"
            ? Array.from(row, (v) => (Number.isNaN(v) ? null : v)) : row))"""
    return page.evaluate(script)


def test_the_browser_fills_a_map_as_python_does(page: Page, address: str):
    show(page, address, "heatmap2")
    plot = PLOTS["heatmap2"]()
    curves = [
        orbit_layouts.ModelMaps(f"m{k}", "", k, values=v.astype(np.float32), marked=plot.marked[k])
        for k, v in enumerate(plot.values)
    ]
    expected = orbit_layouts.individual(plot.orbit, curves, plot.metric, view="v")
    cells = [trace for trace in expected.data if trace.meta["role"] == "cells"]
    for model in (0, 1):
        z = np.array(filled(page, "heatmap2", model, "z"), float)
        np.testing.assert_array_equal(z, np.asarray(cells[model].z, float))
    assert np.isnan(np.array(filled(page, "heatmap2", 1, "z"), float)).any()
    text = filled(page, "heatmap2", 0, "text")
    assert text[16][18] == "+8, 0 px"
    assert text[31][0] == "−64, +60 px (no detection)"
    key = page.locator("#heatmap2 .annotation-text", has_text="no detection")
    assert key.text_content() == "▨ no detection   □ not defined"
    hatching = page.evaluate("plots.heatmap2.gd.layout.images[0].source")
    assert sorted(re.findall(r"M\d+ \d+l", hatching)) == sorted(
        re.findall(r"M\d+ \d+l", expected.layout.images[0].source)
    )


@pytest.mark.parametrize("name", ["squares2", "squares2d"])
def test_the_browser_fills_squares_as_python_does(page: Page, address: str, name: str):
    show(page, address, name + ",")
    plot = PLOTS[name]()
    maps = [np.empty((0, 0, 0))] * 2 if plot.averaged else plot.maps
    curves = [
        orbit_layouts.ModelMaps(f"m{k}", "", k, values=v, maps=maps[k])
        for k, v in enumerate(plot.values)
    ]
    expected = orbit_layouts.individual(plot.orbit, curves, plot.metric, view="v")
    cells = [trace for trace in expected.data if trace.meta["role"] == "cells"]
    for model in (0, 1):
        z = np.array(filled(page, name, model, "z"), float)
        np.testing.assert_allclose(z, np.asarray(cells[model].z, float), rtol=1e-6)
        np.testing.assert_allclose(filled(page, name, model, "x"), cells[model].x)
        assert filled(page, name, model, "text") == np.asarray(cells[model].text).tolist()
    scale = page.evaluate(f"plots.{name}.gd.layout.coloraxis")
    assert scale["reversescale"] is True
    assert scale["cmax"] == pytest.approx(expected.layout.coloraxis.cmax, rel=1e-6)


def test_the_browser_draws_discs_as_python_does(page: Page, address: str):
    show(page, address, "discs2")
    plot = PLOTS["discs2"]()
    sources = page.evaluate(
        """plots.discs2.gd.layout.images.filter(({name}) => name.startsWith("disc"))
        .map(({source}) => source)"""
    )
    curves = [orbit_layouts.ModelCurve(f"m{k}", "", k, values=v) for k, v in enumerate(plot.values)]
    figure = orbit_layouts.individual(plot.orbit, curves, plot.metric, view="v")
    expected = [image.source for image in figure.layout.images if image.name.startswith("disc")]
    assert len(sources) == len(expected) == 6
    for source, wanted in zip(sources, expected, strict=True):
        drawn, made = colours(source), colours(wanted)
        assert len(drawn) == 1 + 24 * 12
        assert drawn.keys() == made.keys()
        off = [np.abs(np.subtract(drawn[d], made[d])).max() for d in made]
        assert max(off) <= 1  # float32 there, float64 here


def colours(source: str) -> dict[str, tuple[int, ...]]:
    """Each sector of a disc with its colour in 0..255."""
    found = {}
    for fill, d in re.findall(r"fill='%23(\w+)' stroke='[^']*' d='([^']*)'", source):
        for sector in d.split("Z")[:-1]:
            found[sector] = tuple(bytes.fromhex(fill))
    return found


def test_bright_on_the_screen_is_a_small_error(page: Page, address: str):
    """The drawn pixels: the centre of an error map is bright, its border is dark."""
    show(page, address, "heatmaperr")
    page.locator("#heatmaperr").scroll_into_view_if_needed()
    orbit = PLOTS["heatmaperr"]().orbit
    near, far = orbit.identity_index + 1, orbit.size - 1  # beside the cross; a corner
    shot = page.screenshot()
    pixels = page.evaluate(
        """async ([url, places]) => {
        const image = new Image();
        image.src = url;
        await image.decode();
        const canvas = document.createElement("canvas");
        Object.assign(canvas, {width: image.width, height: image.height});
        const context = canvas.getContext("2d");
        context.drawImage(image, 0, 0);
        return places.map(([x, y]) => Array.from(context.getImageData(x, y, 1, 1).data));
    }""",
        [
            "data:image/png;base64," + base64.b64encode(shot).decode(),
            [page.evaluate(PLACE, ["heatmaperr", element, 0]) for element in (near, far)],
        ],
    )
    assert sum(pixels[0][:3]) > 2 * sum(pixels[1][:3])


@pytest.mark.parametrize("name", ["heatmap2", "squares2d", "discs2", "line"])
def test_the_pointer_is_told_element_value_and_model(page: Page, address: str, name: str):
    show(page, address, name)
    page.locator(f"#{name}").scroll_into_view_if_needed()
    plot = PLOTS[name]()
    element = 4 * 13 + 7 if name == "discs2" else plot.orbit.identity_index + 3
    x, y = page.evaluate(PLACE, [name, element, 0])
    page.mouse.move(x, y - 1)
    page.mouse.move(x, y)
    said = page.locator(f"#{name} .hoverlayer .hovertext").first
    expect(said).to_contain_text(plot.orbit.labels[element])
    expect(said).to_contain_text(plot.metric.title)
    expect(said).to_contain_text(layouts_page.NAMES[0])
    if name != "squares2d":  # there it is the value at one location
        expect(said).to_contain_text(f"{plot.values[0][element]:.3f}")


def test_another_metric_changes_names_range_and_direction(page: Page, address: str):
    show(page, address, "heatmap1")
    page.evaluate(
        """() => { const plot = plots.heatmap1;
        plot.options.metric = {title: "Miss <rate>", unit: "px", low: 0, high: null,
            higher_is_better: false};
        plot.options.range = [0, 7];
        return plot.draw(); }"""
    )
    scale = page.evaluate("plots.heatmap1.gd.layout.coloraxis")
    assert (scale["reversescale"], scale["cmin"], scale["cmax"]) == (True, 0, 7)
    template = page.evaluate("plots.heatmap1.gd.data[0].hovertemplate")
    assert template == "%{text}: Miss &lt;rate&gt; %{z:.3f} px<extra>%{fullData.name}</extra>"


def test_ranges_and_sentences(page: Page, address: str):
    show(page, address, "line,")
    ask = (
        "([metric, arrays]) => loupe.layouts.range(metric, arrays.map((a) => Float64Array.from(a)))"
    )
    error = {"low": 0, "high": None}
    assert page.evaluate(ask, [error, [list(range(11))]]) == [0, 8]
    assert page.evaluate(ask, [error, [[0, 0]]]) == [0, 1]
    assert page.evaluate(ask, [error, []]) is None
    assert page.evaluate(ask, [{"low": 0, "high": 1}, [[5]]]) == [0, 1]
    said = page.evaluate(
        """loupe.layouts.line.describe({size: 3, labels: ["a", "b", "c"]},
        [{title: "M", values: [0.5, NaN, 1]}], {title: "IOU", higher_is_better: true})"""
    )
    assert said == "IOU at 3 elements. M: mean 0.75, best 1.00 at c, worst 0.50 at a."


def test_the_dial_keeps_its_ways_under_the_same_names(page: Page, address: str):
    show(page, address, "circle")
    page.evaluate("plots.circle.cursor(6)")
    shown = page.evaluate(
        """(() => { const {gd, orbit} = plots.circle, c = loupe.dial.disc(gd);
        const {hit: of} = loupe.layouts.circle;
        const hit = (x, y) => of(gd, orbit, {clientX: x, clientY: y});
        return [hit(c.x, c.y - c.radius / 2), hit(c.x - c.radius / 2, c.y),
            hit(c.x + 3 * c.radius, c.y),
            gd.data.find((t) => t.meta.role === "cursor").theta[0]]; })()"""
    )
    assert shown == [6, 12, -1, 90]
    assert page.locator("#circle .nero-overlay circle").count() == 2
