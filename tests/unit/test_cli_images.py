"""The caller's own pictures on the command line, good and bad."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from backend.__main__ import main
from backend.datasets import load


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Two real digits as PNG, larger and in colour, beside a file that is no picture."""
    items = load("digits")
    for row in (0, 1):
        picture = Image.fromarray(items.image(row)).convert("RGB").resize((200, 200))
        picture.save(tmp_path / f"digit-{row}.png")
    (tmp_path / "notes.txt").write_text("not a picture")
    return tmp_path


def nero(*arguments: str | Path) -> int:
    return main(["nero", "--model", "plain", "--angles", "4", *map(str, arguments)])


def test_a_folder_of_pictures_is_read_like_the_bundled_digits(pictures: Path):
    labels = [str(label) for label in load("digits").labels[:2]]
    out = pictures / "out.npz"
    assert nero("--images", pictures, "--labels", *labels, "--npz", out) == 0
    with np.load(out) as written:
        assert written["metric"].shape == (2, 4)
        assert (written["predicted"][:, 0] == written["labels"]).all()


def test_one_label_serves_all_and_json_is_written(pictures: Path):
    files = sorted(pictures.glob("*.png"))
    out = pictures / "out.json"
    assert nero("--images", *files, "--labels", "0", "--json", out) == 0
    assert len(json.loads(out.read_text())) == 4


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "bad.png: The file is not an image"),
        (b"<svg/>", "bad.png: The file is not an image"),
        (None, "bad.png: The image file is damaged or was cut short."),
    ],
)
def test_a_bad_picture_is_named(pictures: Path, capsys, data: bytes | None, sentence: str):
    whole = (pictures / "digit-0.png").read_bytes()
    bad = pictures / "bad.png"
    bad.write_bytes(whole[: len(whole) // 2] if data is None else data)
    assert nero("--images", bad, "--labels", "0") == 2
    assert sentence in capsys.readouterr().err


@pytest.mark.parametrize(
    ("labels", "sentence"),
    [
        (["11"], "'11' is not a class."),
        (["0", "1", "2"], "There are 2 images and 3 labels."),
        (["missing.npy"], "missing.npy"),
    ],
)
def test_bad_labels(pictures: Path, capsys, labels: list[str], sentence: str):
    assert nero("--images", pictures, "--labels", *labels) == 2
    assert sentence in capsys.readouterr().err


def test_without_labels_answers_are_compared_with_each_other(pictures: Path, capsys):
    files, out = sorted(pictures.glob("*.png")), pictures / "out.npz"
    assert nero("--images", *files, "--npz", out) == 0
    with np.load(out) as written:
        assert np.isnan(written["metric"]).all()  # nobody knows the true class
        agreement = written["metric_agreement"]
        same = written["predicted"] == written["predicted"][:, :1]
        np.testing.assert_array_equal(agreement, same)
        assert (written["labels"] == -1).all()
    assert "mean agreement over 4 elements" in capsys.readouterr().err


def test_a_missing_file_and_an_empty_folder(tmp_path: Path, capsys):
    assert nero("--images", tmp_path / "gone.png", "--labels", "0") == 2
    assert "gone.png cannot be read" in capsys.readouterr().err
    assert nero("--images", tmp_path, "--labels", "0") == 2
    assert "There is no image in the folder." in capsys.readouterr().err
