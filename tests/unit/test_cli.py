"""The command line: files as promised, notes on standard error, mistakes as one sentence."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from backend import datasets
from backend.__main__ import main
from backend.cli_nero import model_key, span
from backend.errors import BadRequest, NotFound
from backend.nero import evaluate, orbits
from tests.fakes import noise_images

RUN = ["nero", "--task", "digits", "--model", "plain", "--angles", "4"]


def test_npz_holds_what_the_python_interface_gives(tmp_path):
    out = tmp_path / "out.npz"
    assert main([*RUN, "--items", "0:3", "--npz", str(out)]) == 0
    result = evaluate("digits-plain", "digits", orbits.rotations(4), [0, 1, 2])
    with np.load(out, allow_pickle=False) as held:
        assert np.array_equal(held["metric"], result.metric)
        assert np.array_equal(held["outputs"], result.outputs)
        assert held["angles_deg"].tolist() == [0, 90, 180, 270]
        assert held["item_ids"].tolist() == datasets.load("digits").ids[:3].tolist()


def test_tables_in_three_formats_are_equal(tmp_path):
    names = [tmp_path / f"out.{suffix}" for suffix in ("json", "csv", "parquet")]
    files = [part for path in names for part in (f"--{path.suffix[1:]}", str(path))]
    assert main([*RUN, "--items", "7", *files]) == 0
    frames = [
        pd.DataFrame(json.loads(names[0].read_text())),
        pd.read_csv(names[1]),
        pd.read_parquet(names[2]),
    ]
    for frame in frames:
        assert list(frame) == [
            *("element", "angle_deg", "model", "confidence", "accuracy", "agreement", "n"),
        ]
        assert set(frame["n"]) == {1}
        np.testing.assert_allclose(
            frame["accuracy"].astype(float), frames[2]["accuracy"], atol=1e-6
        )


def test_own_images(tmp_path, capsys):
    images, labels = noise_images(4)
    np.save(tmp_path / "x.npy", images)
    np.save(tmp_path / "y.npy", labels)
    own = ["--images", str(tmp_path / "x.npy"), "--labels", str(tmp_path / "y.npy")]
    out = tmp_path / "out.npz"
    assert main([*RUN, *own, "--items", "1:3", "--npz", str(out)]) == 0
    expected = evaluate("digits-plain", "digits", orbits.rotations(4), (images[1:3], labels[1:3]))
    with np.load(out) as held:
        assert np.array_equal(held["metric"], expected.metric)
        assert held["labels"].tolist() == labels[1:3].tolist()
    assert main([*RUN, *own, "--metric", "confidence"]) == 0
    told = capsys.readouterr()
    assert "confidence" in told.out
    assert "16 of 16 inputs" in told.err
    assert "mean confidence over 4 elements" in told.err


def test_control_is_flatter_than_the_orbit(tmp_path):
    means = []
    for extra in ([], ["--control"]):
        out = tmp_path / "out.npz"
        run = ["nero", "--angles", "8", "--items", "120:125", *extra, "--npz", str(out)]
        assert main(run) == 0
        with np.load(out) as held:
            means.append(held["metric"].mean())
    assert means[1] > means[0]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--task", "letters"], "no task 'letters'"),
        (["--model", "none"], "digits-plain"),
        (["--angles", "0"], "from 1 to 360"),
        (["--angles", "many"], "from 1 to 360"),
        (["--items", "500:600"], "Rows run from 0 to 499"),
        (["--items", "x"], "such as 7, or 0:50"),
        (["--items", "5:5"], "outside the set"),
        (["--images", "good.npy"], "belong together"),
        (["--labels", "0"], "--labels belong to --images"),
        (["--orbit", "blur"], "exclude each other"),
        (["--metric", "taste"], "Metrics are confidence, accuracy, agreement"),
        (["--npz", "/nowhere/at/all/out.npz"], "does not exist"),
        (["--images", "none.npy", "--labels", "none.npy"], "cannot be read"),
        (["--images", "text.npy", "--labels", "text.npy"], "not a plain .npy"),
        (["--images", "objects.npy", "--labels", "objects.npy"], "not a plain .npy"),
        (["--images", "flat.npy", "--labels", "flat.npy"], "(n, height, width[, 3])"),
        (["--images", "float.npy", "--labels", "flat.npy"], "must be uint8"),
        (["--images", "wide.npy", "--labels", "flat.npy"], "28 × 30"),
        (["--images", "small.npy", "--labels", "flat.npy"], "(n, 1, 28, 28)"),
        (["--images", "good.npy", "--labels", "high.npy"], "Label 10"),
    ],
)
def test_mistakes_are_one_sentence_and_exit_code_2(
    arguments, sentence, tmp_path, capsys, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text.npy").write_text("not an array")
    np.save("objects.npy", np.array([{}, {}]), allow_pickle=True)
    np.save("flat.npy", np.zeros(3, np.int64))
    np.save("high.npy", np.full(3, 10))
    np.save("float.npy", np.zeros((3, 28, 28)))
    np.save("wide.npy", np.zeros((3, 28, 30), np.uint8))
    np.save("small.npy", np.zeros((3, 14, 14), np.uint8))
    np.save("good.npy", np.zeros((3, 28, 28), np.uint8))
    assert main(["nero", "--angles", "4", "--items", "all", *arguments]) == 2
    told = capsys.readouterr().err
    assert sentence in told
    assert "Traceback" not in told


def test_a_full_disk_is_a_sentence(tmp_path, capsys):
    if not hasattr(np, "memmap"):
        return
    code = main([*RUN, "--items", "7", "--csv", "/dev/full/out.csv"])
    assert code == 2
    assert "Traceback" not in capsys.readouterr().err


def test_lists(tmp_path, capsys):
    assert main(["models", "list"]) == 0
    assert "digits-plain" in capsys.readouterr().out
    assert main(["data", "list", "--json", str(tmp_path / "data.json")]) == 0
    listed = {row["key"] for row in json.loads((tmp_path / "data.json").read_text())}
    assert {"digits", "fashion", "photos"} <= listed


def test_short_names_of_models():
    assert model_key("digits", "plain") == model_key("digits", "digits-plain") == "digits-plain"
    assert model_key("photos", "lite0") == "imagenet-lite0"
    with pytest.raises(NotFound):
        model_key("photos", "plain")


@pytest.mark.parametrize(
    ("text", "rows"),
    [("all", range(9)), ("7", [7]), ("2:4", [2, 3]), (":3", [0, 1, 2]), ("7:", [7, 8])],
)
def test_spans(text, rows):
    assert list(range(9))[span(text, 9)] == list(rows)


@pytest.mark.parametrize("text", ["", ":", "-1", "9", "4:2", "0:10", "1:2:3", "1e3"])
def test_other_spans_are_refused(text):
    with pytest.raises(BadRequest):
        span(text, 9)


def test_it_runs_as_a_module():
    run = [sys.executable, "-m", "backend", "data", "list"]
    assert "digits" in subprocess.run(run, check=True, capture_output=True, text=True).stdout
    assert model_key("digits", "") == "digits-plain"  # what the task compares first


def npz(tmp_path, *arguments: str) -> dict[str, np.ndarray]:
    out = tmp_path / "out.npz"
    assert main(["nero", *arguments, "--npz", str(out)]) == 0
    with np.load(out, allow_pickle=False) as held:
        return {name: held[name] for name in held.files}


def test_another_orbit_of_images_names_its_elements(tmp_path):
    held = npz(tmp_path, "--items", "0:2", "--orbit", "contrast")
    count = orbits.find("contrast").size
    assert held["metric"].shape == (2, count)
    assert held["positions"].shape == (count, 1)
    assert "angles_deg" not in held
    assert held["elements"].tolist() == list(orbits.find("contrast").labels)


def test_pairs_of_frames_have_their_error_and_their_fields(tmp_path):
    run = ("--task", "piv", "--model", "farneback", "--items", "0:2")
    held = npz(tmp_path, *run)
    assert held["metric"].shape == (2, 16)
    assert held["field"].shape[:3] == (2, 16, 2)
    assert held["error"].shape[:2] == (2, 16)
    assert held["consensus_used"].tolist() == [16, 16]
    # The coarse means of the map bound the root of the mean square from below.
    coarse = np.sqrt((held["error"].astype(float) ** 2).mean(axis=(2, 3)))
    assert (coarse <= held["metric"] * 1.001).all()
    agreed = npz(tmp_path, *run, "--consensus")
    assert not np.allclose(agreed["metric"], held["metric"])
    np.testing.assert_array_equal(agreed["consensus"], held["consensus"])


def test_scenes_have_their_boxes(tmp_path):
    run = ("--task", "detection", "--model", "j0", "--orbit", "translations-32", "--items", "0:2")
    held = npz(tmp_path, *run)
    assert held["metric"].shape == (2, 16)
    assert held["boxes"].shape == (2, 16, 10, 6)
    assert set(held) >= {"metric_recall", "metric_ap", "consensus", "labels", "item_ids"}


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--task", "piv", "--angles", "4"], "piv has no --angles"),
        (["--task", "piv", "--orbit", "blur"], "cannot be asked along"),
        (["--task", "piv", "--labels", "0", "--images", "x.png"], "takes no --labels"),
        (["--task", "piv", "--images", "gone.png"], "gone.png cannot be read"),
        (["--task", "texts", "--images", "text.npy"], "takes no files"),
        (["--orbit", "nowhere"], "no orbit 'nowhere'"),
        (["--orbit", "blur", "--control"], "no there-and-back control"),
    ],
)
def test_mistakes_of_other_tasks(arguments, sentence, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text.npy").write_text("not an array")
    assert main(["nero", *arguments]) == 2
    assert sentence in capsys.readouterr().err
