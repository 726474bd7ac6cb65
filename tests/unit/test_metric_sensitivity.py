"""The table of properties: planted clusterings, chance, and the sentences about bad tables."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from scipy.stats import chi2_contingency, kstest, mannwhitneyu

from backend import metrics
from backend.__main__ import main
from backend.errors import BadRequest
from backend.metric_learning import properties, sensitivity, significance
from backend.metric_learning.distances import pairs

N = 400


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "id": np.arange(N),
            "colour": np.array(["red", "green", "blue", "grey"])[rng.integers(0, 4, N)],
            "height": rng.choice([0.5, 1.5, 2.5], N),
            "always": "yes",
        }
    )


@pytest.fixture(scope="module")
def embeddings(table) -> np.ndarray:
    """Clustered by colour, and by nothing else."""
    rng = np.random.default_rng(1)
    codes = np.unique(table["colour"], return_inverse=True)[1]
    return 2 * np.eye(4)[codes] + rng.normal(size=(N, 4))


def test_the_planted_property_is_found_and_no_other(table, embeddings):
    found = sensitivity.sensitivity(embeddings, properties.table(table), permutations=299)
    rows = found.frame.set_index("property")
    assert list(rows.index) == ["colour", "height", "always"]
    assert rows.loc["colour", "is_significant"]
    assert rows.loc["colour", "p_permutation"] == 1 / 300
    assert rows.loc["colour", "p_holm"] == 2 / 300
    assert abs(rows.loc["height", "nr_precision"]) < 0.3
    assert rows.loc["height", "p_permutation"] > 0.01
    assert np.isnan(rows.loc["always", "nr_precision"])
    assert "one value 'yes'" in rows.loc["always", "note"]
    direct = metrics.normalized_r_precision(embeddings, table["colour"])
    assert rows.loc["colour", "nr_precision"] == pytest.approx(direct, abs=1e-12)
    precision, chance = rows.loc["colour", ["r_precision", "chance"]]
    assert rows.loc["colour", "kappa"] == pytest.approx((precision - chance) / (1 - chance))
    assert not any("cannot reach" in note for note in found.notes)  # 299 can, for two tests


def test_shuffled_labels_are_chance_and_leave_the_others(table, embeddings):
    again = table.assign(colour=np.random.default_rng(9).permutation(table["colour"]))
    before, after = (
        sensitivity.sensitivity(embeddings, properties.table(t)).frame["nr_precision"]
        for t in (table, again)
    )
    assert before[0] > 5 > 0.3 > abs(after[0])
    assert before[1] == after[1]


def test_notes_say_what_was_left_out(table, embeddings):
    x = embeddings.copy()
    x[1] = x[0]
    odd = table.assign(colour=["mauve", *table["colour"][1:]])
    found = sensitivity.sensitivity(x, properties.table(odd), permutations=20)
    text = " ".join(found.notes)
    assert "1 values of colour have one image and ask no question: mauve." in text
    assert "1 images repeat the embedding of another exactly." in text
    assert "equally far" in text
    assert "20 permutations cannot reach 1 %" in text
    assert found.frame["queries"][0] == N - 1


def test_it_grows_with_the_root_of_n():
    rng = np.random.default_rng(4)
    labels = rng.integers(0, 5, 3000)
    x = np.eye(5)[labels] + rng.normal(size=(3000, 5))
    label = properties.of("label", labels)
    whole = significance.scaling(x, label, sizes=(3000,))["per_root_n"].iloc[0]
    parts = [significance.scaling(x, label, sizes=(500, 1000), seed=i) for i in range(8)]
    mean = np.mean([part["per_root_n"] for part in parts], axis=0)
    np.testing.assert_allclose(mean, whole, rtol=0.1)
    with pytest.raises(BadRequest, match="A part of 4000 images"):
        significance.scaling(x, properties.of("label", labels), sizes=(4000,))


def test_p_of_the_permutation_null_is_uniform_under_chance():
    rng = np.random.default_rng(0)
    found = []
    for _ in range(60):
        held = pairs(rng.normal(size=(60, 4)))
        label = properties.of("label", np.arange(60) % 3)
        found.append(significance.permutation_null(held, label, 99, int(rng.integers(1e6))).p)
    assert kstest(found, "uniform").pvalue > 0.01


def test_holm():
    np.testing.assert_allclose(
        significance.holm([0.01, 0.04, np.nan, 0.03, 0.5]), [0.04, 0.09, np.nan, 0.09, 0.5]
    )
    assert significance.holm([0.9, 0.8]).tolist() == [1, 1]


def test_families_equal_scipy_and_name_their_unit():
    rng = np.random.default_rng(0)
    rows = [
        (family, f"{family}{i}", fold, name, rng.normal(i))
        for family, losses in (("ranking", 9), ("classification", 5))
        for i in range(losses)
        for fold in range(3)
        for name in ("hue", "model")
    ]
    columns = ["family", "loss", "fold", "property", "nr_precision"]
    frame = pd.DataFrame(rows, columns=columns)
    for unit, counts in (("fold", (27, 15)), ("loss", (9, 5))):
        found = significance.families(frame, unit=unit).set_index("property")
        assert tuple(found.loc["hue", ["ranking_n", "classification_n"]]) == counts
        assert set(found["unit"]) == {unit}
    held = frame[frame["property"] == "hue"]
    a, b = (held.loc[held["family"] == f, "nr_precision"] for f in ("ranking", "classification"))
    found = significance.families(frame).set_index("property")
    assert found.loc["hue", "u"] == mannwhitneyu(a, b).statistic
    assert found.loc["hue", "p"] == pytest.approx(mannwhitneyu(a, b).pvalue)
    with pytest.raises(BadRequest, match="lacks the column 'fold'"):
        significance.families(frame.drop(columns="fold"))


def test_independence_equals_scipy_and_sees_a_copy(table):
    held = properties.table(table.assign(copy=table["colour"]))
    found = properties.independence(held).set_index(["first", "second"])
    assert ("colour", "always") not in found.index
    crossed = pd.crosstab(table["colour"], table["height"])
    assert found.loc[("colour", "height"), "p"] == pytest.approx(chi2_contingency(crossed).pvalue)
    assert found.loc[("colour", "height"), "p_holm"] > 0.05
    assert found.loc[("colour", "copy"), "cramers_v"] > 0.99
    assert found.loc[("colour", "copy"), "mutual_information_bits"] == pytest.approx(2, abs=0.02)


def test_the_command_gives_what_the_function_gives(tmp_path, table, embeddings, capsys):
    np.save(tmp_path / "e.npy", embeddings, allow_pickle=False)
    table.to_csv(tmp_path / "p.csv", index=False)
    table.to_parquet(tmp_path / "p.parquet")
    given = ["--embeddings", str(tmp_path / "e.npy"), "--distance", "cosine"]
    printed = []
    for suffix in ("csv", "parquet"):
        where = ["--properties", str(tmp_path / f"p.{suffix}")]
        assert main(["metric", "nr-precision", *given, *where, "--json"]) == 0
        printed.append(json.loads(capsys.readouterr().out))
    assert printed[0] == printed[1]
    found = sensitivity.sensitivity(embeddings, properties.table(table), "cosine")
    assert printed[0]["n"] == N
    assert printed[0]["properties"][2]["nr_precision"] is None
    for row, expected in zip(printed[0]["properties"], found.frame["nr_precision"], strict=True):
        assert row["nr_precision"] is None or row["nr_precision"] == pytest.approx(expected)


def test_the_other_commands(tmp_path, table, embeddings, capsys):
    np.save(tmp_path / "e.npy", embeddings, allow_pickle=False)
    table.to_csv(tmp_path / "p.csv", index=False)
    given = ["--embeddings", str(tmp_path / "e.npy"), "--properties", str(tmp_path / "p.csv")]
    assert main(["metric", "retrieval", *given, "--label", "colour", "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert row["map_at_r"] == pytest.approx(metrics.map_at_r(embeddings, table["colour"]))
    assert main(["metric", "scaling", *given, "--label", "colour", "--csv"]) == 0
    assert capsys.readouterr().out.startswith("n,nr_precision,per_root_n")
    assert main(["metric", "independence", "--properties", str(tmp_path / "p.csv")]) == 0
    assert "cramers_v" in capsys.readouterr().out


def refused(arguments, capsys) -> str:
    assert main(["metric", *arguments]) == 2
    return capsys.readouterr().err


def test_bad_tables_are_sentences(tmp_path, table, embeddings, capsys):
    np.save(tmp_path / "e.npy", embeddings, allow_pickle=False)
    x = ["nr-precision", "--embeddings", str(tmp_path / "e.npy"), "--properties"]
    table[:399].to_csv(tmp_path / "short.csv", index=False)
    table.assign(colour=[None, *table["colour"][1:]]).to_csv(tmp_path / "gap.csv", index=False)
    (tmp_path / "empty.csv").write_text("")
    table[["id"]].to_csv(tmp_path / "ids.csv", index=False)
    for name, sentence in (
        ("short.csv", "399 rows, but there are 400 embeddings"),
        ("gap.csv", "'colour' has no value in row 0"),
        ("empty.csv", "empty.csv cannot be read"),
        ("absent.csv", "absent.csv cannot be read"),
        ("table.txt", "neither .csv nor .parquet"),
        ("ids.csv", "names no property"),
    ):
        assert sentence in refused([*x, str(tmp_path / name)], capsys)
    table.to_csv(tmp_path / "p.csv", index=False)
    good = [*x, str(tmp_path / "p.csv")]
    assert "no column 'shape'" in refused([*good, "--columns", "colour,shape"], capsys)
    assert "no distance 'l3'" in refused([*good, "--distance", "l3"], capsys)
    assert "out of range" in refused([*good, "--permutations", "-1"], capsys)
    bad = embeddings.copy()
    bad[7, 1] = np.nan
    np.save(tmp_path / "e.npy", bad, allow_pickle=False)
    assert "Row 7 of the embeddings" in refused(good, capsys)
    (tmp_path / "e.npy").write_bytes(b"text")
    assert "not a plain .npy array" in refused(good, capsys)
