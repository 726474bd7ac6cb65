"""Detectors, estimators of motion and classifiers of clouds that are refused, edited, or tried on
data of one's own.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from backend.errors import BadRequest
from backend.nero import boxes
from backend.registry import adding, answers
from tests import own_answers as own
from tests.own_registry import own_registry

CROP, PAIR, CLOUD = torch.zeros(2, 3, 128, 128), torch.zeros(2, 2, 128, 128), torch.rand(2, 1024, 3)
SHAPES = ",".join(own.SHAPES)


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with own_registry(tmp_path, monkeypatch) as folder:
        yield folder


def add(path: Path, **given: Any):
    return adding.add_model(str(path), "mine", {key: str(value) for key, value in given.items()})


def test_crops_are_those_of_the_view():
    assert answers.CROP_PX == boxes.CROP_PX


@pytest.mark.parametrize(
    ("make", "given", "sentence"),
    [
        (own.Boxes, {"task": "detection"}, "do not say how many classes there are"),
        (own.Anchors, {"task": "detection", "classes": "5"}, "cannot be read as boxes of 5"),
        (own.Queries, {"task": "detection", "classes": "7"}, "about 3 classes, and 7 are named"),
        (own.Boxes, {"task": "piv"}, r"takes 1 array\(s\) of 3 channels"),
        (own.Boxes, {"task": "points"}, "A classifier of clouds takes one"),
        (own.Boxes, {"task": "dreams"}, "task='dreams' is not known"),
        (own.Boxes, {"task": "detection", "output": "logits"}, "output='logits' is not known"),
        (own.Boxes, {"task": "detection", "input": "3x64x64"}, "the file itself takes 3x128x128"),
        (own.Boxes, {"task": "pairs"}, "cannot answer about images and texts"),
        (own.Fractions, {"task": "detection", "classes": "2"}, "not in fractions"),
        (own.Unsure, {"task": "detection", "classes": "2"}, "confidence of 7"),
        (own.Beyond, {"task": "detection", "classes": "2"}, "gave a box the class 5"),
        (own.Undefined, {"task": "detection", "classes": "2"}, "NaN or infinity"),
    ],
)
def test_mistakes_are_sentences(make: Any, given: dict[str, str], sentence: str, state: Path):
    path = own.exported(state / "m.pt2", make(), CROP)
    with pytest.raises(BadRequest) as refused:
        add(path, **given)
    assert re.search(sentence, str(refused.value)), str(refused.value)


@pytest.mark.parametrize(
    ("shape", "given", "sentence"),
    [
        ((2, 2, 96, 128), {"task": "piv"}, "input=2x96x128 is not usable"),
        ((2, 5, 128, 128), {"task": "piv"}, "of 5 channels"),
        ((2, 32, 3), {"task": "points", "classes": "2"}, "input=32x3 is not usable"),
        ((2, 1024, 6), {"task": "points", "classes": "2"}, "A classifier of clouds takes one"),
    ],
)
def test_inputs_that_no_view_has(shape: Any, given: Any, sentence: str, state: Path):
    path = own.exported(state / "m.pt2", own.Same(), torch.zeros(*shape))
    with pytest.raises(BadRequest) as refused:
        add(path, **given)
    assert sentence in str(refused.value)


def test_edited_and_tried_on_ones_own(state: Path):
    folder = state / "clouds"
    for place, name in enumerate(own.SHAPES):
        (folder / name).mkdir(parents=True)
        np.save(folder / name / "one.npy", own.clouds()[place])
    adding.add_set(str(folder), "shapes", {})
    path = own.exported(state / "m.pt2", own.Tall(), CLOUD)
    report = adding.add_model(str(path), "mine", {"task": "points"}, "shapes")
    assert report.spec.classes == ("0", "1")
    assert report.probabilities.argmax(axis=1).tolist() == [0, 0, 1]
    assert adding.edit_model("mine", {"classes": SHAPES}).spec.classes == own.SHAPES
    other = own.exported(state / "o.pt2", own.Drift(), PAIR)
    with pytest.raises(BadRequest, match="shapes holds clouds, and other is of the task piv"):
        adding.add_model(str(other), "other", {"task": "piv"}, "shapes")
