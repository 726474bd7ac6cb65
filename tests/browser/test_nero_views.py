"""The views of the NERO page's input and outputs, on a page of their own."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from backend.nero import boxes, orbits
from tests.browser import views_app
from tests.browser.views_app import open_view

VIEWS = ("crop", "frames", "cloud", "text", "boxes", "arrows")
SHIFTS = orbits.translations(64, 8)
SQUARES = orbits.square_symmetries()
DISCS = orbits.axis_angle_disc(24, 13)


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with views_app.running_views() as address:
        yield address


def shift(x_px: int, y_px: int) -> int:
    """Element of SHIFTS that moves the object by so much."""
    return (y_px // 8 + 8) * 16 + x_px // 8 + 8


def disc(plane: int, axis_deg: int, angle_deg: int) -> int:
    return (plane * 24 + axis_deg // 15) * 13 + angle_deg // 15


# --- exact symmetries -------------------------------------------------------------------------


def test_frames_are_turned_pixel_by_pixel_as_the_models_get_them(page: Page, url: str):
    open_view(page, url, "frames")
    got = page.evaluate(
        """() => state.orbit.labels.map((_, e) => loupe.neroSquare.frames(state.source, e)
        .map(({data}) => Array.from({length: data.length / 4}, (_, i) => data[4 * i])))"""
    )
    frames = np.stack(views_app.particles())[None]
    wanted = np.rint(SQUARES.act(frames, np.arange(16)) * 255)[0]
    np.testing.assert_array_equal(np.array(got).reshape(wanted.shape), wanted)


def test_fields_are_turned_as_the_outputs_are(page: Page, url: str):
    open_view(page, url, "arrows")
    got = page.evaluate(
        """() => { const {data} = state.item.arrays.truth, first = data.subarray(0, 2048);
        return state.orbit.labels.map((_, e) => [...loupe.neroSquare.field(first, 32, e)]); }"""
    )
    wanted = np.stack([views_app.turned_field(views_app.flow(32), g) for g in range(16)])
    np.testing.assert_allclose(np.array(got).reshape(wanted.shape), wanted, atol=0)


def test_the_rotations_of_the_cloud_are_the_backends(page: Page, url: str):
    open_view(page, url, "cloud")
    got = page.evaluate(
        """() => { const {matrix, axisAngle} = loupe.neroCloud;
        return state.orbit.positions.map((p) => matrix(axisAngle(p))); }"""
    )
    np.testing.assert_allclose(np.array(got), DISCS.matrices, atol=1e-12)


# --- the views --------------------------------------------------------------------------------


def chosen(page: Page) -> list[int]:
    result: list[int] = page.evaluate("asked.chosen")
    return result


def drag(page: Page, start: tuple[float, float], end: tuple[float, float]) -> None:
    """From one point of the view's first canvas to another, both in fractions."""
    box = page.locator("#host canvas").first.bounding_box()
    assert box is not None
    points = [
        (box["x"] + fx * box["width"], box["y"] + fy * box["height"]) for fx, fy in (start, end)
    ]
    page.mouse.move(*points[0])
    page.mouse.down()
    page.mouse.move(*points[1], steps=6)
    page.evaluate("new Promise(requestAnimationFrame)")
    page.mouse.up()


def test_dragging_the_window_moves_the_object_the_other_way(page: Page, url: str):
    open_view(page, url, "crop")
    drag(page, (0.5, 0.5), (0.5 + 24 / 256, 0.5 - 41 / 256))  # 24 right, 41 up: the grid is 8 px
    assert chosen(page) == [shift(-24, 40)]
    moved = page.evaluate("asked.moved")
    assert moved[-1] == shift(-24, 40)
    assert len(moved) == len(set(moved))  # only what changed
    assert page.evaluate("loupe.neroScene.corner(state.source, state.orbit, state.element)") == [
        64 + 24,
        64 - 40,
    ]
    drag(page, (0.5, 0.5), (0.99, 0.5))  # no further than the orbit goes
    assert chosen(page)[-1] == shift(-64, 40)


def test_arrow_keys_move_the_window(page: Page, url: str):
    open_view(page, url, "crop")
    page.locator("#host canvas").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Shift+ArrowDown")
    assert chosen(page) == [shift(-8, 0), shift(-8, -32)]


def test_the_window_is_bright_and_the_rest_is_dark(page: Page, url: str):
    open_view(page, url, "crop")
    page.evaluate("(e) => show({element: e})", shift(-64, -64))  # the window is at the lower right
    inside, outside = page.evaluate(
        """() => { const canvas = document.querySelector('#host canvas');
        const c = canvas.getContext('2d');
        const at = (f) => [...c.getImageData(canvas.width * f, canvas.height * f, 1, 1).data];
        return [at(0.8), at(0.2)].map(([r, g, b]) => r + g + b); }"""
    )
    assert inside > 1.8 * outside


def table_of(page: Page, panel: int) -> list[list[str]]:
    """The rows of one model's table."""
    rows = page.locator("#host figure").nth(panel).locator("tbody tr")
    return [row.locator("td").all_inner_texts() for row in rows.all()]


@pytest.mark.parametrize("mode", ["truth", "consensus"])
def test_the_table_of_boxes(page: Page, url: str, mode: str):
    open_view(page, url, "boxes")
    element = shift(-24, 16)
    page.evaluate("([element, mode]) => show({element, mode})", [element, mode])
    arrays = views_app.detections(SHIFTS)
    for model in range(2):
        against = arrays["truth"][0] if mode == "truth" else arrays[f"consensus_{model}"]
        box = boxes.clipped(boxes.moved(against[:4], SHIFTS.positions[element]))
        found = arrays[f"boxes_{model}"][element]
        wanted = [
            [
                str(k + 1),
                views_app.CLASSES[int(row[5])],
                f"{row[4]:.2f}",
                f"{boxes.iou(row[:4], box):.2f}",
            ]
            for k, row in enumerate(found)
            if np.isfinite(row).all()
        ]
        assert table_of(page, model) == wanted
    overlap = table_of(page, 1)[0][3]
    expect(page.locator("#host figure").nth(1)).to_contain_text(f"IOU {overlap}")
    assert f"IOU {overlap}" in (
        page.locator("#host [role=group]").get_attribute("aria-label") or ""
    )


def test_no_detection_and_an_object_outside_the_crop(page: Page, url: str):
    open_view(page, url, "boxes")
    page.evaluate("(element) => show({element})", shift(56, 0))
    assert table_of(page, 0) == [["–"] * 4] * 3
    expect(page.locator("#host figure").nth(0)).to_contain_text("no detection")
    page.evaluate("state.item.arrays.truth.data.set([-60, -60, -30, -30, 1]); show({})")
    expect(page.locator("#host figure").nth(1)).to_contain_text("outside the crop")
    assert {row[3] for row in table_of(page, 1)} == {"–"}  # nothing to compare with is not 0
    said = page.locator("#host [role=group]").get_attribute("aria-label") or ""
    assert "no detection" in said
    assert "the object is outside the crop" in said


def test_without_truth_only_the_consensus_is_shown(page: Page, url: str):
    open_view(page, url, "boxes")
    page.evaluate("delete state.item.arrays.truth; show({})")
    assert {row[3] for row in table_of(page, 0)} == {"–"}
    expect(page.get_by_text("true box")).to_be_hidden()
    page.evaluate("show({mode: 'consensus'})")
    assert "–" not in {row[3] for row in table_of(page, 0)}


def test_buttons_turn_what_is_shown(page: Page, url: str):
    open_view(page, url, "frames")
    page.evaluate("show({element: 3})")
    for name, button in ((2, "Turn left"), (6, "Turn right"), (3, "Flip"), (8, "Reverse time")):
        before = page.evaluate("state.element")
        page.get_by_role("button", name=button).click()
        assert chosen(page)[-1] == SQUARES.compose(name, before)
    page.evaluate("state.orbit = {...state.orbit, size: 8}; show({element: 0})")
    expect(page.get_by_role("button", name="Reverse time")).to_be_hidden()
    expect(page.get_by_role("button", name="Turn left")).to_be_visible()


def test_the_animation_plays_pauses_and_steps(page: Page, url: str):
    open_view(page, url, "frames")
    phase = page.locator(".nero-phase")
    for words in ("frame 2", "blank", "frame 1"):
        expect(phase).to_have_text(words)
    page.get_by_role("button", name="Pause").click()
    shown = phase.inner_text()
    page.get_by_role("button", name="Next frame").click()
    other = {"frame 1": "frame 2", "frame 2": "frame 1", "blank": "frame 2"}[shown]
    expect(phase).to_have_text(other)
    page.evaluate("view.unmount()")
    assert page.locator("#host > *").count() == 0


def test_reduced_motion_starts_paused(page: Page, url: str):
    page.emulate_media(reduced_motion="reduce")
    open_view(page, url, "frames")
    expect(page.get_by_role("button", name="Play the two frames")).to_be_visible()
    expect(page.locator(".nero-phase")).to_have_text("frame 1")
    # what was opened at another size is drawn anew, without anything playing
    page.evaluate("document.getElementById('body').style.minHeight = '150px'")
    page.wait_for_function(
        """() => { const {width, clientWidth} = document.querySelector('#host canvas');
        return width === clientWidth && width > 0 && width < 150; }"""
    )


def test_two_frames_in_one_picture(page: Page, url: str):
    page.goto(url)
    got = page.evaluate(
        """() => { const data = new Uint8ClampedArray(2 * 2 * 2 * 4).map((_, i) => i >> 2);
        const pick = (pair) => pair.map((frame) => [0, 1, 2, 3].map((i) => frame.data[4 * i]));
        return [pick(loupe.neroFrames.pair({data, width: 4, height: 2})),
            pick(loupe.neroFrames.pair({data, width: 2, height: 4}))]; }"""
    )
    assert got == [[[0, 1, 4, 5], [2, 3, 6, 7]], [[0, 1, 2, 3], [4, 5, 6, 7]]]


@pytest.mark.parametrize("mode", ["truth", "consensus"])
def test_the_error_that_the_arrows_show(page: Page, url: str, mode: str):
    open_view(page, url, "arrows")
    page.evaluate("(mode) => show({element: 13, mode})", mode)
    arrays = views_app.fields(SQUARES)
    for model in range(2):
        reference = arrays["truth"][13]
        if mode == "consensus":
            reference = views_app.turned_field(arrays[f"consensus_{model}"], 13)
        error = np.hypot(*(arrays[f"field_{model}"][13] - reference)).mean()
        caption = page.locator("#host figcaption").nth(model)
        expect(caption).to_contain_text(f"mean error {error:.2f} px")


def test_the_window_of_arrows_stays_with_the_flow(page: Page, url: str):
    open_view(page, url, "arrows")
    drag(page, (8 / 32, 20 / 32), (8 / 32, 20 / 32))
    corner = "loupe.neroDetails.arrows.corner()"
    assert page.evaluate(corner) == [4, 16]
    page.evaluate("show({element: 7})")  # upside down
    assert page.evaluate(corner) == [4, 32 - 16 - 8]
    page.evaluate("show({element: 2})")  # a quarter turn to the left: x to y from below
    assert page.evaluate(corner) == [16, 32 - 4 - 8]
    page.locator("#host canvas").first.focus()
    page.keyboard.press("ArrowRight")
    assert page.evaluate(corner) == [17, 20]
    assert chosen(page) == []  # it is no element of the orbit


def test_dragging_the_cloud_turns_the_camera_not_the_group(page: Page, url: str):
    open_view(page, url, "cloud")
    page.evaluate("(element) => show({element})", disc(0, 30, 60))
    picture = "document.querySelector('#host canvas').toDataURL()"
    before = page.evaluate(picture)
    expect(page.get_by_role("button", name="Reset the camera")).to_be_hidden()
    drag(page, (0.5, 0.5), (0.8, 0.6))
    assert page.evaluate(picture) != before
    assert (chosen(page), page.evaluate("asked.moved")) == ([], [])
    page.locator("#host canvas").dblclick()
    assert page.evaluate(picture) == before


MARKS: list[tuple[int, list[str]]] = [
    (0, []),
    (1, ["a"]),
    (2, ["hound", "damp", "shore."]),
    (3, ["over"]),
]


def test_changed_words_are_marked(page: Page, url: str):
    open_view(page, url, "text")
    for element, marked in MARKS:
        page.evaluate("(element) => show({element})", element)
        assert page.locator(".nero-now").inner_text() == views_app.SENTENCES[element]
        assert page.locator(".nero-now mark").all_inner_texts() == marked


# --- all of them ------------------------------------------------------------------------------

BOXES = """() => [...document.querySelectorAll('#host, #host canvas, #host figure, #host button')]
    .map((node) => { const b = node.getBoundingClientRect();
        return [b.x, b.y, b.width, b.height].map(Math.round).join(); })"""


@pytest.mark.parametrize("width", [390, 900])
@pytest.mark.parametrize("view", VIEWS)
def test_nothing_jumps_or_overflows(page: Page, url: str, view: str, width: int):
    page.set_viewport_size({"width": width, "height": 700})
    open_view(page, url, view)
    page.evaluate("state.mode = 'truth'")
    before = page.evaluate(BOXES)
    for element in (1, 3):  # boxes: nothing is found by the first model
        page.evaluate("(element) => show({element})", element)
        assert page.evaluate(BOXES) == before
    assert page.evaluate("document.documentElement.scrollWidth") == width
    page.evaluate("show({source: null, item: {row: 0, name: 'item 0', arrays: {}}})")
    assert page.evaluate(BOXES) == before  # waiting for its source


@pytest.mark.parametrize("view", VIEWS)
def test_one_sentence_for_those_who_do_not_see_it(page: Page, url: str, view: str):
    open_view(page, url, view)
    page.evaluate("show({element: 3})")
    said = page.locator("#host [role=group]").first.get_attribute("aria-label") or ""
    assert said == page.evaluate("view.describe(state)")
    assert said.endswith(".")
    assert "NaN" not in said
    assert "undefined" not in said


@pytest.mark.parametrize("view", [view for view in VIEWS if view != "text"])
def test_canvases_are_as_sharp_as_the_display(page: Page, url: str, view: str):
    open_view(page, url, view)
    page.evaluate("Object.defineProperty(window, 'devicePixelRatio', {value: 2}); show({})")
    sizes = page.evaluate(
        """() => [...document.querySelectorAll('#host .nero-stage canvas')]
        .map((c) => [c.width, Math.round(2 * c.clientWidth)])"""
    )
    assert sizes
    assert all(abs(got - wanted) <= 1 for got, wanted in sizes)


def test_the_theme_reaches_canvases(page: Page, url: str):
    open_view(page, url, "cloud")
    picture = "document.querySelector('#host canvas').toDataURL()"
    light = page.evaluate(picture)
    page.evaluate("document.documentElement.setAttribute('data-mantine-color-scheme', 'dark')")
    page.wait_for_function(f"(light) => {picture} !== light", arg=light)


def test_names_and_classes_stay_text(page: Page, url: str):
    evil = "<img src=x onerror=window.hacked=1>"
    open_view(page, url, "boxes")
    page.evaluate(
        """(evil) => show({classes: Array(5).fill(evil),
        models: state.models.map((m) => ({...m, title: evil}))})""",
        evil,
    )
    assert table_of(page, 1)[0][1] == evil
    open_view(page, url, "text")
    page.evaluate("(evil) => { state.source.texts[2] = evil + ' ok'; show({element: 2}); }", evil)
    assert page.locator(".nero-now").inner_text() == f"{evil} ok"
    assert page.evaluate("window.hacked") is None
