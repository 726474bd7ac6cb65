"""Files of users: every bad one is a clear sentence, nothing outside the folders is ever read."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from backend.errors import BadRequest, NotFound
from backend.settings import Settings
from backend.zoom import files, images
from backend.zoom.images import PyramidSource
from backend.zoom.library import Library
from backend.zoom.source import ArraySource
from tests.zoom_files import MEMORY, library, opened, png_header, pyramid_file, smooth

# Reading -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "asked",
    [
        (0, 0, 256, 192, 256, 192),
        (100, 50, 33, 22, 33, 22),
        (-20, -30, 64, 64, 64, 64),  # corners of the image
        (230, -10, 64, 64, 64, 64),
        (-10, 170, 64, 64, 64, 64),
        (240, 180, 64, 64, 64, 64),
        (500, 500, 10, 10, 5, 5),  # nothing of it
    ],
)
def test_rectangles_are_those_of_the_array(
    tmp_path: Path, asked: tuple[int, int, int, int, int, int]
) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (192, 256, 3), dtype=np.uint8)
    source = opened(pyramid_file(tmp_path / "a.tif", pixels))
    np.testing.assert_array_equal(source.read(*asked), ArraySource(pixels).read(*asked))


@pytest.mark.parametrize(
    "asked", [(0, 0, 256, 192, 64, 48), (0, 0, 384, 192, 96, 48), (64, 64, 128, 64, 16, 8)]
)
def test_smaller_sizes_come_from_the_levels(
    tmp_path: Path, asked: tuple[int, int, int, int, int, int]
) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (192, 256, 3), dtype=np.uint8)
    source = opened(pyramid_file(tmp_path / "a.tif", pixels))
    expected = ArraySource(pixels).read(*asked).astype(int)
    assert np.abs(source.read(*asked).astype(int) - expected).max() <= 2  # rounded at each level


def test_a_missing_level_is_read_from_a_finer_one(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (512, 512, 3), dtype=np.uint8)
    source = opened(pyramid_file(tmp_path / "a.tif", pixels))
    levels = source.header.levels
    assert levels[:3] == ((512, 512), (256, 256), (128, 128))
    without = replace(source.header, levels=(levels[0], levels[3]), pages=(0, 3))
    gapped = PyramidSource(source.file, without, "x")
    asked = (0, 0, 512, 512, 128, 128)
    expected = ArraySource(pixels).read(*asked).astype(int)
    assert np.abs(gapped.read(*asked).astype(int) - expected).max() <= 1


def test_grey_and_transparent_files_become_rgb_over_black(tmp_path: Path) -> None:
    grey = pyramid_file(tmp_path / "grey.tif", smooth(64, 64)[:, :, :1])
    assert opened(grey).read(10, 0, 1, 1, 1, 1).ravel().tolist() == [39, 39, 39]
    pixels = np.full((64, 64, 4), 200, np.uint8)
    pixels[:, 32:, 3] = 0
    clear = pyramid_file(tmp_path / "clear.tif", pixels)
    source = opened(clear)
    assert source.header.has_alpha
    assert source.read(40, 0, 1, 1, 1, 1).ravel().tolist() == [0, 0, 0]


@pytest.mark.parametrize("size", [(0, 8, 8, 8), (8, 8, 0, 8), (10**5, 10**5, 10**5, 10**5)])
def test_reads_of_no_or_too_many_pixels_are_refused(
    tmp_path: Path, size: tuple[int, int, int, int]
) -> None:
    with pytest.raises(BadRequest, match="cannot be read"):
        opened(pyramid_file(tmp_path / "a.tif", smooth(64, 64))).read(0, 0, *size)


# Bad files ---------------------------------------------------------------------------------------


def cut(path: Path) -> None:
    Image.fromarray(smooth(300, 300)).save(path, "JPEG")
    path.write_bytes(path.read_bytes()[:2000])


BAD: dict[str, tuple[Callable[[Path], object], str]] = {
    "text.tif": (lambda p: p.write_text("no image at all, only words"), "not an image"),
    "empty.png": (lambda p: p.write_bytes(b""), "not an image"),
    "head.tif": (lambda p: p.write_bytes(b"II*\0" + b"\xff" * 60), "damaged"),
    "bomb.png": (lambda p: p.write_bytes(png_header(100_000, 100_000)), "100000 x 100000"),
    "line.png": (lambda p: Image.new("RGB", (500, 1)).save(p), "500 x 1 pixels"),
    "cmyk.jpg": (lambda p: Image.new("CMYK", (64, 64)).save(p), "CMYK"),
    "deep.png": (lambda p: Image.new("I;16", (64, 64)).save(p), "16 bits"),
    "float.tif": (lambda p: Image.new("F", (64, 64)).save(p), "32 bits"),
    "svg.png": (
        lambda p: p.write_text("<svg xmlns='http://www.w3.org/2000/svg'/>"),
        "not an image",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_files_are_a_sentence_before_anything_is_decoded(tmp_path: Path, name: str) -> None:
    make, words = BAD[name]
    make(tmp_path / name)
    with pytest.raises(BadRequest, match=words) as told:
        images.open_file(tmp_path / name, MEMORY)
    assert told.value.hint
    assert str(tmp_path) not in str(told.value)


def test_a_file_that_was_cut_short_is_told_when_it_is_read(tmp_path: Path) -> None:
    cut(tmp_path / "cut.jpg")
    with pytest.raises(BadRequest, match="damaged or was cut short"):
        images.read_whole(*images.open_file(tmp_path / "cut.jpg", MEMORY))


def test_a_torn_pyramid_shows_its_whole_tiles_only(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (512, 512, 3), dtype=np.uint8)
    path = pyramid_file(tmp_path / "torn.tif", noise, compression="jpeg")
    source = opened(path)
    asked = (448, 448, 64, 64, 64, 64)
    source.read(*asked)
    data = bytearray(path.read_bytes())
    where = len(data) // 3
    data[where : where + 20_000] = os.urandom(20_000)
    path.write_bytes(bytes(data))
    torn, failed = opened(path), 0
    for y in range(0, 512, 64):
        for x in range(0, 512, 64):
            try:
                torn.read(x, y, 64, 64, 64, 64)
            except BadRequest:
                failed += 1
    assert 0 < failed < 64


def test_a_progressive_file_too_large_for_the_memory_is_refused(tmp_path: Path) -> None:
    Image.fromarray(smooth(400, 400)).save(tmp_path / "p.jpg", "JPEG", progressive=True)
    images.open_file(tmp_path / "p.jpg", MEMORY)
    with pytest.raises(BadRequest, match="LOUPE_IMAGE_MB"):
        images.open_file(tmp_path / "p.jpg", 500_000)


def test_a_file_replaced_while_open_is_told(tmp_path: Path) -> None:
    path = pyramid_file(tmp_path / "a.tif", smooth(128, 128))
    source = opened(path)
    before = source.fingerprint
    other = pyramid_file(tmp_path / "b.tif", smooth(128, 128)[::-1].copy())
    os.replace(other, path)
    with pytest.raises(BadRequest, match="replaced or changed"):
        source.read(0, 0, 64, 64, 64, 64)
    assert opened(path).fingerprint != before


def test_a_file_that_is_gone_is_told(tmp_path: Path) -> None:
    path = pyramid_file(tmp_path / "a.tif", smooth(128, 128))
    source = opened(path)
    path.unlink()
    with pytest.raises(BadRequest, match="replaced"):
        source.read(0, 0, 64, 64, 64, 64)


# Where files may lie -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        "../secret.tif", "..", ".", "", "/etc/passwd", "a/../../secret.tif", "link.tif",
        "circle.tif", "folder/secret.tif", "x\0.tif", "a" * 5000, "pipe.tif",
        "%2e%2e/secret.tif", "~/x.tif",
        "file:///etc/passwd", "..\\secret.tif", "inside",
    ],
)  # fmt: skip
def test_nothing_outside_the_folders_is_opened(tmp_path: Path, name: str) -> None:
    held = library(tmp_path)
    root = tmp_path / "state" / "images"
    pyramid_file(tmp_path / "state" / "secret.tif", smooth(64, 64))
    (root / "link.tif").symlink_to(tmp_path / "state" / "secret.tif")
    (root / "folder").symlink_to(tmp_path / "state")
    (root / "circle.tif").symlink_to(root / "circle.tif")
    (root / "inside").mkdir()
    os.mkfifo(root / "pipe.tif")
    with pytest.raises(NotFound) as told:
        held.open(f"file:{name}")
    assert "secret" not in told.value.message


def test_a_link_within_the_folders_is_followed(tmp_path: Path) -> None:
    held = library(tmp_path)
    root = tmp_path / "state" / "images"
    pyramid_file(root / "a.tif", smooth(64, 64))
    (root / "b.tif").symlink_to(root / "a.tif")
    assert held.open("file:b.tif").width == 64


def test_a_file_swapped_for_a_link_after_it_was_judged_is_not_read(tmp_path: Path) -> None:
    path = pyramid_file(tmp_path / "a.tif", smooth(64, 64))
    pyramid_file(tmp_path / "secret.tif", smooth(64, 64))
    judged = files.held(path)
    path.unlink()
    path.symlink_to(tmp_path / "secret.tif")
    with pytest.raises(BadRequest, match="replaced"):
        files.open_same(judged)


def test_other_folders_have_to_be_named(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    path = pyramid_file(elsewhere / "a.tif", smooth(64, 64))
    with pytest.raises(NotFound):
        library(tmp_path).open(f"file:{path}")
    settings = Settings.from_env(
        {"LOUPE_STATE_DIR": str(tmp_path / "state"), "LOUPE_IMAGE_ROOTS": f" {elsewhere} :"}
    )
    assert Library(settings).open(f"file:{path}").width == 64
    assert Library(settings).open("file:a.tif").width == 64
