"""``python -m backend metric model|values|sweep|words``: what the cards say, from a shell."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from backend import cli_metric_cars
from backend.__main__ import main
from backend.metric_learning import cars, opening, own_work, shipped
from models import metric_losses
from tests.few_cars import SHOWN, added, few_cars

LOSSES = len(metric_losses.BY_KEY)


@pytest.fixture(autouse=True)
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An empty registry, and a test set of a few images."""
    with few_cars(tmp_path, monkeypatch):
        yield


def told(capsys: pytest.CaptureFixture[str], *asked: str) -> Any:
    """What a command writes as JSON."""
    assert main(["metric", *asked, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_a_registered_model_is_measured_once_and_then_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    added("onnx", tmp_path)
    rows = told(capsys, "model", "mine", "--distance", "cosine")
    assert [row["properties"] for row in rows] == list(cars.NAMES)
    assert all(row["nr_precision"] is None or row["chance"] > 0 for row in rows)
    monkeypatch.setattr(own_work, "model", lambda *_: pytest.fail("measured again"))
    npz = tmp_path / "m.npz"
    asked = ["metric", "model", "own:mine", "--distance", "cosine", "--npz", str(npz)]
    assert main(asked) == 0  # the page's links say own:mine
    with np.load(npz, allow_pickle=False) as held:
        assert held["embedding"].shape == (SHOWN, 2)


def test_values_of_a_registered_model_are_the_values_of_its_properties(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    added("onnx", tmp_path)
    rows = pd.DataFrame(told(capsys, "values", "mine"))
    assert set(rows["model"]) == {"own:mine"}
    counted = rows[rows["property"] == "car_model"].set_index("value")["images"]
    shown = shipped.table()["car_model"].iloc[:SHOWN].value_counts()
    assert counted.to_dict() == shown.to_dict()


def test_bundled_networks_are_split_by_value_too(capsys: pytest.CaptureFixture[str]):
    assert main(["metric", "values"]) == 0  # as shipped: without a format, a table to read
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == [
        "model", "property", "value", "images", "chance", "nr_precision", "r_precision",
    ]  # fmt: skip
    assert {line.split()[0] for line in lines[1:]} == set(metric_losses.BY_KEY)


def test_a_sweep_has_a_row_for_every_loss_and_value(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    image, name = str(opening.QUERY), opening.PROPERTY  # shipped: nothing is drawn
    rows = told(capsys, "sweep", "--image", image, "--property", name)
    assert len(rows) == LOSSES * len(shipped.meshes())
    own = [row for row in rows if row["value"] == shipped.model(opening.QUERY)]
    assert [row["distance"] for row in own] == pytest.approx([0.0] * LOSSES, abs=1e-5)
    csv = tmp_path / "s.csv"
    assert main(["metric", "sweep", "--image", image, "--property", name, "--csv", str(csv)]) == 0
    assert pd.read_csv(csv)["loss"].nunique() == LOSSES


def test_words_say_what_grew(capsys: pytest.CaptureFixture[str]):
    rows = pd.DataFrame(told(capsys, "words", "--notion", opening.NOTION))  # shipped as well
    assert set(rows["measure"]) == {"NR-Prec", "MAP@R"}
    (colour,) = rows[rows["of"] == "car colour"].to_dict(orient="records")
    assert colour["words"] > colour["plain"]


def test_prompts_of_ones_own_are_learned(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    given: list[dict[str, Any]] = []

    def run(name: str, settings: dict[str, Any]) -> Any:
        given.append({"name": name, **settings})
        names = {"properties": ["car_hue"], "notions": ["daylight"]}
        return names | {f"{m}_{w}": [1.0] for m in ("nr", "map") for w in ("plain", "words")}

    monkeypatch.setattr(cli_metric_cars, "_run", run)
    rows = told(capsys, "words", "--prompts", "a red car", "a blue car", "--dimensions", "2")
    assert [row["of"] for row in rows] == ["car_hue", "daylight"]
    assert given == [{"name": "words", "prompts": ["a red car", "a blue car"], "dimensions": 2}]


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (["model", "nobody"], "no model of yours called 'own:nobody'"),
        (["model", "mine", "--distance", "taxicab"], "no distance 'taxicab'"),
        (["model", "mine", "--answers"], "no model of yours called 'own:mine:answers'"),
        (["values", "nobody"], "no model of yours called 'own:nobody'"),
        (["values", "--distance", "cosine"], "Name a registered model"),
        (["values", "--answers"], "Name a registered model"),
        (["sweep", "--image", "999999"], "row='999999' is no image"),
        (["words"], "one of car colour, background colour"),
        (["words", "--notion", "car colour", "--prompts", "a", "b"], "Say which notion"),
        (["words", "--notion", "smell"], "no notion 'smell'"),
        (["words", "--prompts", "a"], "two different prompts"),
        (["words", "--prompts", "a", "b", "--dimensions", "1"], "Give 2 to 384"),
        (["values", "--csv", "NOWHERE/v.csv"], "does not exist"),
    ],
)
def test_mistakes_are_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], asked: list[str], words: str
):
    if asked[1:2] == ["mine"]:
        added("onnx", tmp_path)
    there = str(tmp_path / "nowhere")
    assert main(["metric", *(word.replace("NOWHERE", there) for word in asked)]) == 2
    said = capsys.readouterr()
    assert words in said.err
    assert said.err.count("\n") == 1
    assert not said.out


def test_an_unknown_property_is_refused_by_name(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit, match="2"):
        main(["metric", "sweep", "--property", "wheels"])
    assert "car_rotation" in capsys.readouterr().err
