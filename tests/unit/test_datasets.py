"""Sets of items: validation, the bundled sets, and decoding of uploads that cannot be trusted."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from backend import datasets
from backend.datasets import (
    ArrayItems,
    BadImage,
    BadItems,
    DamagedDataset,
    UnknownDataset,
    bundled,
    load,
    read_image,
    to_batch,
)
from backend.errors import BackendError

DATA = Path(__file__).parents[2] / "data"
GREY, COLOUR = (28, 28, 1), (224, 224, 3)


def items(**changes: Any) -> ArrayItems:
    values: dict[str, Any] = {
        "key": "k",
        "title": "Three",
        "task": "digits",
        "pixels": np.arange(3 * 4 * 5, dtype=np.uint8).reshape(3, 4, 5),
        "labels": np.array([1, 0, 1]),
        "ids": np.array([7, 3, 9]),
        "names": ("a", "b", "c"),
        "classes": ("no", "yes"),
        "source": "made up",
        "licence": "CC0",
    }
    return ArrayItems(**(values | changes))


def encoded(
    mode: str = "RGB", size: tuple[int, int] = (40, 30), kind: str = "PNG", **how: Any
) -> bytes:
    buffer = io.BytesIO()
    Image.new(mode, size).save(buffer, kind, **how)
    return buffer.getvalue()


# --- sets ---------------------------------------------------------------------------------------


def test_rows_come_back_in_the_asked_order() -> None:
    three = items()
    assert len(three) == 3
    assert three.shape == (4, 5, 1)
    np.testing.assert_array_equal(three.image(1), three.pixels[1])
    np.testing.assert_array_equal(three.images([2, 0, 2]), three.pixels[[2, 0, 2]])
    assert three.images([]).shape == (0, 4, 5)
    assert list(three.columns["label"]) == ["yes", "no", "yes"]
    assert list(three.columns["source"]) == ["made up"] * 3


def test_colour_sets_say_so() -> None:
    assert items(pixels=np.zeros((3, 4, 5, 3), np.uint8)).shape == (4, 5, 3)


def test_items_cannot_be_changed_but_the_callers_array_can() -> None:
    pixels = np.zeros((3, 4, 5), np.uint8)
    three = items(pixels=pixels)
    with pytest.raises(ValueError, match="read-only"):
        three.image(0)[0, 0] = 1
    pixels[0, 0, 0] = 1


@pytest.mark.parametrize("row", [-1, 3])
def test_rows_outside_are_refused(row: int) -> None:
    with pytest.raises(BadItems, match=f"no row {row} .* 0 to 2"):
        items().image(row)
    with pytest.raises(BadItems, match=f"no row {row}"):
        items().images([0, row])


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"pixels": np.zeros((3, 4, 5))}, "float64"),
        ({"pixels": np.zeros((3, 4, 5, 4), np.uint8)}, r"\(3, 4, 5, 4\)"),
        ({"pixels": np.zeros((4, 5), np.uint8)}, r"\(4, 5\)"),
        ({"pixels": np.zeros((0, 4, 5), np.uint8)}, "nothing in them"),
        ({"labels": np.array([1, 0])}, "labels have the shape"),
        ({"labels": np.array([1.0, 0.0, 1.0])}, "float64"),
        ({"labels": np.array([1, 0, 2])}, "Label 2 .* 0 to 1"),
        ({"labels": np.array([1, 0, -1])}, "Label -1"),
        ({"ids": np.array([7, 3, 7])}, "Id 7 appears twice"),
        ({"names": ("a",)}, "1 names for 3 images"),
        ({"classes": ("no", "no")}, "all different"),
        ({"extra": {"size": np.zeros(2)}}, "Column 'size'"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(BadItems, match=words):
        items(**changes)


def test_fingerprint_follows_the_content_only() -> None:
    plain = items()
    assert plain.fingerprint == items(title="Other", names=("x", "y", "z")).fingerprint
    assert len(plain.fingerprint) == 16
    changed = plain.pixels.copy()
    changed[0, 0, 0] ^= 1
    others = [
        items(pixels=changed),
        items(labels=np.array([0, 0, 1])),
        items(ids=np.array([7, 3, 8])),
        items(pixels=plain.pixels.reshape(3, 5, 4)),
    ]
    assert len({plain.fingerprint, *(other.fingerprint for other in others)}) == 5


def test_batches_are_scaled_planes() -> None:
    grey = np.array([[[0, 255], [51, 102]]], np.uint8)
    np.testing.assert_allclose(to_batch(grey), [[[[0, 1], [0.2, 0.4]]]], rtol=1e-6)
    colour = np.zeros((2, 4, 5, 3), np.uint8)
    colour[1, 2, 3] = (255, 0, 51)
    batch = to_batch(colour)
    assert batch.shape == (2, 3, 4, 5)
    assert batch.dtype == np.float32
    assert batch.flags.c_contiguous
    np.testing.assert_allclose(batch[1, :, 2, 3], [1, 0, 0.2], rtol=1e-6)
    with pytest.raises(BadItems):
        to_batch(np.zeros((2, 4, 5), np.float32))  # type: ignore[arg-type]


# --- bundled sets ---------------------------------------------------------------------------------


@pytest.mark.parametrize("key", bundled())
def test_bundled_sets_are_what_the_list_says(key: str) -> None:
    info, found = bundled()[key], load(key)
    assert (found.key, found.task, len(found)) == (key, info.task, info.count)
    assert found.shape == info.shape
    assert load(key) is found
    assert len(set(found.names)) == len(found.names)
    assert all(len(column) == len(found) for column in found.columns.values())


@pytest.mark.parametrize("key", ["digits", "fashion"])
def test_evaluation_sets_are_balanced(key: str) -> None:
    assert np.bincount(load(key).labels).tolist() == [50] * 10


def test_no_evaluation_digit_was_trained_on() -> None:
    with np.load(DATA / "digits" / "train.npz", allow_pickle=False) as file:
        rows, images = file["rows"], file["images"]
    held_out = load("digits")
    assert not set(rows) & set(held_out.ids)
    assert sorted([*rows, *held_out.ids]) == list(range(5000))
    seen = {image.tobytes() for image in images}
    assert not any(held_out.image(i).tobytes() in seen for i in range(len(held_out)))


def test_each_photograph_has_a_source_and_a_licence() -> None:
    columns = load("photos").columns
    assert all(columns["source"])
    assert all(columns["licence"])
    attribution = (DATA / "ATTRIBUTION.md").read_text(encoding="utf-8")
    for source in set(columns["source"]):
        author = str(source).split(" (")[0].split(",")[0].replace("'", '"')
        assert author in attribution


def test_every_bundled_file_is_attributed() -> None:
    attribution = (DATA / "ATTRIBUTION.md").read_text(encoding="utf-8")
    for path in DATA.glob("*/*.npz"):
        if path.parent.name not in ("cache", "results"):  # results are ours
            assert f"`{path.relative_to(DATA).as_posix()}`" in attribution


def test_an_unknown_set_is_refused_listing_the_known() -> None:
    with pytest.raises(UnknownDataset, match=r"'cats'.*digits, fashion, photos"):
        load("cats")


def test_a_damaged_file_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = (DATA / "digits" / "eval.npz").read_bytes()
    monkeypatch.setattr(datasets, "DATA", tmp_path)
    (tmp_path / "digits").mkdir()
    datasets._bundled.cache_clear()
    for content in (None, b"", b"no zip", whole[:-1000], whole[: len(whole) // 2]):
        if content is not None:
            (tmp_path / "digits" / "eval.npz").write_bytes(content)
        with pytest.raises(DamagedDataset, match="missing or broken"):
            load("digits")


# --- uploads --------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "BMP"])
@pytest.mark.parametrize(("shape", "expected"), [(GREY, (28, 28)), (COLOUR, (224, 224, 3))])
def test_the_four_formats_are_read(
    kind: str, shape: tuple[int, int, int], expected: tuple[int, ...]
) -> None:
    image = read_image(encoded(kind=kind), shape)
    assert image.shape == expected
    assert image.dtype == np.uint8


def test_an_image_of_the_right_size_is_taken_as_it_is() -> None:
    original = load("digits").image(4)
    buffer = io.BytesIO()
    Image.fromarray(original).save(buffer, "PNG")
    np.testing.assert_array_equal(read_image(buffer.getvalue(), GREY), original)


def test_the_middle_of_a_wide_image_is_used() -> None:
    wide = np.zeros((28, 84), np.uint8)
    wide[:, 28:56] = 200
    buffer = io.BytesIO()
    Image.fromarray(wide).save(buffer, "PNG")
    assert (read_image(buffer.getvalue(), GREY) == 200).all()


def test_transparent_parts_become_black() -> None:
    buffer = io.BytesIO()
    Image.new("RGBA", (28, 28), (255, 255, 255, 0)).save(buffer, "PNG")
    assert (read_image(buffer.getvalue(), GREY) == 0).all()


def test_camera_rotation_is_applied() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: show the image a quarter turn clockwise
    upper_white = np.zeros((28, 28), np.uint8)
    upper_white[:14] = 255
    buffer = io.BytesIO()
    Image.fromarray(upper_white).save(buffer, "PNG", exif=exif)
    turned = read_image(buffer.getvalue(), GREY)
    assert (turned[:, 14:] == 255).all()
    assert (turned[:, :14] == 0).all()


def claimed_size(width: int, height: int) -> bytes:
    """A PNG whose header claims a size that the file does not hold."""
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    chunk = b"IHDR" + header
    start = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk
    return start + struct.pack(">I", zlib.crc32(chunk)) + struct.pack(">I", 0) + b"IDAT" + bytes(4)


ANIMATED = encoded(kind="WEBP", save_all=True, append_images=[Image.new("RGB", (40, 30), "red")])


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "not an image"),
        (b"GIF89a" + bytes(50), "not an image"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "not an image"),
        (encoded(kind="GIF"), "PNG, JPEG, WebP or BMP"),
        (encoded(kind="TIFF"), "PNG, JPEG, WebP or BMP"),
        (claimed_size(8000, 6000), "8000 x 6000"),
        (claimed_size(50_000, 50_000), "pixels"),
        (claimed_size(10_000, 10_000), "pixels"),
        (claimed_size(30, 30), "damaged or was cut short"),
        (encoded(size=(7, 90)), "7 x 90"),
        (encoded("CMYK", kind="JPEG"), "mode CMYK"),
        (encoded("I;16"), "8 bits"),
        (ANIMATED, "animated"),
    ],
)
def test_a_bad_upload_is_a_sentence(data: bytes, words: str) -> None:
    with pytest.raises(BadImage, match=words):
        read_image(data, GREY)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "BMP"])
@pytest.mark.parametrize("part", [0.3, 0.9])
def test_a_file_cut_short_is_a_sentence(kind: str, part: float) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noise).save(buffer, kind)
    whole = buffer.getvalue()
    with pytest.raises(BadImage):
        read_image(whole[: int(len(whole) * part)], COLOUR)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_flipped_bytes_never_end_in_another_error(data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(["PNG", "JPEG", "WEBP", "BMP"]))
    broken = bytearray(encoded(kind=kind))
    for _ in range(data.draw(st.integers(1, 4))):
        broken[data.draw(st.integers(0, len(broken) - 1))] = data.draw(st.integers(0, 255))
    try:
        image = read_image(bytes(broken), GREY)
    except BadImage:
        return
    assert image.shape == (28, 28)


def test_errors_are_ones_the_app_shows() -> None:
    for error in (BadImage, BadItems, UnknownDataset, DamagedDataset):
        assert issubclass(error, BackendError)


def test_listing_sets_needs_no_torch() -> None:
    """Run apart, since other tests have imported torch into this process."""
    code = "import backend.datasets as d, sys; d.load('photos'); sys.exit('torch' in sys.modules)"
    assert (
        subprocess.run([sys.executable, "-c", code], cwd=DATA.parent, check=False).returncode == 0
    )
