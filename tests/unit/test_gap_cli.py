"""``python -m backend gap`` and ``fair``: what they write, and sentences for what they cannot."""

from __future__ import annotations

import json
import re

import numpy as np
import pandas as pd
import pytest

from backend import fair, gap
from backend.__main__ import USAGE_ERROR, main
from backend.gap import importer


def unit(rows):
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture
def files(tmp_path):
    rng = np.random.default_rng(0)
    shared = rng.normal(size=(30, 6))
    arrays = {
        "i": unit(shared + rng.normal(size=(30, 6)) * 0.4 + np.eye(6)[0]),
        "t": unit(shared - np.eye(6)[0]),
    }
    for name, rows in arrays.items():
        np.save(tmp_path / f"{name}.npy", rows, allow_pickle=False)
    np.save(tmp_path / "both.npy", np.stack(list(arrays.values())), allow_pickle=False)
    np.savez(
        tmp_path / "all.npz",
        image_emb=arrays["i"],
        text_emb=arrays["t"],
        captions=np.array([f"thing {i}" for i in range(30)]),
        labels=np.arange(30) % 3,
        thumbs=np.zeros((30, 4, 4, 3), np.uint8),
    )
    return tmp_path, arrays


def two(folder):
    return ["--images", str(folder / "i.npy"), "--texts", str(folder / "t.npy")]


def test_measure_writes_the_report(files, capfdbinary):
    folder, arrays = files
    assert main(["gap", "measure", *two(folder), "--json"]) == 0
    found = json.loads(capfdbinary.readouterr().out)
    wanted = json.loads(json.dumps(gap.measure(arrays["i"], arrays["t"]).document()))
    assert found == wanted
    assert found["n"] == 30
    assert found["intervals_95"]["centroid_gap"]["low"] < found["centroid_gap"]


def test_measure_writes_each_pair_and_a_summary(files, capsys):
    folder, arrays = files
    out = folder / "gaps.csv"
    both = ["--pairs", str(folder / "both.npy")]
    assert main(["gap", "measure", *both, "--csv", str(out)]) == 0
    table = pd.read_csv(out)
    assert table["gap"].to_numpy() == pytest.approx(
        np.linalg.norm(arrays["i"] - arrays["t"], axis=1), abs=1e-5
    )
    assert main(["gap", "measure", "--pairs", str(folder / "all.npz")]) == 0
    said = capsys.readouterr().out
    assert "30 pairs in 6 dimensions" in said
    assert "centroid_gap" in said


def test_sweep_names_the_best_place(files, capsys):
    folder, _ = files
    out = folder / "sweep.json"
    assert main(["gap", "sweep", *two(folder), "--places", "7", "--json", str(out)]) == 0
    found = json.loads(out.read_text())
    recalls = [point["text_to_image_recall_at_10"] for point in found["points"]]
    assert len(recalls) == 7
    assert found["best"]["text_to_image_recall_at_10"] == max(recalls)
    assert "Best text-to-image recall@10" in capsys.readouterr().err
    asked = ["gap", "sweep", *two(folder), "--sample", "10", "--deltas", "-0.1", "0.2"]
    assert main([*asked, "--top", "1"]) == 0
    assert "10 of 30 pairs, seed 0" in capsys.readouterr().err


def test_shift_and_retrieve(files, capsys):
    folder, arrays = files
    out = folder / "moved.npz"
    assert main(["gap", "shift", *two(folder), "--delta", "0.5", "--npz", str(out)]) == 0
    with np.load(out, allow_pickle=False) as held:
        assert held["images"] == pytest.approx(gap.shift(arrays["i"], arrays["t"], 0.5)[0])
    assert main(["gap", "retrieve", *two(folder), "--csv", str(folder / "r.csv")]) == 0
    table = pd.read_csv(folder / "r.csv")
    assert table["text_to_image"].tolist() == pytest.approx(
        list(gap.recall_at(arrays["t"], arrays["i"]).at.values())
    )


def test_the_importer_takes_all_shapes(files):
    folder, arrays = files
    whole = importer.read(folder / "all.npz")
    assert whole.captions[3] == "thing 3"
    assert whole.labels[4] == "1"
    assert whole.thumbs.shape == (30, 4, 4, 3)
    (folder / "c.txt").write_text("\n".join(f"line {i}" for i in range(30)))
    pd.DataFrame({"caption": [f"cell {i}" for i in range(30)]}).to_csv(folder / "c.csv")
    apart = importer.read(folder / "i.npy", folder / "t.npy", folder / "c.txt")
    assert apart.captions[29] == "line 29"
    stacked = importer.read(folder / "both.npy", captions=folder / "c.csv")
    assert stacked.captions[0] == "cell 0"
    assert (stacked.pairs.texts == arrays["t"]).all()


def scored(folder, name="s.csv", **columns):
    rng = np.random.default_rng(1)
    signs = np.repeat([1, -1, 0], [30, 20, 10])
    held = {"id": [f"i{j}" for j in range(60)], "score": rng.random(60) + (signs == 1)}
    held |= {"group": signs, "relevant": (np.arange(60) % 4 == 0).astype(int)} | columns
    path = folder / name
    pd.DataFrame(held).to_csv(path, index=False)
    return path


def test_rerank_balances_a_table(tmp_path, capsys):
    path, out = scored(tmp_path), tmp_path / "out.json"
    assert main(["fair", "rerank", "--scores", str(path), "--k", "20", "--json", str(out)]) == 0
    found = json.loads(out.read_text())
    table = pd.read_csv(path)
    wanted = fair.pbm(table["score"], table["group"], 20)
    assert [row["row"] for row in found["results"]] == wanted.tolist()
    assert found["after"]["abs_bias"] == fair.abs_bias_at_k(table["group"].to_numpy()[wanted], 20)
    assert found["before"]["abs_bias"] > 0.5
    assert found["after"]["abs_bias"] <= 0.05
    assert 0 <= found["after"]["recall"] <= 1
    assert "before" in capsys.readouterr().err


def test_words_name_groups_and_predictions_select(tmp_path):
    words = np.array(["woman", "unclear", "man"])[np.repeat([2, 0, 1], [30, 20, 10])]
    guess = np.where(np.arange(60) % 7 == 0, "unclear", words)
    path, out = scored(tmp_path, group=words, predicted=guess), tmp_path / "o.json"
    asked = ["fair", "rerank", "--scores", str(path), "--k", "10", "--plus", "man"]
    assert main([*asked, "--minus", "woman", "--json", str(out)]) == 0
    found = json.loads(out.read_text())
    assert found["predictor"]["sensitivity_plus"] < 1
    assert found["after"]["predicted_groups"]["+1"] == found["after"]["predicted_groups"]["-1"]


def test_tradeoff_goes_from_plain_to_balanced(tmp_path):
    path, out = scored(tmp_path), tmp_path / "t.csv"
    asked = ["fair", "tradeoff", "--scores", str(path), "--k", "20", "--steps", "3"]
    assert main([*asked, "--csv", str(out)]) == 0
    table = pd.read_csv(out)
    assert table["p"].tolist() == [0, 0.5, 1]
    assert table["abs_bias"].is_monotonic_decreasing
    assert "recall" in table


GAP_MISTAKES = [
    (["measure", "--images", "i.npy"], "Both modalities are needed"),
    (["measure", "--images", "i.npy", "--texts", "no.npy"], "cannot be read"),
    (["measure", "--images", "i.npy", "--texts", "all.npz"], "not a plain .npy array"),
    (["measure", "--pairs", "i.npy"], "must be \\(2, n, d\\)"),
    (["measure", "--pairs", "i.npy", "--images", "i.npy"], "not both"),
    (["measure", "--pairs", "odd.npz"], "image_emb"),
    (["measure", "--pairs", "long.npy"], "--normalise"),
    (["sweep", "--pairs", "both.npy", "--top", "31"], "K = 31"),
    (["sweep", "--pairs", "both.npy", "--sample", "1"], "sample of 1"),
    (["shift", "--pairs", "both.npy", "--delta", "1"], "--npz"),
    (["retrieve", "--pairs", "both.npy", "--top", "0"], "K = 0"),
]


@pytest.mark.parametrize(("arguments", "words"), GAP_MISTAKES)
def test_mistakes_about_pairs_are_sentences(files, capsys, monkeypatch, arguments, words):
    folder, arrays = files
    np.savez(folder / "odd.npz", a=arrays["i"])
    np.save(folder / "long.npy", 3 * np.stack([arrays["i"]] * 2), allow_pickle=False)
    monkeypatch.chdir(folder)
    assert main(["gap", *arguments]) == USAGE_ERROR
    said = capsys.readouterr().err
    assert re.search(words, said), said
    assert "Traceback" not in said


FAIR_MISTAKES = [
    ("score,group\n1,1\n2,-1\n", ["--k", "3"], "K = 3 is out of range for a pool of 2"),
    ("score,group\n1,1\n2,1\n", ["--k", "1"], "no item of group -1"),
    ("score\n1\n", ["--k", "1"], "no column group"),
    ("score,group\nx,1\n", ["--k", "1"], "Row 2 has the score 'x'"),
    ("score,group\n1,2\n", ["--k", "1"], "Row 2 has '2' in the column group"),
    ("score,group\n", ["--k", "1"], "no rows"),
    ("", ["--k", "1"], "not a readable table"),
    ("score,group\n1,a\n", ["--k", "1", "--plus", "a"], "Name both groups"),
    ("score,group\n1,1\n2,-1\n", ["--k", "1", "--p", "2"], "p = 2"),
]


@pytest.mark.parametrize(("text", "arguments", "words"), FAIR_MISTAKES)
def test_mistakes_in_tables_are_sentences(tmp_path, capsys, text, arguments, words):
    path = tmp_path / "s.csv"
    path.write_text(text)
    assert main(["fair", "rerank", "--scores", str(path), *arguments]) == USAGE_ERROR
    said = capsys.readouterr().err
    assert words in said
    assert "Traceback" not in said


def test_the_simulated_comparison_says_that_it_is_simulated(tmp_path, capsys):
    out = tmp_path / "c.csv"
    assert main(["fair", "simulate", "--csv", str(out)]) == 0
    table = pd.read_csv(out).set_index("method")
    assert table.loc["PBM, true groups", "abs_bias"] == 0
    assert table.loc["plain top K", "abs_bias"] > table.loc["PBM, zero-shot groups", "abs_bias"]
    assert table.loc["random", "recall"] < table.loc["PBM, true groups", "recall"]
    assert "Simulated" in capsys.readouterr().err
    assert main(["fair", "simulate", "--pool", "2"]) == USAGE_ERROR
    assert main(["fair", "simulate", "--k", "9999"]) == USAGE_ERROR
    assert main(["fair", "simulate", "--seed", "-1"]) == USAGE_ERROR
