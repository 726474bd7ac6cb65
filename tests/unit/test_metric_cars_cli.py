"""``python -m backend metric render`` and ``embed``: own meshes and an own model, from a shell."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from backend.__main__ import main

PYRAMID = "v 0 0 0\nv 1 0 0\nv 1 0 2\nv 0 0 2\nv .5 1 1\nf 1 2 5\nf 2 3 5\nf 3 4 5\nf 4 1 5\n"


def colours(x: torch.Tensor) -> torch.Tensor:
    """An own model: the mean colour of an image."""
    return x.mean(dim=(2, 3))


def test_renders_of_own_meshes_are_embedded_by_an_own_model_and_measured(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    mesh, images = tmp_path / "tent.obj", tmp_path / "images.npy"
    mesh.write_text(PYRAMID, encoding="utf-8")
    table, x = tmp_path / "p.csv", tmp_path / "e.npy"
    asked = ["metric", "render", "--meshes", str(mesh), "--n", "60", "--vary", "bg_value,car_hue"]
    assert main([*asked, "--out", str(images), "--csv", str(table)]) == 0
    drawn, told = np.load(images), pd.read_csv(table)
    assert drawn.shape == (60, 128, 128, 3)
    assert told["car_model"].unique().tolist() == ["tent"]
    assert told["sun_rotation"].nunique() == 1
    model = f"{__name__}:colours"
    asked = ["metric", "embed", "--images", str(images), "--model", model, "--out", str(x)]
    assert main(asked) == 0
    assert np.load(x).shape == (60, 3)
    out = tmp_path / "found.csv"
    asked = ["metric", "nr-precision", "--embeddings", str(x), "--properties", str(table)]
    assert main([*asked, "--csv", str(out)]) == 0
    found = pd.read_csv(out).set_index("property")["nr_precision"]
    assert found["bg_value"] > 2  # the model sees the background's brightness, hardly the hue
    assert found["bg_value"] > found["car_hue"] + 1


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (["embed", "--images", "IMAGES", "--out", "OUT"], "Say which model"),
        (
            ["embed", "--images", "IMAGES", "--model", "nowhere:f", "--out", "OUT"],
            "cannot be imported",
        ),
        (["embed", "--images", "IMAGES", "--loss", "snr", "--out", "OUT"], "take 128 x 128"),
        (["render", "--meshes", "MESH", "--out", "OUT"], "has no faces"),
        (["render", "--vary", "wheels", "--out", "OUT"], "no property 'wheels'"),
    ],
)
def test_mistakes_are_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], asked: list[str], words: str
):
    names = {"IMAGES": tmp_path / "i.npy", "OUT": tmp_path / "o.npy", "MESH": tmp_path / "m.obj"}
    np.save(names["IMAGES"], np.zeros((2, 8, 8, 3), np.uint8))
    names["MESH"].write_text("v 0 0 0\n", encoding="utf-8")
    assert main(["metric", *(str(names.get(word, word)) for word in asked)]) == 2
    assert words in capsys.readouterr().err
