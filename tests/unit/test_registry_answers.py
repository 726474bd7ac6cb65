"""Detectors, estimators of motion and classifiers of clouds of one's own: every kind and form of
them answers alike through the same contract, and stands beside the bundled ones.
"""

from __future__ import annotations

import re
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from backend import catalog
from backend.errors import BadRequest
from backend.nero import evaluation, tasks
from backend.nero.orbits import translations
from backend.protocols import ModelBackend
from backend.registry import adding, store, views
from models.cards import WEIGHTS
from tests import own_answers as own
from tests.own_registry import own_registry

CROP = torch.zeros(2, 3, 128, 128)
PAIR = torch.zeros(2, 2, 128, 128)
CLOUD = torch.rand(2, 1024, 3)
LIGHTS, SHAPES = ",".join(own.LIGHTS), ",".join(own.SHAPES)
HERE = "tests.own_answers"


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with own_registry(tmp_path, monkeypatch) as folder:
        yield folder


def add(path: Path, **given: Any):
    return adding.add_model(str(path), "mine", {key: str(value) for key, value in given.items()})


def detector(kind: str, folder: Path) -> Any:
    """Registers the same detector as one kind, in one form of answers; the served one is open."""
    told = {"task": "detection", "classes": LIGHTS}
    if kind == "torch.export":
        add(own.exported(folder / "m.pt2", own.Boxes(), CROP), **told)
    elif kind == "fixed":
        add(own.exported(folder / "m.pt2", own.Anchors(), CROP, fixed=True), **told)
    elif kind == "torchscript":
        add(own.scripted(folder / "m.pt", own.WithObjectness(), CROP), **told)
    elif kind == "safetensors":
        path = own.weights(folder / "m.safetensors", own.detector(2))
        add(path, **told, factory=f"{HERE}:detector")
    elif kind == "onnx":
        add(own.onnx_file(folder / "m.onnx", own.Queries(), CROP), **told)
    elif kind == "enlarged":
        large = torch.zeros(2, 3, 256, 192)
        add(own.exported(folder / "m.pt2", own.Anchors(), large), **told)
    else:
        from backend.serving import served

        scenes = np.zeros((2, 256, 256, 3), np.uint8)
        boxes = np.array([[100, 100, 140, 140, 0]] * 2, np.float32)
        given = {"classes": own.LIGHTS, "name": "mine", "task": "detection"}
        return served(own.Dicts(), (scenes, boxes), **given)
    return nullcontext()


DETECTORS = ["torch.export", "fixed", "torchscript", "safetensors", "onnx", "enlarged", "served"]


@pytest.mark.parametrize("kind", DETECTORS)
def test_contract_of_detectors(kind: str, state: Path):
    with detector(kind, state):
        model: Any = catalog.load_model("mine", "cpu")
        assert isinstance(model, ModelBackend)
        assert (model.card.key, model.card.classes) == ("mine", own.LIGHTS)
        crops = own.crops()
        found = model.predict(crops)
        assert found.shape == (2, 10, 6)
        assert found.dtype == np.float32
        # Enlarged crops have soft edges: their block is a little wider.
        slack = 1.0 if kind == "enlarged" else 0.1
        np.testing.assert_allclose(found[0, 0, :4], own.BOX, atol=slack)
        assert found[0, 0, 4] == pytest.approx(0.9, abs=0.01)
        assert found[0, 0, 5] == 0
        assert np.isnan(found[0, 1:]).all()  # the second anchor is the same object
        assert np.isnan(found[1]).all()
        alone = np.concatenate([model.predict(crops[i : i + 1]) for i in range(2)])
        np.testing.assert_allclose(alone, found, atol=1e-3)
        assert model.predict(crops[:0]).shape == (0, 10, 6)
        with pytest.raises(BadRequest, match="do not fit"):
            model.predict(crops[:, :, :64])
        scene = np.zeros((3, 200, 200), np.uint8)
        scene[:, 60:100, 70:102] = 255
        inside = model.predict_windows(scene, np.array([[30, 30], [72, 72]]))
        np.testing.assert_allclose(inside[0], found[0], atol=slack)


@pytest.mark.parametrize("form", own.FORMS)
def test_every_form_of_boxes_is_read(form: str, state: Path):
    from backend.registry import detections, spec
    from backend.registry.networks import TorchNetwork

    told = spec.from_json(
        {
            "name": "mine",
            "kind": "torch.export",
            "path": "x",
            "task": "detection",
            "input": [3, 128, 128],
            "classes": list(own.LIGHTS),
        }
    )
    network = TorchNetwork(own.FORMS[form](), "cpu")
    model = detections.OwnDetector(told, told.card(""), network)
    found = model.predict(own.crops())
    np.testing.assert_allclose(found[0, 0, :4], own.BOX, atol=0.1)
    assert np.isfinite(found[..., 4]).sum() == 1
    broken = own.crops()
    broken[1] = 0.5  # of no brightness beyond a half: 0 / 0 nowhere, and no box
    assert np.isnan(model.predict(broken)[1]).all()


def test_suppression_keeps_what_is_apart_or_of_another_class(state: Path):
    from backend.registry import box_forms, spec

    told = spec.from_json(
        {
            "name": "mine",
            "kind": "onnx",
            "path": "x",
            "task": "detection",
            "output": "anchors",
            "input": [3, 128, 128],
            "classes": list(own.LIGHTS),
        }
    )
    rows = np.array(
        [
            [30, 30, 20, 20, 0.9, 0.0],
            [32, 30, 20, 20, 0.8, 0.0],  # the same object
            [32, 30, 20, 20, 0.0, 0.7],  # of another class
            [80, 80, 20, 20, 0.6, 0.0],  # elsewhere
            [90, 80, 20, 20, 0.5, 0.0],  # a third of it is the one before
            [10, 90, 20, 20, 0.05, 0.0],  # not sure enough
        ],
        np.float32,
    )
    found = box_forms.read(told, {"output": rows[None]}, 1)[0]
    assert found[:, 4][np.isfinite(found[:, 4])].tolist() == pytest.approx([0.9, 0.7, 0.6, 0.5])
    rows[3, 0] = np.nan
    broken = box_forms.read(told, {"output": rows[None]}, 1)[0]
    assert broken[0, 4] == -np.inf
    with pytest.raises(BadRequest, match=r"confidence of 3\."):
        box_forms.read(told, {"output": np.full_like(rows[None], 3)}, 1)


def test_a_folder_of_transformers(state: Path):
    report = adding.add_model(str(own.yolos_folder(state / "yolos")), "mine", {"input": "3x64x64"})
    spec = report.spec
    assert (spec.task, spec.output, spec.classes) == ("detection", "queries", own.LIGHTS)
    assert spec.input == (3, 64, 64)
    found = catalog.load_model("mine", "cpu").predict(own.crops())
    assert found.shape == (2, 10, 6)


def test_what_ultralytics_writes_beside_its_network_is_read(state: Path):
    said = {"task": "detect", "names": "{0: 'lamp', 1: 'moon'}", "imgsz": "[128, 128]"}
    path = own.onnx_file(state / "yolo.onnx", own.Anchors(), CROP, said=said)
    report = adding.add_model(str(path), "mine", {})
    assert (report.spec.task, report.spec.classes) == ("detection", own.LIGHTS)
    assert report.spec.output == "anchors"
    said["names"] = "__import__('os').system('true')"  # no literal: nothing is run
    path = own.onnx_file(state / "odd.onnx", own.Anchors(), CROP, said=said)
    assert adding.add_model(str(path), "odd", {}).spec.classes == ("0", "1")


def motion(kind: str, folder: Path) -> Any:
    told = {"task": "piv"}
    if kind == "torch.export":
        add(own.exported(folder / "m.pt2", own.Drift(), PAIR), **told)
    elif kind == "torchscript":
        add(own.scripted(folder / "m.pt", own.Drift(), PAIR), **told)
    elif kind == "safetensors":
        path = own.weights(folder / "m.safetensors", own.drift(0))
        add(path, **told, factory=f"{HERE}:drift")
    elif kind == "onnx":
        add(own.onnx_file(folder / "m.onnx", own.Drift(), PAIR), **told)
    elif kind == "two images":
        image = torch.zeros(2, 3, 128, 128)
        path = own.exported(folder / "m.pt2", own.Refined(), image, image + 1)
        add(path, **told, range="-1..1")
    else:
        from backend.serving import served

        frames = np.zeros((2, 2, 128, 128), np.uint8)
        frames[..., 30:60, 30:60] = 200
        return served(own.Drift(), (frames, None), name="mine", task="piv")
    return nullcontext()


@pytest.mark.parametrize(
    "kind", ["torch.export", "torchscript", "safetensors", "onnx", "two images", "served"]
)
def test_contract_of_estimators_of_motion(kind: str, state: Path):
    with motion(kind, state):
        model: Any = catalog.load_model("mine", "cpu")
        assert isinstance(model, ModelBackend)
        pairs = np.concatenate([own.frames(), own.frames(move=(0, 4))])
        found = model.predict(pairs)
        assert found.shape == (2, 2, 64, 64)
        np.testing.assert_allclose(found[0].mean((1, 2)), [3, -2], atol=1e-3)
        np.testing.assert_allclose(found[1].mean((1, 2)), [0, 4], atol=1e-3)
        dark = model.predict(np.zeros((1, 2, 128, 128), np.float32))
        assert np.isnan(dark).all()  # nothing can be seen in it
        held = store.required().model("mine")
        if held.spec.any_side:
            np.testing.assert_allclose(
                model.predict(own.frames(64, (2, 1))).mean((0, 2, 3)), [2, 1], atol=1e-3
            )
        else:
            assert kind in ("torch.export", "onnx", "two images")  # their sides are fixed
            with pytest.raises(BadRequest, match="takes frames of 128 px, and these have 64"):
                model.predict(own.frames(64))


def test_a_network_of_particles_is_measured_on_known_motion(state: Path):
    path = WEIGHTS / "piv-net.safetensors"
    report = add(path, task="piv", factory="PivNet")
    assert report.spec.any_side
    assert report.notes == ["From the file: input = 2x128x128."]
    assert report.answers[0].endswith("px (moved by +3.0, +0.0)")
    found = re.findall(r"[+-][\d.]+", report.answers[2])
    np.testing.assert_allclose([float(v) for v in found[:2]], [-1.5, -2.5], atol=0.3)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("backwards", "from the second frame to the first"),
        ("swapped", "as v, u instead of u, v"),
        ("upwards", "with v upwards"),
        ("doubled", "times the motion: are they in px"),
    ],
)
def test_answers_that_mean_something_else_are_told(name: str, told: str, state: Path):
    path = WEIGHTS / "piv-net.safetensors"
    report = add(path, task="piv", factory=f"tests.own_answers:{name}")
    assert told in report.notes[-1]


def points(kind: str, folder: Path) -> Any:
    told = {"task": "points", "classes": SHAPES}
    if kind == "torch.export":
        add(own.exported(folder / "m.pt2", own.Tall(), CLOUD), **told)
    elif kind == "torchscript":
        add(own.scripted(folder / "m.pt", own.Tall(), CLOUD), **told, input="1024x3")
    elif kind == "safetensors":
        path = own.weights(folder / "m.safetensors", own.tall(2))
        add(path, **told, factory=f"{HERE}:tall", input="1024x3")
    elif kind == "onnx":
        add(own.onnx_file(folder / "m.onnx", own.Tall(), CLOUD), **told)
    elif kind == "columns":
        path = own.exported(folder / "m.pt2", own.TallColumns(), CLOUD.transpose(1, 2))
        add(path, **told)
    else:
        from backend.serving import served

        labels = np.array([0, 1])
        given = {"classes": own.SHAPES, "name": "mine", "task": "points", "input": "1024x3"}
        return served(own.Tall(), (own.clouds(), labels), **given)
    return nullcontext()


@pytest.mark.parametrize(
    "kind", ["torch.export", "torchscript", "safetensors", "onnx", "columns", "served"]
)
def test_contract_of_classifiers_of_clouds(kind: str, state: Path):
    with points(kind, state):
        model: Any = catalog.load_model("mine", "cpu")
        assert isinstance(model, ModelBackend)
        assert model.card.classes == own.SHAPES
        found = model.predict(own.clouds())
        assert found.shape == (2, 2)
        np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-5)
        assert found.argmax(axis=1).tolist() == [0, 1]
        assert model.predict(own.clouds()[:0]).shape == (0, 2)
        with pytest.raises(BadRequest, match="takes 1024 points, and these clouds have 512"):
            model.predict(own.clouds()[:, :512])
        about_x = np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0]], np.float64)
        turned = model.turned(own.clouds(), np.stack([np.eye(3), about_x]))
        assert turned.shape == (2, 2, 2)
        np.testing.assert_allclose(turned[:, 0], found, atol=1e-5)
        assert turned[1, 1].argmax() == 0  # the tall one, laid down


def test_the_order_of_points_is_told(state: Path):
    report = add(own.exported(state / "m.pt2", own.InOrder(), CLOUD), task="points", classes=SHAPES)
    assert "order of a cloud's points changes its answers" in report.notes[-1]


def test_a_registered_detector_stands_beside_the_bundled_ones(state: Path):
    path = own.exported(state / "m.pt2", own.Boxes(), CROP)
    add(path, task="detection", classes="cup,person")
    assert "mine" in catalog.models_for("detection")
    opened = views.of_model(store.required().model("mine"))
    assert opened[0].href == "/nero?task=detection&models=mine&focus=mine"
    task = tasks.find("detection")
    scenes = np.zeros((1, 256, 256, 3), np.uint8)
    scenes[0, 110:140, 120:150] = 255
    boxes = np.array([[120, 110, 150, 140, 41]], np.float32)  # COCO's cup
    result = evaluation.evaluate("mine", task, translations(64, 32), (scenes, boxes))
    values = result.metrics["iou"]
    assert values.shape[0] == 1
    assert np.nanmin(values) > 0.97
    assert np.nanmin(result.metrics["recall"]) == 1  # its cup is their cup
    adding.remove_model("mine")
    assert "mine" not in catalog.models_for("detection")


def test_a_detector_of_other_classes_is_judged_by_where_its_boxes_lie(state: Path):
    path = own.exported(state / "m.pt2", own.Boxes(), CROP)
    add(path, task="detection", classes="helmet,vest")
    (nero, *_) = views.of_model(store.required().model("mine"))
    assert nero.href == "/nero?task=detection&models=mine&focus=mine"
    scenes = np.zeros((1, 256, 256, 3), np.uint8)
    scenes[0, 110:140, 120:150] = 255
    boxes = np.array([[120, 110, 150, 140, 41]], np.float32)
    found = evaluation.evaluate(
        "mine", tasks.find("detection"), translations(64, 64), (scenes, boxes)
    )
    assert np.nanmin(found.metrics["iou"]) > 0.97
    assert np.nanmax(found.metrics["recall"]) == 0  # its helmet is none of their cups


def test_models_and_sets_that_do_not_fit_are_told_apart(state: Path):
    add(own.exported(state / "m.pt2", own.Tall(), CLOUD), task="points", classes=SHAPES)
    (nero, *others) = views.of_model(store.required().model("mine"))
    assert not nero.href
    assert "the bundled set: it has 2 classes and the data 10" in nero.why
    assert all(not view.href for view in others)
    assert "mine" not in catalog.models_for("points")


def test_bundled_networks_by_their_weights_alone(state: Path):
    from models.class_names import class_names

    names = ",".join(class_names("points"))
    file = WEIGHTS / catalog.models()["points-plain"].weights_file
    report = add(file, task="points", factory="PointTransformer", classes=names, input="2048x3")
    assert report.spec.output == "logits"
    found = catalog.load_model("mine", "cpu").predict(own.clouds())
    bundled = catalog.load_model("points-plain", "cpu").predict(own.clouds())
    np.testing.assert_allclose(found, bundled, atol=1e-3)
    assert "mine" in catalog.models_for("points")
    file = WEIGHTS / catalog.models()["detector-j0"].weights_file
    card = catalog.models()["detector-j0"]
    given = {"factory": "CropDetector", "classes": ",".join(card.classes), "task": "detection"}
    adding.add_model(str(file), "crop", given)
    crops = own.crops()
    np.testing.assert_allclose(
        catalog.load_model("crop", "cpu").predict(crops),
        catalog.load_model("detector-j0", "cpu").predict(crops),
        atol=1e-2,
    )
