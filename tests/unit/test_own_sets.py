"""A user's own files as a set: named by its content, found again, refused with the file's name."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from backend import datasets, own_sets
from backend.cache import ArrayStore
from backend.errors import BadRequest, NotFound
from backend.nero import evaluate, orbits, tasks


@pytest.fixture
def store(tmp_path: Path) -> ArrayStore:
    held = ArrayStore(tmp_path, 50_000_000)
    own_sets.use(held)
    return held


def png(pixels: np.ndarray) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


def digit(row: int) -> tuple[str, bytes]:
    return f"digit-{row}.png", png(datasets.load("digits").image(row))


def test_pictures_become_a_set_without_labels(store: ArrayStore):
    key = own_sets.put("digits", [digit(3), digit(77)], store)
    held = datasets.load(key)
    base = datasets.load("digits")
    assert key.startswith("own-")
    np.testing.assert_array_equal(held.images([1, 0]), base.images([77, 3]))
    assert held.labels.tolist() == [-1, -1]
    assert held.names == ("digit-3.png", "digit-77.png")
    assert held.title == "Your own: digit-3.png and 1 more"
    assert held.classes == base.classes
    assert len(held) == 2


def test_equal_files_are_one_set_and_others_are_others(store: ArrayStore):
    first = own_sets.put("digits", [digit(3)], store)
    assert own_sets.put("digits", [digit(3)], store) == first
    assert own_sets.put("digits", [digit(4)], store) != first
    assert own_sets.put("fashion", [digit(3)], store) != first  # other models answer about it


def test_only_what_needs_no_truth_is_measured(store: ArrayStore):
    held = datasets.load(own_sets.put("digits", [digit(3)], store))
    result = evaluate("digits-plain", "digits", orbits.rotations(4), held)
    assert np.isnan(result.metrics["confidence"]).all()
    assert result.metrics["agreement"][0, 0] == 1


def test_pairs_and_clouds_and_photographs_are_read(store: ArrayStore):
    rng = np.random.default_rng(0)
    frame = rng.integers(0, 255, (64, 64), np.uint8)
    pair = own_sets.opened("piv", [("a.png", png(frame)), ("b.png", png(np.roll(frame, 1, 1)))])
    assert pair.inputs([0]).shape == (1, 2, 64, 64)
    assert pair.truth([0]) is None
    lines = "\n".join(" ".join(f"{v:.4f}" for v in row) for row in rng.normal(size=(300, 3)))
    cloud = own_sets.opened("points", [("chair.xyz", lines.encode())])
    assert cloud.inputs([0]).shape[2] == 3
    assert cloud.image(0).ndim == 2
    photo = rng.integers(0, 255, (300, 400, 3), np.uint8)
    scene = own_sets.opened("detection", [("street.png", png(photo))])
    assert scene.shape == datasets.load("scenes").shape
    assert tasks.find("detection").gather(scene).truth(0, 1) is None


@pytest.mark.parametrize(
    ("task", "files", "sentence"),
    [
        ("digits", [], "0 files were given"),
        ("digits", [("a.png", b"")] * 65, "65 files were given"),
        ("digits", [("notes.txt", b"hello")], "notes.txt: The file is not an image"),
        ("digits", [("huge.png", bytes(own_sets.FILE_BYTES + 1))], "huge.png has 6.0 MB"),
        ("piv", [digit(0)], "1 frames do not make up pairs"),
        ("points", [("few.xyz", b"0 0 1\n1 0 0\n")], "few.xyz"),
        ("texts", [("a.txt", b"hello")], "takes no files"),
    ],
)
def test_what_cannot_be_used_is_named(store: ArrayStore, task: str, files, sentence: str):
    with pytest.raises(BadRequest, match=sentence):
        own_sets.put(task, files, store)


def test_what_is_gone_is_said(store: ArrayStore):
    with pytest.raises(NotFound, match="no longer held"):
        datasets.load(f"own-{'0' * 64}")
    with pytest.raises(NotFound):
        datasets.load("own-../etc")


def test_rows_outside_are_refused(store: ArrayStore):
    held = own_sets.opened("digits", [digit(3)])
    with pytest.raises(BadRequest, match="no row 1"):
        held.images([1])
