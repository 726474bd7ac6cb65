"""Answers of registered networks in less usual forms, and answers that are none: each is read
rightly or refused with a sentence.
"""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from backend import catalog
from backend.errors import BackendError, BadRequest
from backend.registry import adding, spec, store, trials
from backend.registry.detections import OwnDetector
from backend.registry.networks import TorchNetwork
from backend.registry.outputs import arrays_in
from backend.serving import served
from models.cards import WEIGHTS
from tests import own_answers as own
from tests.own_registry import own_registry

INPUTS = {"detection": (3, 128, 128), "piv": (2, 128, 128), "points": (1, 1024, 3)}
Named = namedtuple("Named", "pred_boxes logits")
Ask = Callable[..., Any]


@dataclass
class Fields:
    """As networks that answer with a class of their own."""

    logits: Any
    pred_boxes: Any


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with own_registry(tmp_path, monkeypatch) as folder:
        yield folder


def tried(monkeypatch: pytest.MonkeyPatch, ask: Ask, task: str, classes: Any, **more: Any) -> Any:
    """The report of a network that is only a function."""
    told = {"name": "mine", "kind": "torch.export", "path": "x", "task": task, "classes": classes}
    made = spec.from_json({**told, "input": list(INPUTS[task]), **more})
    monkeypatch.setattr(trials, "network", lambda *_: TorchNetwork(ask, "cpu"))
    return trials.validated(made)


def grid(count: int, classes: int, anchors: int) -> torch.Tensor:
    """As YOLO from version 8 answers: one place, of class 1 if there is one."""
    made = torch.zeros(count, 4 + classes, anchors)
    made[:, :4, 0] = torch.tensor([60.0, 50, 20, 30])
    made[:, 4 + min(1, classes - 1), 0] = 0.8
    return made


def shares(count: int) -> torch.Tensor:
    """As RT-DETR of Ultralytics answers."""
    return torch.cat([grid(count, 1, 300)[:, :4] / 128, grid(count, 1, 300)[:, 4:]], 1).mT[:, :200]


def final(count: int) -> torch.Tensor:
    """As YOLO answers that keeps the surest by itself."""
    made = torch.zeros(count, 300, 6)
    made[:, 0] = torch.tensor([50.0, 35, 70, 65, 0.8, 1])
    return made


def queries(count: int, columns: int, place: float = 0.5) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits of which the second class is sure, and boxes."""
    logits = torch.full((count, 4, columns), -9.0)
    logits[..., 1] = 9
    return logits, torch.full((count, 4, 4), place)


def single(table: torch.Tensor, **shapes: Any) -> dict[str, torch.Tensor]:
    """As torchvision's exports for one picture answer."""
    parts = {"boxes": table[0, :1, :4], "labels": table[0, :1, 5].long(), "scores": table[0, :1, 4]}
    return parts | {name: torch.zeros(shape) for name, shape in shapes.items()}


NAMES = {count: [f"c{place}" for place in range(count)] for count in (1, 2, 3, 600)}
FOUND: dict[str, tuple[int, Ask]] = {
    "one class": (1, lambda x: grid(len(x), 1, 8400)),
    "more classes than anchors": (600, lambda x: grid(len(x), 600, 336)),
    "a map before the grid": (2, lambda x: {"map": x[:, :1], "output0": grid(len(x), 2, 336)}),
    "a map behind the grid": (2, lambda x: (grid(len(x), 2, 336), x)),
    "a grid in fractions": (1, lambda x: shares(len(x))),
    "the surest by itself": (2, lambda x: final(len(x))),
    "a list of tables": (2, lambda x: [rows[:n] for n, rows in enumerate(final(len(x)), 1)]),
    "boxes first": (2, lambda x: queries(len(x), 3)[::-1]),
    "boxes first, as wide": (3, lambda x: queries(len(x), 4)[::-1]),
    "fields": (2, lambda x: Fields(*queries(len(x), 3))),
    "a named tuple": (2, lambda x: Named(*queries(len(x), 3)[::-1])),
    "a column of scores": (
        2,
        lambda x: {
            "boxes": final(len(x))[..., :4],
            "scores": final(len(x))[..., 4:5],
            "labels": final(len(x))[..., 5:],
        },
    ),
}


@pytest.mark.parametrize("form", FOUND)
def test_forms_of_boxes(form: str, monkeypatch: pytest.MonkeyPatch):
    classes, ask = FOUND[form]
    report = tried(monkeypatch, ask, "detection", NAMES[classes])
    model = OwnDetector(report.spec, report.spec.card(""), TorchNetwork(ask, "cpu"))
    box = [32, 32, 96, 96] if report.spec.output == "queries" else [50, 35, 70, 65]
    np.testing.assert_allclose(model.predict(own.crops())[:, 0, :4], [box] * 2, atol=1e-3)
    kind = NAMES[classes][min(1, classes - 1)]
    assert all(answer.startswith((f"{kind} (80%)", f"{kind} (100%)")) for answer in report.answers)


@pytest.mark.parametrize("ask", [lambda x: final(1)[0, :1], lambda x: single(final(1))])
def test_exports_for_one_picture(ask: Ask, monkeypatch: pytest.MonkeyPatch):
    report = tried(monkeypatch, ask, "detection", NAMES[2], batch=1)
    assert report.answers == ("c1 (80%)",) * 3
    with pytest.raises(BadRequest, match=r"answered 3 crop\(s\) with 1 set"):
        tried(monkeypatch, ask, "detection", NAMES[2])


REFUSED: dict[str, tuple[Ask, dict[str, Any], str]] = {
    "parts": (lambda x: single(final(1), labels=(4,)), {"batch": 1}, "does not fit together"),
    "no boxes": (
        lambda x: dict.fromkeys(("scores", "labels"), x[:, 0, 0]),
        {"output": "boxes"},
        "does not fit together",
    ),
    "fewer": (lambda x: Fields(queries(3, 3)[0], queries(3, 3)[1][:, 1:]), {}, "has no logits"),
    "flat": (lambda x: Fields(*(part[0] for part in queries(3, 3))), {}, "has no logits"),
    "px": (lambda x: queries(len(x), 3, 60.0), {}, "gives places of boxes up to 60"),
    "no anchor": (lambda x: torch.zeros(3, 6, 0), {}, "1 crop.s. with 3"),
    "none": (lambda x: None, {}, "no array of numbers"),
    "text": (lambda x: {"boxes": "12"}, {}, "no array of numbers"),
    "complex": (lambda x: x * 1j, {}, "no array of numbers"),
    "large": (lambda x: [10**400], {}, "no array of numbers"),
    "empty": (lambda x: [], {}, "cannot be read as boxes"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_read_is_a_sentence(case: str, monkeypatch: pytest.MonkeyPatch):
    ask, more, sentence = REFUSED[case]
    with pytest.raises(BadRequest, match=sentence):
        tried(monkeypatch, ask, "detection", NAMES[2], **more)
    for task, classes in (("detection", []), ("piv", []), ("points", NAMES[2])):
        with pytest.raises(BackendError):
            tried(monkeypatch, lambda *x: ask(x[0]), task, classes)


def test_what_logits_may_be_instead_is_told(monkeypatch: pytest.MonkeyPatch):
    notes = tried(monkeypatch, lambda x: queries(len(x), 3), "detection", []).notes
    assert "say --classes 2" in notes[0]
    assert not tried(monkeypatch, lambda x: queries(len(x), 2), "detection", NAMES[2]).notes

    def sure(pictures: torch.Tensor) -> Any:
        logits, places = queries(len(pictures), 2)
        return Fields(logits.sigmoid(), places)

    assert "before the sigmoid" in tried(monkeypatch, sure, "detection", NAMES[2]).notes[0]


def six(clouds: torch.Tensor) -> torch.Tensor:
    """Scores of six classes."""
    return clouds.abs().mean((1, 2))[:, None] * torch.arange(6.0)


@pytest.mark.parametrize(
    "ask",
    [
        lambda x: (six(x),),
        lambda x: (six(x), six(x)),
        lambda x: list(six(x)),
        lambda x: {"empty": torch.zeros(0, 6), "logits": six(x)},
    ],
)
def test_scores_of_six_classes_are_no_boxes(ask: Ask, monkeypatch: pytest.MonkeyPatch):
    report = tried(monkeypatch, ask, "points", [])
    assert len(report.spec.classes) == 6
    assert report.probabilities.argmax(axis=1).tolist() == [5, 5, 5]


def test_few_points_are_enough(state: Path):
    path = own.exported(state / "m.pt2", own.Tall(), torch.rand(2, 64, 3))
    given = {"task": "points", "classes": "flat,tall"}
    report = adding.add_model(str(path), "mine", given)
    assert report.spec.size == "64x3"
    assert not report.notes[1:]  # but for the input: the order of the points does not matter
    found = catalog.load_model("mine", "cpu").predict(own.clouds())
    assert found.argmax(axis=1).tolist() == [0, 1]


def test_a_batch_that_would_fill_the_memory_is_refused():
    told = {"name": "mine", "kind": "onnx", "path": "x", "task": "detection"}
    with pytest.raises(BadRequest, match="fixes 5000 items of 3x640x640 a call"):
        spec.from_json({**told, "input": [3, 640, 640], "batch": 5000})


def test_a_row_for_each_item_is_one_array():
    found = arrays_in([np.ones(3), np.zeros(3)])
    assert found["output"].tolist() == [[1, 1, 1], [0, 0, 0]]
    assert arrays_in((np.ones((2, 6)), np.ones((2, 6)))).keys() == {"0", "1"}


def test_frames_in_which_nothing_can_be_seen_are_no_fault(monkeypatch: pytest.MonkeyPatch):
    pairs = np.concatenate([own.frames(), own.frames() * 0, own.frames()])
    told = {"name": "mine", "kind": "torch.export", "path": "x", "task": "piv"}
    made = spec.from_json({**told, "input": [2, 128, 128]})
    monkeypatch.setattr(trials, "network", lambda *_: TorchNetwork(own.Drift(), "cpu"))
    report = trials.validated(made, pairs)
    assert report.answers[1] == "nothing to be seen in a frame"
    assert report.answers[0] == report.answers[2] == "u +3.0, v -2.0 px"


def test_bundled_weights_of_another_task_are_refused(state: Path):
    card = catalog.models()["points-plain"]
    path = str(WEIGHTS / card.weights_file)
    given = {"factory": card.architecture, "task": "classification", "input": "3x128x128"}
    with pytest.raises(BadRequest, match="cannot take images"):
        adding.add_model(path, "mine", {**given, "classes": "10"})
    given = {"factory": card.architecture, "task": "points"}
    with pytest.raises(BadRequest, match="must be told the number of classes"):
        adding.add_model(path, "mine", given)


def test_odd_words_beside_a_network(state: Path):
    crops = torch.zeros(2, 3, 128, 128)
    said = {"task": "detect", "names": "{0: 'lamp', 1: 'lamp'}", "imgsz": "[128, 128]"}
    path = own.onnx_file(state / "twice.onnx", own.Anchors(), crops, said=said)
    assert adding.add_model(str(path), "twice", {}).spec.classes == ("lamp", "lamp 1")
    said["names"] = "{[]: 'lamp'}"
    path = own.onnx_file(state / "odd.onnx", own.Anchors(), crops, said=said)
    assert adding.add_model(str(path), "odd", {}).spec.classes == ("0", "1")


SCENES = np.zeros((2, 256, 256, 3), np.uint8)


@pytest.mark.parametrize(
    ("boxes", "given", "sentence"),
    [
        ([[[None] * 5]] * 2, {}, "no numbers"),
        ([["a"] * 5] * 2, {}, "the type <U1"),
        ([[1, 2], [3]], {}, "unlike lengths"),
        ([[100, 100, 140, 140, 0]] * 2, {"task": "dreams"}, "task='dreams' is not known"),
    ],
)
def test_odd_data_of_a_script_are_refused(boxes: Any, given: Any, sentence: str, state: Path):
    told = {"name": "mine", "task": "detection", "classes": own.LIGHTS, **given}
    with pytest.raises(BadRequest, match=sentence), served(own.Boxes(), (SCENES, boxes), **told):
        pass
    assert not store.sets()


def test_odd_names_and_texts_of_a_script(state: Path):
    labels = np.array(own.LIGHTS, object)  # as a column of pandas
    pictures = SCENES[:, :32, :32]

    def ask(batch: Any) -> Any:
        return [np.array([0.25, 0.75]) for _ in batch]

    with served(ask, (pictures, labels), name="mine", classes=own.LIGHTS):
        assert store.required().set("mine").spec.classes == own.LIGHTS
        found = catalog.load_model("mine", "cpu").predict(np.zeros((2, 3, 32, 32), np.float32))
        assert found.tolist() == [[0.25, 0.75]] * 2
    with (
        pytest.raises(BadRequest, match="mine failed: TypeError"),
        served(lambda x: {chr(0xD800): x}, (pictures, labels), name="mine", classes=own.LIGHTS),
    ):
        pass


def test_bytes_are_rounded():
    from backend.registry.onnx_model import _as_type

    values = np.array([-1, 0.4, 0.6, 254.9, 256], np.float32)
    assert _as_type(values, np.uint8).tolist() == [0, 0, 1, 255, 255]
    assert _as_type(values, np.float16).dtype == np.float16


def test_what_ultralytics_answers_and_no_view_takes_is_said(state: Path):
    path = own.onnx_file(
        state / "seg.onnx", own.Anchors(), torch.zeros(2, 3, 128, 128), said={"task": "segment"}
    )
    with pytest.raises(BadRequest, match="says that it answers segment, for which there is no"):
        adding.add_model(str(path), "mine", {})


def test_numbers_that_are_not_finite_are_refused(state: Path):
    path = own.onnx_file(state / "m.onnx", own.Anchors(), torch.zeros(2, 3, 128, 128))
    with pytest.raises(BadRequest, match="mean or std is not finite"):
        adding.add_model(str(path), "mine", {"task": "detection", "std": "inf"})
