"""Every kind of data set: told from its path, indexed, listed where its view chooses, removed."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from backend import catalog, datasets
from backend.errors import BadRequest, NotFound
from backend.gap import registered, spaces
from backend.insights import contents as insights
from backend.nero import tasks
from backend.registry import adding, index, store, telling, views
from backend.settings import Settings
from backend.zoom.library import Library
from models.class_names import class_names
from tests import own_sets_made as made
from tests.own_registry import own_registry


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with own_registry(tmp_path, monkeypatch) as folder:
        yield folder


def add(kind: str, folder: Path):
    summary = adding.add_set(str(made.KINDS[kind](folder)), "mine", made.TOLD.get(kind, {}))
    return summary, store.required().set("mine")


@pytest.mark.parametrize("kind", made.KINDS)
def test_a_kind_is_told_from_its_path(kind: str, state: Path):
    path = made.KINDS[kind](state)
    assert made.TOLD.get(kind, {}).get("kind") or telling.kind_of(path) == kind


def test_a_kind_that_the_path_cannot_be_is_refused(state: Path):
    with pytest.raises(BadRequest, match="is no folder"):
        adding.add_set(str(made.table(state)), "mine", {"kind": "folder"})
    with pytest.raises(BadRequest, match="kind='dream' is not known"):
        adding.add_set(str(state / "rooms"), "mine", {"kind": "dream"})


def test_texts_that_lead_out_of_the_folder_are_not_read(state: Path):
    folder = made.pairs(state)
    (state / "secret.txt").write_text("secret")
    (folder / "3.txt").unlink()
    (folder / "3.txt").symlink_to(state / "secret.txt")
    summary = adding.add_set(str(folder), "mine", {"kind": "pairs"})
    assert summary["first_problems"] == [[6, "3.png has no text"]]


def test_boxes_of_cocos_json(state: Path):
    summary, held = add("boxes", state)
    assert (summary["items"], held.spec.classes) == (1, class_names("detection"))
    assert summary["first_problems"] == [[2, "nobody annotated 1.png"]]
    found = datasets.load("mine--scenes")
    np.testing.assert_allclose(found.boxes[0, 0, :4], [108, 108, 148, 148], atol=0.01)
    assert "mine--scenes" in tasks.names()
    assert tasks.find("mine--scenes").domain == "scene"
    assert set(catalog.models_for("mine--scenes")) == set(catalog.models_for("detection"))
    (view,) = views.of_set(held)
    assert (view.name, view.href) == ("NERO", "/nero?task=mine--scenes")


def test_boxes_that_cannot_be(state: Path):
    path = made.boxes(state)
    told = json.loads(path.read_text())
    told["annotations"][0]["bbox"] = [620, 220, 40, 40]
    path.write_text(json.dumps(told))
    with pytest.raises(BadRequest, match="annotation 7 is empty or leaves its photograph"):
        adding.add_set(str(path), "mine", {})
    path.write_text(json.dumps({"images": []}))
    with pytest.raises(BadRequest, match="no list 'annotations'"):
        adding.add_set(str(path), "mine", {})


def test_clouds_in_class_folders(state: Path):
    summary, held = add("clouds", state)
    assert (summary["items"], summary["unlabelled"]) == (2, 1)
    assert (summary["problems"], summary["notes"]) == (0, [])  # it is taken, without a label
    assert held.spec.classes == class_names("points")
    found = datasets.load("mine--points")
    assert found.points.shape == (2, 2048, 3)
    assert [found.classes[i] if i >= 0 else "" for i in found.labels] == ["", "chair"]
    assert tasks.find("mine--points").domain == "points"


def test_frames_in_order(state: Path):
    summary, _ = add("frames", state)
    assert summary["items"] == 3
    found = datasets.load("mine--frames")
    assert found.names[0] == "0.png → 1.png"
    assert found.truth([0]) is None


def test_frames_with_their_fields(state: Path):
    rng = np.random.default_rng(0)
    frames = rng.integers(0, 255, (2, 2, 64, 64), dtype=np.uint8)
    np.savez(state / "f.npz", frames=frames, fields=np.ones((2, 2, 32, 32), np.float32))
    adding.add_set(str(state / "f.npz"), "mine", {})
    assert datasets.load("mine--frames").truth([1]).shape == (1, 2, 32, 32)


def test_large_images_are_read_where_they_lie(state: Path):
    summary, held = add("large", state)
    library = Library(Settings.from_env())
    (info,) = [one for one in library.listing(0) if one.kind == "set"]
    assert (info.key, info.width, info.height) == ("set:mine/a.tif", 1280, 1024)
    assert views.of_set(held)[0].href == "/zoom?image=set:mine/a.tif"
    assert library.open(info.key).width == 1280
    adding.remove_set("mine")
    with pytest.raises(NotFound):
        library.path(info.key)
    assert summary["largest"] == [96, 77]


def test_contents_with_a_map_of_columns(state: Path):
    path = made.contents(state)
    given = {"columns": "text=headline,experiment_id=experiment", "title": "Ads"}
    summary = adding.add_set(str(path), "mine", given)
    key = summary["opens"]["key"]
    assert insights.known()[key] == "Ads"
    assert summary["items"] == 12
    path.write_text(path.read_text().replace("Save 3", "Get 3"))
    again = adding.index_again("mine")["opens"]["key"]
    assert again != key
    assert key not in insights.known()
    adding.remove_set("mine")
    assert again not in insights.known()


def test_rows_of_contents_that_are_wrong(state: Path):
    path = made.contents(state)
    path.write_text(path.read_text() + "\n9,new,More,10,20")
    with pytest.raises(BadRequest, match="Row 13"):
        adding.add_set(str(path), "mine", {})


def test_pairs_are_put_into_both_bundled_spaces(state: Path):
    (made.pairs(state) / "3.txt").unlink()
    summary = adding.add_set(str(state / "pets"), "mine", {})
    assert summary["first_problems"] == [[6, "3.png has no text"]]
    assert list(registered.titles()) == ["mine--pairs-rankclip", "mine--pairs-clip"]
    held = spaces.load("mine--pairs-clip")
    assert held.images.shape == (11, 128)
    assert held.has_encoder
    assert held.captions[0] == "a picture of thing 0"
    np.testing.assert_allclose(np.linalg.norm(held.texts, axis=1), 1, atol=1e-5)
    other = spaces.load("mine--pairs-rankclip")
    assert other.set_key == held.set_key
    assert other.fingerprint != held.fingerprint


def test_embeddings_of_ones_own(state: Path):
    _, held = add("embeddings", state)
    found = spaces.load("mine--own")
    assert (len(found), found.has_encoder, found.captions[3]) == (20, False, "pair 3")
    assert views.of_set(held)[0].href == "/modality-gap?spaces=mine--own&focus=mine--own"
    assert not index.load("mine").sizes.any()  # nothing to be seen
    adding.remove_set("mine")
    with pytest.raises(NotFound):
        spaces.load("mine--own")
