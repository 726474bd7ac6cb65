"""Boxes and clouds of a user's own classes: whose names they get, again and again, and mistakes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from backend import box_names, catalog, cli_nero, datasets
from backend.errors import BadRequest, NotFound
from backend.nero import evaluate, orbits, tasks
from backend.nero.tasks.detection import renumbering
from backend.registry import adding, index, own_classes, sets, store, views
from backend.registry.data_spec import SetSpec
from components import gap_spec
from models.class_names import class_names
from tests import own_sets_made as made
from tests.own_registry import own_registry

COCO, POINTS = class_names("detection"), class_names("points")
MIDDLE = "0.5 0.5 0.0625 0.0833"  # 40 px of 640 x 480


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with own_registry(tmp_path, monkeypatch) as folder:
        yield folder


def yolo(root: Path, names: str, *photographs: Sequence[int]) -> Path:
    """A folder as COCO128 lies; of each photograph the classes of the boxes in its middle."""
    for part in ("images", "labels"):
        (root / part).mkdir(parents=True, exist_ok=True)
    (root / "set.yaml").write_text(names)
    for i, kinds in enumerate(photographs):
        made.noise(480, 640, i).save(root / "images" / f"{i}.png")
        (root / "labels" / f"{i}.txt").write_text("".join(f"{k} {MIDDLE}\n" for k in kinds))
    return root


def coco(root: Path, categories: list[dict[str, object]], *kinds: int) -> Path:
    """COCO's JSON beside a photograph for each category in ``kinds``."""
    root.mkdir(exist_ok=True)
    size = {"width": 640, "height": 480}
    for i in range(len(kinds)):
        made.noise(480, 640, i).save(root / f"{i}.png")
    told = {
        "images": [{"id": i, "file_name": f"{i}.png", **size} for i in range(len(kinds))],
        "annotations": [
            {"id": i, "image_id": i, "category_id": kind, "bbox": [300, 220, 40, 40]}
            for i, kind in enumerate(kinds)
        ],
        "categories": categories,
    }
    (root / "a.json").write_text(json.dumps(told))
    return root / "a.json"


def clouds(root: Path, *places: str) -> Path:
    for i, place in enumerate(places):
        (root / place).parent.mkdir(parents=True, exist_ok=True)
        np.savetxt(root / place, np.random.default_rng(i).normal(size=(300, 3)))
    return root


def packed(root: Path, **arrays: object) -> Path:
    n = len(np.asarray(arrays["labels"]))
    points = np.random.default_rng(0).normal(size=(n, 300, 3))
    np.savez(root / "c.npz", points=points, **arrays)
    return root / "c.npz"


def added(path: Path, **given: object):
    """The spec, the items and the labels' names of a set called ``mine``, and its summary."""
    summary = adding.add_set(str(path), "mine", given)
    return *now(), summary


def now():
    spec = store.required().set("mine").spec
    found = datasets.load(f"mine--{sets.KINDS[spec.kind].suffix}")
    kind = sets.KINDS[spec.kind]
    asked = views.asked_by(kind.task, f"mine--{kind.suffix}")
    assert found.classes == spec.classes == asked.classes
    assert len(store.required().set("mine").summary["per_class"]) == len(spec.classes)
    return spec, found, [found.classes[k] if k >= 0 else "" for k in found.labels]


def test_boxes_that_are_named_as_coco_keep_all_of_its_classes(state: Path):
    spec, found, labels, summary = added(yolo(state / "s", "names:\n  0: dog\n  1: car", [0], [1]))
    assert spec.classes == COCO
    assert labels == ["dog", "car"]
    assert found.boxes[0, 0, 4] == COCO.index("dog")
    assert summary["per_class"][COCO.index("car")] == 1


@pytest.mark.parametrize(
    "names",
    [
        "names:\n  0: vest\n  1: helmet  # hard hat\n",
        "nc: 2\nnames:\n- vest\n- 'helmet'\n",
        "names: ['vest', \"helmet\"]\nnc: 2\n",
        "names: [vest,\n  helmet,\n]\n",
        "names: {1: helmet, 0: vest}\n",
    ],
)
def test_boxes_of_other_names_keep_their_own_in_the_order_of_the_file(names: str, state: Path):
    spec, _, labels, _ = added(yolo(state / "s", names, [1], [0]))
    assert spec.classes == ("vest", "helmet")
    assert labels == ["helmet", "vest"]


def test_categories_of_cocos_json_come_in_the_order_of_their_ids(state: Path):
    named = [{"id": 9, "name": "person"}, {"id": 3, "name": "vest"}, {"id": 12, "name": "helmet"}]
    spec, found, labels, _ = added(coco(state / "s", named, 12, 9))
    assert spec.classes == ("vest", "person", "helmet")
    assert labels == ["helmet", "person"]
    assert found.boxes[:, 0, 4].tolist() == [2, 1]


@pytest.mark.parametrize("layout", ["yolo", "coco"])
def test_boxes_that_the_named_classes_do_not_have_are_left_out(layout: str, state: Path):
    if layout == "yolo":
        path = yolo(state / "s", "names: [person, vest, helmet]", [2], [0, 1], [1, 0, 0])
    else:
        named = [{"id": i, "name": name} for i, name in enumerate(("person", "vest", "helmet"))]
        path = coco(state / "s", named, 2, 0, 1)
    spec, _, labels, summary = added(path, classes="vest,helmet")
    assert spec.classes == ("vest", "helmet")
    assert labels == ["helmet", "vest", "vest"] if layout == "yolo" else ["helmet", "vest"]
    told = dict(summary["first_problems"])
    assert told[2] == "1.png: a box of 'person', none of the classes named, is left out"
    if layout == "yolo":
        assert told[3] == "2.png: 2 boxes of 'person', none of the classes named, are left out"


def test_named_classes_that_coco_has_choose_boxes_and_keep_its_order(state: Path):
    path = yolo(state / "s", "names: [vest, person, car]", [0], [1], [2])
    spec, _, labels, summary = added(path, classes=["person"])
    assert spec.classes == COCO
    assert labels == ["person"]
    assert summary["problems"] == 2


def test_boxes_of_none_of_the_named_classes_are_a_sentence(state: Path):
    path = yolo(state / "s", "names: [vest]", [0])
    with pytest.raises(BadRequest, match=r"a box of 'vest', none of the classes named"):
        added(path, classes=["hat"])


def test_a_new_name_in_the_file_is_a_new_class_and_nothing_else_is_read(state: Path):
    path = yolo(state / "s", "names: [vest, helmet]", [0], [1])
    added(path)
    assert adding.index_again("mine")["read"] == 0
    yolo(path, "names: [vest, helmet, boot]", [0], [1], [2])
    assert adding.index_again("mine")["read"] == 3  # the photographs were written again
    spec, _, labels = now()
    assert spec.classes == ("vest", "helmet", "boot")
    assert labels == ["vest", "helmet", "boot"]
    before = datasets.load("mine--scenes")
    (path / "set.yaml").write_text("names: [jacket, helmet, boot]")
    assert adding.index_again("mine")["read"] == 1  # whose scene is called by its class
    _, found, labels = now()
    assert (labels[0], found.names[0]) == ("jacket", "0 jacket")
    np.testing.assert_array_equal(found.boxes, before.boxes)
    assert found.fingerprint != before.fingerprint  # what detectors answered is numbered by names


def test_what_the_owner_said_holds_when_a_set_is_indexed_again(state: Path):
    path = yolo(state / "s", "names: [person, vest, helmet]", [2], [0])
    added(path, classes="vest,helmet")
    yolo(path, "names: [person, vest, helmet, boot]", [2], [0], [3])
    assert adding.index_again("mine")["problems"] == 2
    assert now()[0].classes == ("vest", "helmet")
    adding.remove_set("mine")
    path = yolo(state / "t", "names: [vest, car]", [0], [1])
    added(path, classes=["car"])  # COCO's 80 are written, one was said
    assert adding.index_again("mine")["problems"] == 1
    assert now()[2] == ["car"]


def test_classes_that_were_said_are_told_from_those_that_were_found(state: Path):
    spec = SetSpec("mine", "boxes", str(yolo(state / "s", "names: [a, b]", [0], [1])), ("a",))
    made_spec, _, _ = index.build(spec, adding.quiet)
    assert own_classes.said(made_spec, index.known(made_spec)) == ("a",)
    assert own_classes.said(made_spec.changed({"classes": "b,a"}), index.known(spec)) == ("b", "a")
    assert own_classes.said(made_spec.changed({"classes": ""}), index.known(spec)) == ()


@pytest.mark.parametrize(
    ("categories", "why"),
    [
        ([{"id": 0, "name": " "}], "has no name"),
        ([{"id": 0}], "has no name"),
        ([{"id": "x", "name": "vest"}], "the id 'x'"),
    ],
)
def test_categories_that_cannot_be(categories: list[dict[str, object]], why: str, state: Path):
    with pytest.raises(BadRequest, match=why):
        added(coco(state / "s", categories, 0))


def test_names_that_cannot_be(state: Path):
    with pytest.raises(BadRequest, match=r"Class 1 in set.yaml has no name"):
        added(yolo(state / "s", "names:\n 0: vest\n 1:\n", [0]))
    with pytest.raises(BadRequest, match="says what the classes are called"):
        added(yolo(state / "s", "names: []\n", [0]))
    with pytest.raises(BadRequest, match=r"has the class 7.*"):
        added(yolo(state / "s", "names: [vest]\n", [7]))
    assert box_names.names_in("nc: 3") == {}


def test_clouds_of_the_bundled_classes_keep_all_of_them(state: Path):
    spec, _, labels, _ = added(clouds(state / "s", "table/a.xyz", "chair/b.xyz", "c.xyz"))
    assert spec.classes == POINTS
    assert labels == ["", "chair", "table"]


def test_clouds_in_folders_of_other_names_have_these_as_classes(state: Path):
    # As ModelNet lies, where the parts of the split are within the classes.
    path = clouds(state / "s", "robot/test/a.xyz", "robot/train/b.xyz", "chair/train/c.xyz")
    spec, _, labels, summary = added(path)
    assert spec.classes == ("chair", "robot")
    assert labels == ["chair", "robot", "robot"]
    assert summary["notes"] == []
    clouds(path, "antenna/train/d.xyz")
    assert adding.index_again("mine")["read"] == 1
    assert now()[0].classes == ("antenna", "chair", "robot")


def test_clouds_have_the_classes_that_the_owner_names(state: Path):
    path = clouds(state / "s", "robot/a.xyz", "chair/b.xyz", "ghost/c.xyz")
    spec, _, labels, summary = added(path, classes="robot,tree,chair")
    assert spec.classes == ("robot", "tree", "chair")
    assert labels == ["chair", "", "robot"]
    assert summary["notes"] == [
        "'ghost' is none of the 3 classes named: such clouds have no label."
    ]
    assert summary["unlabelled"] == 1


def test_clouds_of_two_bundled_classes_are_of_these_two_where_the_owner_says_so(state: Path):
    path = clouds(state / "s", "table/a.xyz", "chair/b.xyz")
    assert added(path, classes="table,chair")[0].classes == ("table", "chair")
    assert adding.index_again("mine")["read"] == 0
    assert now()[0].classes == ("table", "chair")
    assert added(path)[0].classes == POINTS


def test_clouds_in_one_folder_of_any_name_have_no_label(state: Path):
    spec, _, labels, summary = added(clouds(state / "s", "scans/a.xyz", "scans/b.xyz"))
    assert spec.classes == POINTS
    assert labels == ["", ""]
    assert "Say which classes there are" in summary["notes"][0]


@pytest.mark.parametrize(
    ("arrays", "said", "classes", "labels"),
    [
        ({"labels": [1, 0, -1]}, "", POINTS, ["chair", "bed", ""]),
        ({"labels": [1, 0, -1]}, "b,a", ("b", "a"), ["a", "b", ""]),
        ({"labels": [1, 0, -1], "classes": ["y", "x"]}, "", ("y", "x"), ["x", "y", ""]),
        ({"labels": [1, 0, -1], "classes": ["y", "x"]}, "b,a", ("b", "a"), ["a", "b", ""]),
        ({"labels": ["x", "y", "-1"]}, "", ("x", "y"), ["x", "y", ""]),
        ({"labels": ["x", "bed", ""]}, "x,y", ("x", "y"), ["x", "", ""]),
        ({"labels": ["sofa", "bed", ""]}, "", POINTS, ["sofa", "bed", ""]),
        ({"labels": [11, 9, -3]}, "", ("9", "11"), ["11", "9", ""]),
        ({"labels": [1, 5, 0], "classes": ["y", "x"]}, "", ("y", "x"), ["x", "", "y"]),
    ],
)
def test_whole_numbers_and_texts_as_labels(arrays, said, classes, labels, state: Path):
    spec, _, found, _ = added(packed(state, **arrays), classes=said)
    assert spec.classes == classes
    assert found == labels


@pytest.mark.parametrize(
    ("classes", "why"),
    [
        ([1, 2], r"classes in c.npz are int64 of the shape \(2,\)"),
        (["a", "a"], "all of them different"),
        (np.array(["a", None], object), "cannot be read"),
    ],
)
def test_an_array_of_classes_that_cannot_be(classes, why: str, state: Path):
    with pytest.raises(BadRequest, match=why):
        added(packed(state, labels=[0, 1], classes=classes))


def test_a_set_of_an_earlier_version_opens_and_is_read_again(state: Path):
    path = packed(state, labels=["robot", "chair"])
    spec, _, _, _ = added(path)
    for name in (own_classes.CLASSES, own_classes.SAID):
        (index.folder("mine") / f"{sets.PART}{name}.npy").unlink()
    sets.keep_also("mine", {"labels": np.array([-1, POINTS.index("chair")])})
    held = store.required().set("mine")
    old = spec.changed({"classes": ["chair"]})
    store.required().put_set(old, "0" * 64, {**held.summary, "per_class": [1], index.WHOLE: "0"})
    found = datasets.load("mine--points")
    assert found.classes == views.asked_by("points", "mine--points").classes == POINTS
    assert found.labels.tolist() == [-1, POINTS.index("chair")]
    adding.index_again("mine")
    assert now()[0].classes == ("chair", "robot")


def test_an_own_set_opens_with_the_models_that_answer_about_it(state: Path, monkeypatch):
    added(clouds(state / "s", "robot/a.xyz", "ghost/b.xyz"))
    monkeypatch.setattr(catalog, "models_for", lambda task: {})
    assert "mine--points" not in tasks.names()  # nothing answers about it yet
    with pytest.raises(NotFound, match="No model tells the classes of mine--points apart"):
        cli_nero.model_key("mine--points", "")
    fitting = {"m": None, "piv-net": None, "points-plain": None}
    monkeypatch.setattr(catalog, "models_for", lambda task: fitting)
    # Bundled ones that a view does not open with by itself come last.
    assert tasks.find("mine--points").compare == ("m", "points-plain")


def says(row: Sequence[float], *shape: int):
    """A model that answers the same about everything."""
    return lambda batch: np.tile(np.float32(row), (len(batch), *shape))


def test_orbits_of_clouds_of_own_classes(state: Path):
    added(clouds(state / "c", "robot/a.xyz", "ghost/b.xyz"))
    orbit = orbits.axis_angle_disc(4, 5)
    result = evaluate(says([0.2, 0.8], 1), "mine--points", orbit)
    assert result.classes == ("ghost", "robot")
    assert result.metrics["accuracy"].mean(axis=1).tolist() == [0, 1]
    with pytest.raises(BadRequest, match="classes are not those of the items"):
        evaluate("points-plain", "mine--points", orbit)


def test_orbits_of_boxes_of_own_classes(state: Path):
    added(yolo(state / "b", "names: [vest, dog]", [1]))
    orbit = orbits.translations(8, 8)
    result = evaluate(says([44, 44, 84, 84, 0.9, 1], 1, 1), "mine--scenes", orbit)
    assert result.classes == ("vest", "dog")
    middle = orbit.identity_index
    assert result.metrics["precision"][0, middle] == 1
    assert result.metrics["iou"][0, middle] > 0.9


def test_a_class_that_the_items_do_not_have_becomes_none():
    rows = np.float32([[[0, 0, 9, 9, 0.5, COCO.index("dog")], [0, 0, 9, 9, 0.5, 0]]])
    assert renumbering(COCO, ("vest", "dog"))(rows)[0, :, 5].tolist() == [1, -1]


def test_classes_that_are_only_numbered_are_those_of_the_items():
    rows = np.float32([[[0, 0, 9, 9, 0.5, 1], [0, 0, 9, 9, 0.5, 0]]])
    assert renumbering(("0", "1"), ("vest", "dog"))(rows)[0, :, 5].tolist() == [1, 0]
    assert renumbering(("0", "1"), COCO)(rows)[0, :, 5].tolist() == [-1, -1]


def test_a_name_may_begin_as_the_keys_of_opened_files_do(state: Path):
    adding.add_set(str(packed(state, labels=["robot", "chair"])), "own-clouds", {})
    assert len(datasets.load("own-clouds--points")) == 2
    assert gap_spec.colour_of("own-clouds--pairs-clip")
    assert gap_spec.colour_of("own-clouds--own")
