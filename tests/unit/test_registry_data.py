"""Data sets of one's own: read, indexed, drawn from, shown in NERO, and what fits what."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from backend import catalog, datasets
from backend.errors import BadRequest, NotFound
from backend.nero import evaluate, orbits, tasks
from backend.registry import (
    adding,
    data_spec,
    duplicates,
    gathered,
    index,
    items,
    project,
    store,
    views,
)
from tests import own_models as own
from tests.own_registry import own_registry


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with own_registry(tmp_path, monkeypatch) as folder:
        yield folder


def test_class_folders_and_splits(state: Path):
    summary = adding.add_set(str(own.images(state / "set", splits=True)), "mine", {})
    held = store.required().set("mine")
    assert held.spec.classes == ("bright", "dark")
    assert summary["items"] == 12
    assert summary["per_class"] == [6, 6]
    assert summary["splits"] == {"test": 6, "train": 6}
    found = items.load("mine--1x12x12")
    assert found.shape == (12, 12, 1)
    assert found.names[0] == "test/bright/0.png"
    assert found.images([0]).mean() > 170
    assert set(found.columns) >= {"label", "source", "split", "sha256", "width_px"}


def test_only_what_is_new_or_changed_is_read_again(state: Path):
    folder = own.images(state / "set")
    assert adding.add_set(str(folder), "mine", {})["read"] == 12
    before = store.required().set("mine").fingerprint
    assert adding.index_again("mine")["read"] == 0
    assert store.required().set("mine").fingerprint == before
    Image.new("L", (16, 16), 99).save(folder / "dark" / "new.png")
    Image.new("L", (20, 16), 98).save(folder / "dark" / "0.png")
    summary = adding.index_again("mine")
    assert (summary["read"], summary["items"]) == (2, 13)
    (folder / "grey").mkdir()
    (folder / "dark" / "new.png").rename(folder / "grey" / "new.png")
    adding.index_again("mine")
    assert store.required().set("mine").spec.classes == ("bright", "dark", "grey")


def test_doubles_leaks_and_conflicts(state: Path):
    folder = own.images(state / "set", splits=True)
    rng = np.random.default_rng(1)
    photo = Image.fromarray(rng.integers(0, 255, (4, 5), dtype=np.uint8)).resize((90, 80))
    photo.save(folder / "train" / "dark" / "photo.png")
    photo.resize((180, 160)).save(folder / "test" / "dark" / "larger.jpg", quality=90)
    photo.save(folder / "train" / "bright" / "same.png")
    found = adding.add_set(str(folder), "mine", {})["duplicates"]
    assert (found["equal"], found["near"]) == (1, 1)  # counted once each
    assert found["leaks"] == 2
    assert found["conflicts"] == 1
    assert found["pairs"][0]["splits"] == ["test", "train"]


def test_a_table_with_row_numbered_problems(state: Path):
    own.images(state)
    rows = [
        "dark/0.png,dark",
        "dark/lost.png,dark",
        "../up.png,dark",
        "https://x.org/a.png,dark",
        ",bright",
        "bright/1.png,bright",
        "broken.png,bright",
    ]
    (state / "broken.png").write_text("no image")
    (state / "t.csv").write_text("file,kind\n" + "\n".join(rows))
    summary = adding.add_set(str(state / "t.csv"), "mine", {"label": "kind"})
    assert summary["items"] == 2
    told = dict(summary["first_problems"])
    assert told[3] == "there is no file dark/lost.png"
    assert "leads out" in told[4]
    assert "is an address" in told[5]
    assert told[6] == "no image is named"
    assert "no image that can be read" in told[8]
    assert items.load("mine--1x8x8").names == ("dark/0.png", "bright/1.png")


def test_a_parquet_table(state: Path):
    own.images(state)
    frame = pd.DataFrame({"path": ["dark/0.png", "bright/0.png"], "target": [0, 1]})
    frame.to_parquet(state / "t.parquet")
    adding.add_set(str(state / "t.parquet"), "mine", {})
    assert store.required().set("mine").spec.classes == ("0", "1")


@pytest.mark.parametrize(
    "images",
    [
        np.zeros((4, 9, 8), np.uint8),
        np.zeros((4, 1, 9, 8), np.float32),
        np.zeros((4, 9, 8, 1), np.uint8),
    ],
)
def test_arrays_in_whatever_layout(images: np.ndarray, state: Path):
    images = images.copy()
    images[2:] = 1
    np.savez(state / "x.npz", x=images, y=np.array([0, 0, 1, -1]))
    summary = adding.add_set(str(state / "x.npz"), "mine", {"classes": "dark,bright"})
    assert summary["unlabelled"] == 1
    found = items.load("mine--1x9x8")
    assert found.labels.tolist() == [0, 0, 1, -1]
    assert found.images([2]).max() == (1 if images.dtype == np.uint8 else 255)
    assert items.load("mine--3x9x8").shape == (9, 8, 3)


def test_npy_with_labels_beside(state: Path):
    np.save(state / "x.npy", np.zeros((2, 3, 9, 8), np.uint8))
    np.save(state / "y.npy", np.array(["cat", "dog"]))
    adding.add_set(str(state / "x.npy"), "mine", {"labels": str(state / "y.npy")})
    assert items.load("mine--3x9x8").classes == ("cat", "dog")


def test_a_large_set_is_drawn_from_by_class():
    labels = np.repeat([0, 1, 2], [5000, 800, 7])
    rows = items.drawn(labels, (1, 28, 28))
    assert len(rows) == 500
    assert np.bincount(labels[rows])[2] == 7
    assert abs(np.bincount(labels[rows])[0] - np.bincount(labels[rows])[1]) <= 1
    np.testing.assert_array_equal(rows, items.drawn(labels, (1, 28, 28)))
    assert len(items.drawn(labels, (3, 224, 224))) == 100


@pytest.mark.parametrize(
    ("classes", "wanted", "why"),
    [
        (("a", "b"), ("a", "b"), ""),
        (("0", "1"), ("a", "b"), ""),
        (("b", "a"), ("a", "b"), "another order"),
        (("a", "c"), ("a", "b"), "'c' is none"),
        (("a",), ("a", "b"), "1 class and the data 2"),
    ],
)
def test_what_fits(classes, wanted, why: str):
    found = views.misfit(classes, wanted)
    assert (not found) if not why else why in found


def test_an_orbit_of_an_own_model_on_an_own_set(state: Path):
    adding.add_set(str(own.images(state / "set")), "rooms", {"classes": "dark,bright"})
    path = str(own.onnx_file(state / "m.onnx"))
    report = adding.add_model(path, "light", {"classes": "dark,bright"}, "rooms")
    assert report.to_json()["items"] == 3
    adding.add_model(path, "other", {"classes": "bright,dark"})
    assert list(catalog.models_for("rooms--1x12x12")) == ["light"]
    assert "rooms--1x12x12" in tasks.names()
    task = tasks.find("rooms--1x12x12")
    assert (task.title, task.item_set, task.compare) == ("rooms", "rooms--1x12x12", ("light",))
    result = evaluate("light", "rooms--1x12x12", orbits.rotations(n=4))
    assert result.aggregate("accuracy").tolist() == [1.0] * 4
    (nero, *others) = views.of_model(store.required().model("light"))
    assert nero.href == "/nero?task=rooms--1x12x12&models=light&focus=light"
    opened = [view.name for view in others if view.href]  # ONNX shows no layers
    assert opened == ["Metric learning"]
    assert all(view.why for view in others if not view.href)
    (nero, *_) = views.of_model(store.required().model("other"))
    assert "another order: bright, dark" in nero.why
    adding.remove_set("rooms")
    with pytest.raises(NotFound):
        tasks.find("rooms--1x12x12")
    assert (state / "set" / "dark" / "0.png").exists()
    assert not index.folder("rooms").exists()


def test_a_model_with_numbered_classes_joins_a_bundled_set(state: Path):
    assert "mine" not in catalog.models_for("digits")
    held = datasets.load("digits")
    np.savez(state / "d.npz", images=held.pixels[:20], labels=held.labels[:20])
    adding.add_set(str(state / "d.npz"), "some-digits", {"classes": "10"})
    names = list(catalog.models_for("some-digits--1x28x28"))
    assert {"digits-plain", "digits-rotated"} <= set(names)  # bundled models on own data


def test_a_project_file_there_and_back(state: Path):
    own.images(state / "project" / "rooms")
    own.onnx_file(state / "project" / "m.onnx")
    text = """
    [data.rooms]
    path = "rooms"
    classes = ["dark", "bright"]
    [models.light]
    path = "m.onnx"
    classes = ["dark", "bright"]
    data_set = "rooms"
    [models.lost]
    path = "lost.onnx"
    """
    (state / "project" / "loupe.toml").write_text(text)
    told: list[str] = []
    failed = project.load(state / "project", told.append)
    assert told == ["data rooms: 12 images", "model light: onnx, takes 1x12x12"]
    assert failed == ["model lost: There is no file 'lost.onnx'. Check the path."]
    before = [held.fingerprint for held in store.models().values()]
    (state / "project" / "again.toml").write_text(project.written(state / "project"))
    assert str(state) not in (state / "project" / "again.toml").read_text()
    adding.remove_model("light")
    adding.remove_set("rooms")
    assert project.load(state / "project" / "again.toml", told.append) == []
    assert [held.fingerprint for held in store.models().values()] == before


def test_specs_refuse_what_they_do_not_know():
    with pytest.raises(BadRequest, match="'colour' is not known of a data set"):
        data_spec.from_json({"name": "x", "kind": "folder", "path": "p", "colour": "red"})
    with pytest.raises(BadRequest, match="says no kind"):
        data_spec.from_json({"name": "x", "path": "p"})


def test_pairs_of_near_looks_are_those_of_comparing_all_with_all():
    rng = np.random.default_rng(0)
    looks = rng.integers(60, 190, (400, 72)).astype(np.uint8)
    looks[200:300] = np.clip(looks[:100].astype(int) + rng.integers(-1, 2, (100, 72)), 0, 255)
    looks[300:320] = 7  # flat: equal content only
    hashes = np.arange(400).astype(np.str_)
    hashes[301] = hashes[300]
    pairs, is_cut = duplicates.near_pairs(looks, hashes)
    grid = looks.reshape(-1, 8, 9).astype(int)
    bits = (grid[:, :, 1:] > grid[:, :, :-1]).reshape(-1, 64)
    apart = (bits[:, None] != bits[None]).sum(2)
    levels = np.abs(grid[:, None] - grid[None]).mean((2, 3))
    telling = (bits.sum(1) >= 6) & (bits.sum(1) <= 58)
    near = (apart <= 3) & (levels <= 4) & telling & telling[:, None]
    near |= hashes == hashes[:, None]
    wanted = [(i, j, apart[i, j]) for i, j in np.argwhere(np.triu(near, 1)).tolist()]
    assert pairs == wanted
    assert len(pairs) > 20
    assert not is_cut


def test_thumbnails_are_upright_on_black_and_of_large_files_too(state: Path):
    folder = state / "set" / "a"
    folder.mkdir(parents=True)
    half = Image.new("RGB", (60, 40), "black")
    half.paste("white", (0, 0, 30, 40))
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by the camera
    half.save(folder / "0.jpg", exif=exif, quality=95)
    Image.new("RGBA", (40, 40), (255, 255, 255, 0)).save(folder / "1.png")
    half.resize((2400, 1800), Image.Resampling.NEAREST).save(folder / "2.png")
    adding.add_set(str(state / "set"), "mine", {})
    known = index.load("mine")
    with Image.open(io.BytesIO(known.thumb(0))) as turned:
        assert turned.size == (64, 96)
        assert np.asarray(turned)[:40].mean() > 240  # what was left is above
        assert np.asarray(turned)[56:].mean() < 15
    assert known.looks[1].max() == 0
    with Image.open(io.BytesIO(known.thumb(2))) as large:
        assert large.size == (96, 72)
    assert known.sizes.tolist() == [[60, 40], [40, 40], [2400, 1800]]


class CountedThumb(bytes):
    """A thumbnail of which it is known how many there are at a time, and have been."""

    alive = most = made = 0

    def __init__(self, _data: bytes) -> None:
        CountedThumb.alive += 1
        CountedThumb.made += 1
        CountedThumb.most = max(CountedThumb.most, CountedThumb.alive)

    def __del__(self) -> None:
        CountedThumb.alive -= 1


@pytest.mark.parametrize("kind", ["files", "arrays"])
def test_few_thumbnails_are_held_at_a_time(kind: str, state: Path, monkeypatch):
    """However many there are: memory is flat in n."""
    chunk, made = 3, gathered.Seen
    monkeypatch.setattr(index, "CHUNK", chunk)
    monkeypatch.setattr(
        index, "Seen", lambda sha, size, look, thumb: made(sha, size, look, CountedThumb(thumb))
    )
    CountedThumb.alive = CountedThumb.most = CountedThumb.made = 0
    pixels = np.repeat(np.arange(24, dtype=np.uint8) * 10, 64).reshape(24, 8, 8)
    if kind == "arrays":
        place = state / "set.npy"
        np.save(place, pixels)
    else:
        place = state / "set"
        place.mkdir()
        for row, picture in enumerate(pixels):
            Image.fromarray(picture).save(place / f"{row:02}.png")
    assert adding.add_set(str(place), "mine", {})["items"] == 24
    assert CountedThumb.made == 24
    assert CountedThumb.most <= 2 * chunk
    known = index.load("mine")
    for row in (0, 11, 23):
        with Image.open(io.BytesIO(known.thumb(row))) as small:
            assert np.asarray(small).mean() == pytest.approx(10 * row, abs=3)
