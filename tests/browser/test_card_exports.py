"""Plot cards in a real browser: exports and the report."""

from __future__ import annotations

import io
import json
import struct
import zlib
from pathlib import Path
from xml.etree import ElementTree

import pandas as pd
import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser import card_app
from tests.browser.cards import download, set_state, watch_console

pytestmark = pytest.mark.browser
DC = "{http://purl.org/dc/elements/1.1/}"


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


def test_report_opens_alone(cards: Page, card_context: BrowserContext, tmp_path: Path) -> None:
    draw_digit(cards)
    with cards.expect_download() as caught:
        cards.get_by_role("button", name="Export report").click()
    assert caught.value.suggested_filename.endswith(".html")
    file = tmp_path / "report.html"
    caught.value.save_as(file)
    assert file.stat().st_size < 7_000_000
    report = card_context.new_page()
    said, asked = watch_console(report), []
    report.on("request", lambda request: asked.append(request.url))
    card_context.set_offline(True)
    report.goto(file.as_uri())
    expect(report.locator(".main-svg").first).to_be_visible()
    expect(report.locator(".js-plotly-plot")).to_have_count(2)
    assert [url for url in asked if not url.startswith(("file:", "data:", "blob:"))] == []
    check_report(report)
    assert said == []
    report.close()
    card_context.set_offline(False)


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
