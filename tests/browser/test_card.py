"""Plot cards in a real browser: states, menu, table twin, exports and the report."""

from __future__ import annotations

import io
import json
import struct
import threading
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pandas as pd
import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Download, Page, expect
from werkzeug.serving import make_server

from tests.browser import card_app

pytestmark = pytest.mark.browser
DC = "{http://purl.org/dc/elements/1.1/}"


@pytest.fixture(scope="module")
def card_url() -> Iterator[str]:
    """Address of the small card app, served from a thread."""
    server = make_server("127.0.0.1", 0, card_app.create().server, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def context(browser: Browser) -> Iterator[BrowserContext]:
    """One profile for all tests of this file, so that scripts come from its cache."""
    context = browser.new_context(
        accept_downloads=True, viewport={"width": 1280, "height": 820}, color_scheme="light"
    )
    yield context
    context.close()


@pytest.fixture
def cards(context: BrowserContext, card_url: str) -> Iterator[Page]:
    """The app with its plots drawn; fails when the page has said an error by the end."""
    page = context.new_page()
    said = watch_console(page)
    card_app.BODIES.clear()
    card_app.JOBS.clear()
    page.goto(f"{card_url}/?angle=45")
    page.locator("#cards-polar .polarlayer").wait_for()
    page.locator("#cards-evil .main-svg").first.wait_for()
    yield page
    assert said == []
    assert page.evaluate("window.hacked") is None
    page.close()


def watch_console(page: Page) -> list[str]:
    """Errors the page reports; not the browser's own line about an answer that is meant (413)."""
    said: list[str] = []

    def note(line: ConsoleMessage) -> None:
        if line.type == "error" and "413" not in line.text:
            said.append(line.text)

    page.on("console", note)
    page.on("pageerror", lambda error: said.append(str(error)))
    return said


def choose(page: Page, card: str, entry: str) -> None:
    page.locator(f"#{card} .plot-card-menu").click()
    page.get_by_role("menuitem", name=entry, exact=True).click()


def download(page: Page, card: str, entry: str) -> tuple[Download, bytes]:
    with page.expect_download() as caught:
        choose(page, card, entry)
    return caught.value, Path(caught.value.path()).read_bytes()


def set_state(page: Page, card: str, **state: Any) -> None:
    page.evaluate("([card, state]) => loupe.card.setState(card, state)", [card, state])


def listen(page: Page) -> None:
    page.evaluate(
        """() => { window.heard = [];
        for (const name of ["retry", "cancel", "job-done"]) document.addEventListener(
            "loupe:" + name, (e) => heard.push([name, e.detail.cardId, e.detail.jobId])); }"""
    )


# --- states


STATES: list[dict[str, Any]] = [
    {"kind": "loading"},
    {"kind": "loading", "keep": True},
    {"kind": "empty", "message": "No item is chosen.", "hint": "Click a dot. " * 20},
    {"kind": "failed", "message": "Out of memory.", "hint": "Choose fewer items."},
    {"kind": "job", "fraction": 0.42, "leftS": 12, "message": "72 angles × 500 digits"},
    {"kind": "job", "keep": True, "message": "72 angles × 500 digits"},
    {"kind": "ready"},
]


@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_moves_between_states(cards: Page, width: int) -> None:
    cards.set_viewport_size({"width": width, "height": 800})
    measure = """() => [...document.querySelectorAll(
        ".plot-card, .plot-card-head, .plot-card-honesty, .plot-card-body")]
        .map((e) => e.getBoundingClientRect().toJSON())"""
    before = cards.evaluate(measure)
    for state in STATES:
        for card in ("cards-polar", "cards-evil", "cards-canvas"):
            set_state(cards, card, **state)
        assert cards.evaluate(measure) == before, state


def test_failed_state_is_a_sentence_with_retry(cards: Page) -> None:
    listen(cards)
    set_state(cards, "cards-polar", kind="failed", message="<b>Out</b>", hint="Choose fewer.")
    card = cards.locator("#cards-polar")
    expect(card.locator(".plot-card-message")).to_have_text("<b>Out</b>")
    expect(card.locator(".plot-card-hint")).to_have_text("Choose fewer.")
    expect(card.get_by_role("button", name="Cancel")).to_be_hidden()
    card.get_by_role("button", name="Retry").click()
    assert cards.evaluate("heard") == [["retry", "cards-polar", None]]


def test_job_is_followed_to_its_end(cards: Page) -> None:
    listen(cards)
    running = {"fraction": 0.4, "left_s": 12.2, "message": "batch 4 of 10"}
    card_app.JOBS["j1"] = card_app.job_view("j1", "running", **running)
    set_state(cards, "cards-polar", kind="job", jobId="j1", message="Turning the images")
    card = cards.locator("#cards-polar")
    bar = card.get_by_role("progressbar")
    expect(bar).to_have_attribute("aria-valuenow", "40")
    expect(card.locator(".plot-card-figures")).to_have_text("40 % · ≈ 12 s left")
    expect(card.locator(".plot-card-message")).to_have_text("Turning the images")
    expect(card).to_have_attribute("aria-busy", "true")
    card_app.JOBS["j1"] = card_app.job_view("j1", "done", fraction=1.0)
    expect(bar).to_have_attribute("aria-valuenow", "100")
    assert cards.evaluate("heard") == [["job-done", "cards-polar", "j1"]]


def test_cancel_ends_the_job_and_offers_it_again(cards: Page) -> None:
    listen(cards)
    card_app.JOBS["j2"] = card_app.job_view("j2", "running", fraction=0.1)
    set_state(cards, "cards-polar", kind="job", jobId="j2")
    card = cards.locator("#cards-polar")
    card.get_by_role("button", name="Cancel").click()
    expect(card.locator(".plot-card-message")).to_have_text("Cancelled.")
    card.get_by_role("button", name="Run again").click()
    assert cards.evaluate("heard") == [
        ["cancel", "cards-polar", "j2"],
        ["retry", "cards-polar", "j2"],
    ]


def test_failed_job_says_why(cards: Page) -> None:
    error = {"error_message": "The device is full.", "error_hint": "Halve the batch."}
    card_app.JOBS["j3"] = card_app.job_view("j3", "failed", **error)
    set_state(cards, "cards-polar", kind="job", jobId="j3")
    card = cards.locator("#cards-polar")
    expect(card.locator(".plot-card-message")).to_have_text("The device is full.")
    expect(card.locator(".plot-card-hint")).to_have_text("Halve the batch.")
    expect(card.get_by_role("button", name="Retry")).to_be_visible()


def test_a_state_may_be_set_before_the_card_is_there(cards: Page) -> None:
    set_state(cards, "cards-late", kind="empty", message="Late")
    cards.evaluate(
        """() => { const late = document.getElementById("cards-canvas").cloneNode(true);
        late.id = "cards-late"; document.body.append(late); }"""
    )
    expect(cards.locator("#cards-late .plot-card-message")).to_have_text("Late")


def test_an_unknown_state_is_refused(cards: Page) -> None:
    said = cards.evaluate(
        """() => { try { loupe.card.setState('cards-polar', {kind: 'odd'}) }
        catch (error) { return error.message } }"""
    )
    assert "ready, loading, empty, failed, job" in said


# --- menu


def test_menu_by_keyboard(cards: Page) -> None:
    button = cards.locator("#cards-polar .plot-card-menu")
    button.focus()
    cards.keyboard.press("Enter")
    expect(cards.get_by_role("menuitem", name="Table", exact=True)).to_be_visible()
    focused = "document.activeElement.dataset.action"
    for _ in range(50):  # the menu takes keys only once it has opened
        if cards.evaluate(f"Boolean({focused})"):
            break
        cards.keyboard.press("ArrowDown")
    seen = []
    for _ in range(8):
        seen.append(cards.evaluate(focused))
        cards.keyboard.press("ArrowDown")
        cards.wait_for_function(f"(was) => {focused} !== was", arg=seen[-1])
    assert sorted(seen) == sorted(["table", "csv", "parquet", "png", "svg", "link", "pin", "about"])
    cards.keyboard.press("Escape")
    expect(button).to_be_focused()


def test_about_opens_by_keyboard_and_gives_the_focus_back(cards: Page) -> None:
    button = cards.locator("#cards-polar .plot-card-menu")
    button.focus()
    cards.keyboard.press("Enter")
    cards.get_by_role("menuitem", name="About this plot").press("Enter")
    dialog = cards.get_by_role("dialog", name="About: Aggregate")
    expect(dialog).to_contain_text("two models of equal accuracy may fail")
    expect(dialog).to_contain_text(card_app.EVIL)
    expect(dialog).to_contain_text("plain 3f2a9c1e")
    cards.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(button).to_be_focused()


def test_copy_link(cards: Page, context: BrowserContext) -> None:
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    choose(cards, "cards-polar", "Copy link")
    expect(cards.locator("#card-toast")).to_have_text("Link copied")
    assert cards.evaluate("navigator.clipboard.readText()").endswith("/?angle=45")


def test_titles_are_text(cards: Page) -> None:
    assert cards.get_by_text("WebGL is not supported").count() == 0
    expect(cards.locator("#cards-evil h2")).to_have_text(f"Orbit vectors {card_app.EVIL}")
    expect(cards.locator("#cards-evil .plot-card-honesty")).to_contain_text("<script>")


# --- table twin


def test_table_drawer_walk(cards: Page) -> None:
    choose(cards, "cards-polar", "Table")
    drawer = cards.get_by_role("dialog", name="Aggregate")
    expect(drawer.locator("#table-count")).to_have_text("72 of 72 rows")
    first = drawer.locator('.ag-row[row-index="0"]')
    expect(first.locator('[col-id="c1"]')).to_have_text(card_app.EVIL)
    expect(first.locator('[col-id="c2"]')).to_have_text("0.9000")
    expect(first.locator('[col-id="c3"]')).to_have_text("")
    drawer.get_by_label("Search all columns").fill("digit-004")
    expect(drawer.locator("#table-count")).to_have_text("10 of 72 rows")
    header = drawer.locator('.ag-header-cell[col-id="c0"] .ag-header-cell-label')
    header.click()
    header.click()
    expect(drawer.locator('.ag-row[row-index="0"] [col-id="c0"]')).to_have_text("49")
    cards.keyboard.press("Escape")
    expect(drawer).to_be_hidden()
    expect(cards.locator("#cards-polar .plot-card-menu")).to_be_focused()
    assert card_app.BODIES[-1]["url"].endswith("/?angle=45")


def test_large_table_says_what_it_leaves_out(cards: Page) -> None:
    choose(cards, "cards-evil", "Table")
    expect(cards.locator("#table-note")).to_contain_text("First 5,000 of 5,200 rows")
    expect(cards.locator("#table-count")).to_have_text("5,000 of 5,200 rows")
    with cards.expect_download() as caught:
        cards.get_by_role("button", name="Download all rows as CSV").click()
    assert len(pd.read_csv(caught.value.path())) == 5200


def test_refused_table_is_a_sentence(cards: Page) -> None:
    cards.route(
        "**/_table/*",
        lambda route: route.fulfill(
            status=413, json={"message": "The table is too large.", "hint": "Choose a subset."}
        ),
    )
    choose(cards, "cards-polar", "Table")
    failure = cards.locator("#table-failure")
    expect(failure).to_have_text("The table is too large. Choose a subset.")


# --- exports


def test_csv_and_parquet(cards: Page) -> None:
    caught, content = download(cards, "cards-polar", "Download CSV")
    assert caught.suggested_filename.startswith("loupe-")
    assert caught.suggested_filename.endswith(".csv")
    assert "aggregate" in caught.suggested_filename
    frame = pd.read_csv(io.BytesIO(content))
    assert list(frame.columns) == ["item", "name", "plain.accuracy", "loss"]
    assert len(frame) == 72
    _, content = download(cards, "cards-polar", "Download Parquet")
    assert len(pd.read_parquet(io.BytesIO(content))) == 72


def png_texts(content: bytes) -> dict[str, str]:
    """iTXt chunks of a PNG; checks the signature and the CRC of every chunk."""
    assert content[:8] == b"\x89PNG\r\n\x1a\n"
    texts, at, last = {}, 8, b""
    while at < len(content):
        (length,) = struct.unpack(">I", content[at : at + 4])
        kind, body = content[at + 4 : at + 8], content[at + 8 : at + 8 + length]
        (crc,) = struct.unpack(">I", content[at + 8 + length : at + 12 + length])
        assert crc == zlib.crc32(kind + body)
        if kind == b"iTXt":
            keyword, rest = body.split(b"\0", 1)
            texts[keyword.decode("ascii")] = rest[2:].split(b"\0", 2)[2].decode("utf-8")
        at, last = at + 12 + length, kind
    assert last == b"IEND"
    return texts


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_png_tells_where_it_comes_from(cards: Page, scheme: str) -> None:
    cards.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    box = cards.locator("#cards-polar .js-plotly-plot").bounding_box()
    caught, content = download(cards, "cards-polar", "Save as PNG")
    assert caught.suggested_filename.endswith(".png")
    texts = png_texts(content)
    assert texts["Title"] == "Aggregate"
    assert texts["Description"].endswith(card_app.HONESTY)
    assert texts["Source"].endswith("/?angle=45")
    assert texts["Creation Time"][:2] == "20"
    assert box is not None
    assert struct.unpack(">II", content[16:24]) == (
        round(box["width"]) * 2,
        round(box["height"]) * 2,
    )
    corner = corner_pixel(cards, content)
    assert corner == ([255, 255, 255, 255] if scheme == "light" else [23, 27, 32, 255])


def corner_pixel(page: Page, content: bytes) -> list[int]:
    pixel: list[int] = page.evaluate(
        """async (bytes) => {
        const picture = await createImageBitmap(new Blob([new Uint8Array(bytes)]));
        const context = new OffscreenCanvas(1, 1).getContext("2d");
        context.drawImage(picture, 0, 0);
        return [...context.getImageData(0, 0, 1, 1).data]; }""",
        list(content),
    )
    return pixel


def test_svg_metadata_and_hostile_title(cards: Page) -> None:
    caught, content = download(cards, "cards-evil", "Save as SVG")
    assert set(caught.suggested_filename) <= set("abcdefghijklmnopqrstuvwxyz0123456789-.")
    root = ElementTree.fromstring(content)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    [title] = list(root.iter(f"{DC}title"))
    assert title.text == f"Orbit vectors {card_app.EVIL}"
    assert next(root.iter(f"{DC}source")).text.endswith("/?angle=45")  # type: ignore[union-attr]
    assert not list(root.iter("{http://www.w3.org/2000/svg}script"))


def test_canvas_card_is_composed(cards: Page) -> None:
    draw_digit(cards)
    _, content = download(cards, "cards-canvas", "Save as PNG")
    assert struct.unpack(">II", content[16:24]) == (56, 56)
    assert corner_pixel(cards, content) == [200, 10, 20, 255]
    _, content = download(cards, "cards-canvas", "Save as SVG")
    assert b"data:image/png;base64" in content


def draw_digit(page: Page) -> None:
    set_state(page, "cards-canvas", kind="ready")
    page.evaluate(
        """() => { const c = document.getElementById("cards-canvas-drawing").getContext("2d");
        c.fillStyle = "rgb(200,10,20)"; c.fillRect(0, 0, 28, 28); }"""
    )


# --- report


def test_report_opens_alone(cards: Page, context: BrowserContext, tmp_path: Path) -> None:
    draw_digit(cards)
    with cards.expect_download() as caught:
        cards.get_by_role("button", name="Export report").click()
    assert caught.value.suggested_filename.endswith(".html")
    file = tmp_path / "report.html"
    caught.value.save_as(file)
    assert file.stat().st_size < 7_000_000
    report = context.new_page()
    said, asked = watch_console(report), []
    report.on("request", lambda request: asked.append(request.url))
    context.set_offline(True)
    report.goto(file.as_uri())
    expect(report.locator(".main-svg").first).to_be_visible()
    expect(report.locator(".js-plotly-plot")).to_have_count(2)
    assert [url for url in asked if not url.startswith(("file:", "data:", "blob:"))] == []
    check_report(report)
    assert said == []
    report.close()
    context.set_offline(False)


def check_report(report: Page) -> None:
    assert report.evaluate("window.hacked") is None
    expect(report.locator("h1")).to_have_text("Cards")
    titles = ["Aggregate", f"Orbit vectors {card_app.EVIL}", "The turned digit"]
    expect(report.locator("main > section > h2")).to_have_text([*titles, "Models, data and seeds"])
    expect(report.locator("section").first).to_contain_text(card_app.HONESTY)
    expect(report.locator("section").first).to_contain_text("two models of equal accuracy")
    expect(report.locator("summary").nth(1)).to_have_text("Table: 72 of 72 rows")
    expect(report.locator("section").nth(1).locator("tbody tr")).to_have_count(200)
    assert report.locator('section img[src^="data:image/png"]').count() == 1
    assert report.locator("header a").get_attribute("href", timeout=1000).endswith("/?angle=45")
    drawn = report.evaluate(
        """() => [...document.querySelectorAll(".js-plotly-plot")].map((g) => g._fullData.map(
        (t) => [t.type, (t.r || t.x).length, Number((t.r || t.x)[0]).toFixed(3)]))"""
    )
    assert drawn[0] == [["scatterpolar", 72, "0.950"], ["scatterpolar", 72, "0.600"]]
    assert drawn[1][0][:2] == ["scattergl", 400]
    assert report.locator(".gl-canvas").count() > 0
    assert report.get_by_text("WebGL is not supported").count() == 0


def test_figures_survive_the_way_into_the_report(cards: Page) -> None:
    kept = cards.evaluate(
        """() => loupe.report.plain({x: new Float32Array([1, 2]), z: [new Uint8Array([3, 4])],
        _own: 1, run() {}, day: new Date(0), gap: [null], inner: {dtype: "f4", bdata: "AAAAAA==",
        _inputArray: [0]}}, false)"""
    )
    assert kept == {
        "x": {"dtype": "f4", "bdata": "AACAPwAAAEA="},
        "z": [[3, 4]],
        "day": "1970-01-01T00:00:00.000Z",
        "gap": [None],
        "inner": {"dtype": "f4", "bdata": "AAAAAA=="},
    }
    json.dumps(kept)
