"""Images by the hash of their file."""

from __future__ import annotations

import errno
import io
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from backend.errors import BadRequest, NotFound, StorageFull
from backend.media import MediaStore, encoded

RNG = np.random.default_rng(0)


@pytest.fixture
def media(tmp_path: Path) -> MediaStore:
    return MediaStore(tmp_path / "media")


@pytest.mark.parametrize("shape", [(9, 7), (9, 7, 1), (9, 7, 3), (9, 7, 4)])
@pytest.mark.parametrize("suffix", ["webp", "png"])
def test_lossless_images_come_back_equal(
    media: MediaStore, shape: tuple[int, ...], suffix: str
) -> None:
    pixels = RNG.integers(0, 256, shape, dtype=np.uint8)
    sha256 = media.put_image(pixels, suffix=suffix)  # type: ignore[arg-type]
    with Image.open(media.path(sha256, suffix)) as picture:
        channels = shape[2] if len(shape) == 3 else 1
        mode = {1: "L", 3: "RGB", 4: "RGBA"}[channels]
        held = np.asarray(picture.convert(mode)).reshape(shape)
    np.testing.assert_array_equal(held, pixels)


def test_equal_pixels_have_one_file(media: MediaStore) -> None:
    pixels = RNG.integers(0, 256, (8, 8), dtype=np.uint8)
    assert media.put_image(pixels) == media.put_image(pixels.copy())
    assert len(list(media.root.rglob("*.webp"))) == 1


def test_finished_files_are_kept_as_they_are(media: MediaStore) -> None:
    pixels = RNG.integers(0, 256, (8, 8, 3), dtype=np.uint8)
    for suffix in ("webp", "png"):
        data = encoded(pixels, suffix=suffix)  # type: ignore[arg-type]
        assert media.path(media.put_image(data), suffix).read_bytes() == data


def test_lossy_is_smaller(media: MediaStore) -> None:
    noise = RNG.integers(0, 256, (64, 64, 3), dtype=np.uint8)
    assert len(encoded(noise, lossless=False)) < len(encoded(noise))


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((4, 4), np.float32),
        np.zeros((4, 4, 2), np.uint8),
        np.zeros((0, 4), np.uint8),
        np.zeros(4, np.uint8),
        np.zeros((1, 4, 4, 3), np.uint8),
        b"<svg onload=alert(1)>",
        b"<html>",
        b"",
    ],
)
def test_other_things_are_refused(media: MediaStore, image: object) -> None:
    with pytest.raises(BadRequest):
        media.put_image(image)  # type: ignore[arg-type]
    assert list(media.root.rglob("*.*")) == []


@pytest.mark.parametrize(
    "name", ["", "..", "../x", "/etc/passwd", "a" * 63, "A" * 64, "a\0", "a" * 64]
)
def test_unknown_names_are_not_found(media: MediaStore, name: str) -> None:
    with pytest.raises(NotFound):
        media.path(name)
    with pytest.raises(NotFound):
        media.path("a" * 64, "html")


def test_budget_is_kept(tmp_path: Path) -> None:
    media = MediaStore(tmp_path, budget_bytes=40_000)
    for seed in range(5):
        noise = np.random.default_rng(seed).integers(0, 256, (100, 100), dtype=np.uint8)
        last = media.put_image(noise, suffix="png")
    assert media.path(last, "png")
    assert sum(path.stat().st_size for path in tmp_path.rglob("*.png")) <= 40_000


def test_full_disk_keeps_images_in_memory(
    media: MediaStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("backend.files.os.replace", refuse)
    first, second = (np.full((2, 2), value, np.uint8) for value in (0, 1))
    monkeypatch.setattr("backend.media.SPARE_BYTES", len(encoded(first)) + 1)
    kept = media.put_image(first)
    assert media.read(kept) == encoded(first)
    media.put_image(second)  # the oldest goes first
    with pytest.raises(NotFound):
        media.read(kept)
    with pytest.raises(StorageFull, match="no space left"):
        media.put_image(np.random.default_rng(0).integers(0, 9, (50, 50), dtype=np.uint8))
    assert [path for path in media.root.rglob("*") if path.is_file()] == []


def test_encoded_is_what_it_says() -> None:
    with Image.open(io.BytesIO(encoded(np.zeros((3, 5), np.uint8)))) as picture:
        assert (picture.format, picture.size) == ("WEBP", (5, 3))
