"""docs/bring-your-own.md, followed literally in an empty folder."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from backend import catalog, client, serving
from backend.__main__ import main, parser
from backend.crayon import library as crayon_library
from backend.files import private_folder
from backend.registry import items, project, store
from backend.settings import PROJECT
from tests import own_answers, own_sets_made

DOC = (PROJECT / "docs" / "bring-your-own.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", DOC, flags=re.DOTALL)
COMMANDS = [line for kind, text in BLOCKS if kind == "sh" for line in text.splitlines()]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("LOUPE_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("LOUPE_DEVICE", "cpu")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(crayon_library, "_settings", None)  # of another test's installation
    store.use(None)
    yield tmp_path
    store.use(None)
    items._loaded.cache_clear()
    catalog._own.cache_clear()


def run(command: str) -> int:
    return main(shlex.split(command)[3:])


@pytest.mark.filterwarnings("ignore")  # torch's export about its own internals
def test_from_a_script_to_embeddings(folder: Path, capsys: pytest.CaptureFixture[str]):
    rng = np.random.default_rng(0)
    for name in ("cat", "dog"):
        (folder / "photos" / name).mkdir(parents=True)
        for i in range(4):
            pixels = rng.integers(0, 255, (40, 50), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / "photos" / name / f"{i}.jpg")
    export, *_ = [text for kind, text in BLOCKS if kind == "python"]
    model = nn.Sequential(nn.Flatten(), nn.Linear(784, 5), nn.ReLU(), nn.Linear(5, 2))
    exec(export, {"model": model})
    add, data = COMMANDS[:2]
    assert run(add) == 0
    assert run(data) == 0
    assert "NERO: /nero?task=pets--1x28x28" in capsys.readouterr().out
    (embed,) = [line for line in COMMANDS if " embed " in line]
    assert run(embed) == 0
    results = [line for line in COMMANDS if " results " in line]
    assert [run(line) for line in results] == [0, 0, 0, 0]
    told = [line for line in COMMANDS if " project " in line]
    assert [run(line) for line in told] == [0, 0]
    with np.load("pets-mine.npz", allow_pickle=False) as found:
        assert found["embeddings"].shape == (8, 5)
    (toml,) = [text for kind, text in BLOCKS if kind == "toml"]
    Path("loupe.toml").write_text(toml)
    assert project.load(folder, lambda line: None) == []


def test_the_function(folder: Path, monkeypatch: pytest.MonkeyPatch):
    *_, text = [text for kind, text in BLOCKS if kind == "python"]
    started: list[str] = []

    def look(command: list[str], **_rest: object) -> None:
        started.append(command[1])
        batch = np.ones((2, 1, 9, 9), np.float32)
        assert catalog.load_model("served", "cpu").predict(batch)[:, 1].min() > 0.9

    monkeypatch.setattr(serving.subprocess, "run", look)
    exec(text, {"images": np.zeros((3, 9, 9), np.uint8), "labels": np.array([0, 0, 1])})
    assert started == [str(PROJECT / "app.py")]
    assert not store.models()  # gone with its process


def test_embeddings_a_marketing_table_and_a_folder_for_crayon(
    folder: Path, capsys: pytest.CaptureFixture[str]
):
    own_sets_made.embeddings(folder)
    own_sets_made.contents(folder)
    own_sets_made.dogs(private_folder(folder / "state" / "images"))
    examples = [line for line in COMMANDS if "both.npz" in line or "ads" in line or "dogs" in line]
    assert [run(line) for line in examples] == [0, 0, 0, 0]
    told = capsys.readouterr().out
    assert "Modality gap: /modality-gap?spaces=my-pairs--own" in told
    assert "Insights: /insights?set=own-ads-" in told


@pytest.mark.filterwarnings("ignore")  # torch's export about its own internals
def test_a_detector_an_estimator_of_motion_and_a_network_of_clouds(
    folder: Path, capsys: pytest.CaptureFixture[str]
):
    crop, pair = torch.zeros(2, 3, 128, 128), torch.zeros(2, 2, 128, 128)
    own_answers.onnx_file(folder / "yolo.onnx", own_answers.Anchors(), crop)
    own_answers.exported(folder / "flow.pt2", own_answers.Drift(), pair)
    own_answers.exported(folder / "points.pt2", own_answers.Tall(), torch.rand(2, 1024, 3))
    own_sets_made.boxes(folder).rename(folder / "scenes.json")
    text = (folder / "scenes.json").read_text(encoding="utf-8")
    (folder / "scenes.json").write_text(text.replace("bird", "cup"), encoding="utf-8")
    for place, name in enumerate(own_answers.SHAPES):
        (folder / "clouds" / name).mkdir(parents=True)
        np.save(folder / "clouds" / name / "one.npy", own_answers.clouds()[place])
    names = ("spotter", "shelf", "flow", "shapes", "solids")
    examples = [line for line in COMMANDS if set(names) & set(line.split())]
    assert [run(line) for line in examples] == [0] * 5
    told = capsys.readouterr().out
    assert "NERO: /nero?task=detection&models=spotter&focus=spotter" in told
    assert "NERO: /nero?task=shelf--scenes" in told
    assert "NERO: /nero?task=piv&models=flow&focus=flow" in told
    assert "it has 2 classes and the data 10" in told  # the bundled clouds
    assert "NERO: /nero?task=solids--points" in told
    assert list(catalog.models_for("solids--points")) == ["shapes"]


def test_what_a_notebook_asks(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    _, text, _ = [text for kind, text in BLOCKS if kind == "python"]
    answer = {"current": {"items": "digits", "ids": "3,5", "link": "/nero"}, "shelf": []}
    monkeypatch.setattr(client, "_asked", lambda url, cookie: answer)
    exec(text)
    assert capsys.readouterr().out == "digits (3, 5) /nero\n"


@pytest.mark.parametrize("command", [c for c in COMMANDS if c.startswith("python -m backend")])
def test_commands_are_understood(command: str):
    assert parser().parse_args(shlex.split(command)[3:])


def test_torch_is_what_the_guide_exports_with():
    assert hasattr(torch.export, "Dim")
