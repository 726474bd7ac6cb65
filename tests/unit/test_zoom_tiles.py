"""Pyramids, tiles and uploads: what is streamed is the image, within budgets."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from backend.errors import BadRequest, Cancelled, NotFound
from backend.zoom import images, pyramid
from backend.zoom.files import Header
from backend.zoom.library import Coarse, preview_of
from backend.zoom.making import make_pyramid
from backend.zoom.source import ArraySource
from backend.zoom.tiles import Address, TileStore, box, crop, top_level
from backend.zoom.uploads import Uploads, store_upload
from tests.zoom_files import library, opened, smooth

# Pyramids ----------------------------------------------------------------------------------------


def test_a_large_file_is_coarse_until_its_pyramid_is_built(tmp_path: Path) -> None:
    held = library(tmp_path, image_bytes=200_000)
    pixels = smooth(300, 400)
    Image.fromarray(pixels).save(tmp_path / "state" / "images" / "a.png")
    assert held.info("file:a.png").state == "pyramid"
    with pytest.raises(Coarse, match="no pyramid"):
        held.open("file:a.png")
    with pytest.raises(Coarse):
        preview_of(held, "file:a.png", 200)
    told: list[tuple[int, int]] = []
    states: list[int] = []

    def progress(done: int, total: int) -> None:
        told.append((done, total))
        if done > 0 and not states:  # while it is built, the whole can be seen
            states.append(preview_of(held, "file:a.png", 200).shape[1])

    path = held.path("file:a.png")
    make_pyramid(held, images.open_file(path, held.settings.image_bytes), progress)
    assert states == [200]
    assert told[0] == (0, pyramid.STEPS)
    assert held.info("file:a.png").state == "ready"
    source = held.open("file:a.png")
    shown = source.read(0, 0, 400, 300, 400, 300).astype(int)
    assert np.abs(shown - pixels).mean() < 3
    assert source.fingerprint == held.info("file:a.png").fingerprint


def test_a_cancelled_pyramid_leaves_nothing(tmp_path: Path) -> None:
    def stop(done: int, total: int) -> None:
        raise Cancelled

    rows = smooth(512, 2048)
    image = pyramid.streamed(2048, 512, lambda start: rows[start : start + 64].tobytes())
    with pytest.raises(Cancelled):
        pyramid.write_pyramid(image, tmp_path / "p" / "a.tif", stop, 10**9)
    assert list((tmp_path / "p").iterdir()) == []


def test_streamed_rows_become_the_image(tmp_path: Path) -> None:
    rows = smooth(100, 300)
    image = pyramid.streamed(300, 100, lambda start: rows[start : start + 7].tobytes())
    pyramid.write_pyramid(image, tmp_path / "a.tif", lambda done, total: None, 10**9, quality=95)
    shown = opened(tmp_path / "a.tif").read(0, 0, 300, 100, 300, 100).astype(int)
    assert np.abs(shown - rows).mean() < 3


def test_small_files_need_no_pyramid(tmp_path: Path) -> None:
    held = library(tmp_path)
    Image.fromarray(smooth(60, 80)).save(tmp_path / "state" / "images" / "a.webp", lossless=True)
    assert held.info("file:a.webp").state == "ready"
    np.testing.assert_array_equal(
        held.open("file:a.webp").read(0, 0, 80, 60, 80, 60), smooth(60, 80)
    )


def test_the_list_names_bad_files_with_their_reason(tmp_path: Path) -> None:
    held = library(tmp_path)
    root = tmp_path / "state" / "images"
    (root / "bad.tif").write_text("words")
    Image.fromarray(smooth(60, 80)).save(root / "good.png")
    found = {info.key: info for info in held.listing(needles_shown=1)}
    assert found["file:bad.tif"].state == "bad"
    assert "not an image" in found["file:bad.tif"].note
    assert found["file:good.png"].width == 80
    assert found["large:4096"].state == "build"
    assert "simulated" in found["needle:0"].title


# Tiles -------------------------------------------------------------------------------------------


def test_tiles_cover_the_image_at_every_level() -> None:
    source = ArraySource(smooth(300, 700))
    assert top_level(700, 300) == 10
    assert box(source, Address(10, 0, 0)) == (0, 0, 256, 256, 256, 256)
    assert box(source, Address(10, 2, 1)) == (512, 256, 188, 44, 188, 44)
    assert box(source, Address(9, 0, 0)) == (0, 0, 512, 300, 256, 150)
    assert box(source, Address(0, 0, 0)) == (0, 0, 700, 300, 1, 1)


@pytest.mark.parametrize("at", [(10, 3, 0), (10, 0, 2), (11, 0, 0), (-1, 0, 0), (10, -1, 0)])
def test_other_tiles_do_not_exist(at: tuple[int, int, int]) -> None:
    with pytest.raises(NotFound):
        box(ArraySource(smooth(300, 700)), Address(*at))


def test_tiles_are_kept_within_the_budget() -> None:
    source, reads = ArraySource(smooth(600, 600)), []
    original = source.read
    source.read = lambda *asked: reads.append(asked) or original(*asked)  # type: ignore[method-assign, func-returns-value]
    store = TileStore(budget_bytes=200_000)
    first = store.tile(source, Address(10, 0, 0))
    assert first[:3] == b"\xff\xd8\xff"
    assert store.tile(source, Address(10, 0, 0)) == first
    assert len(reads) == 1
    small = TileStore(budget_bytes=1)
    small.tile(source, Address(10, 0, 0))
    small.tile(source, Address(10, 0, 0))
    assert len(reads) == 3


def test_parts_are_bounded() -> None:
    source = ArraySource(smooth(100, 100))
    assert crop(source, -10, -10, 32, 32)[:2] == b"\xff\xd8"
    for asked in ((0, 0, 1025, 10), (0, 0, 0, 10), (100, 0, 10, 10), (0, -20, 10, 10)):
        with pytest.raises(BadRequest):
            crop(source, *asked)


# Uploads -----------------------------------------------------------------------------------------


def test_an_upload_in_parts_becomes_an_image(tmp_path: Path) -> None:
    held = library(tmp_path)
    Image.fromarray(smooth(60, 80)).save(tmp_path / "a.png")
    data = (tmp_path / "a.png").read_bytes()
    uploads = Uploads(held)
    ticket = uploads.begin()
    assert uploads.append(ticket, 0, data[:100]) == 100
    with pytest.raises(BadRequest, match="100 are here"):
        uploads.append(ticket, 50, data[100:])
    uploads.append(ticket, 100, data[100:])
    key = uploads.finish(ticket, "../My <slide>.PNG")
    assert key.startswith("upload:My-slide-")
    assert held.open(key).width == 80
    assert [info.key for info in held.listing(1) if info.kind == "upload"] == [key]


def test_an_upload_that_is_no_image_leaves_nothing(tmp_path: Path) -> None:
    held = library(tmp_path)
    with pytest.raises(BadRequest, match="not an image"):
        store_upload(held, b"<html>", "x.png")
    assert list(held.uploads.iterdir()) == []


@pytest.mark.parametrize("ticket", ["../x", "a" * 32 + "/..", "", "A" * 32])
def test_tickets_of_another_form_are_unknown(tmp_path: Path, ticket: str) -> None:
    with pytest.raises(NotFound):
        Uploads(library(tmp_path)).append(ticket, 0, b"x")


def test_a_header_knows_its_size() -> None:
    header = Header("tiff", ((10, 20), (5, 10)), (0, 1), False, True, 0)
    assert (header.width, header.height) == (10, 20)
