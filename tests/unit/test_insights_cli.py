"""``python -m backend insights``: fit, score, attribute and recommend on a table of one's own."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from backend.__main__ import main
from tests.insights_sets import tiny

MAP = "text=headline,experiment_id=test,domain=place"


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LOUPE_STATE_DIR", str(tmp_path / "state"))
    held = tiny(30)
    path = tmp_path / "campaigns.csv"
    pd.DataFrame(
        {
            "test": [held.experiments[int(e)] for e in held.experiment],
            "place": [held.domains[int(d)] for d in held.domain],
            "headline": [f"{parts[0]} {k}" for k, parts in enumerate(held.parts)],
            "impressions": held.impressions.astype(int),
            "clicks": held.clicks.astype(int),
        }
    ).to_csv(path, index=False)
    return path


def run(*arguments: str) -> int:
    return main(["insights", *arguments])


def test_a_table_is_fitted_scored_explained_and_recommended_from(
    table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shared = ["--table", str(table), "--map", MAP, "--model", "mine"]
    assert run("fit", *shared, "--encoder", "words", "--epochs", "6") == 0
    assert "test_rmse" in capsys.readouterr().err
    assert run("score", *shared, "--json") == 0
    rows = json.loads(capsys.readouterr().out)
    assert len(rows) == 90
    assert all(row["low"] <= row["predicted"] <= row["high"] for row in rows)
    assert run("attribute", *shared, "--rows", "2", "--csv", str(tmp_path / "words.csv")) == 0
    words = pd.read_csv(tmp_path / "words.csv")
    for _, one in words.groupby("content_id"):
        gained = one["prediction"].iloc[0] - one["baseline"].iloc[0]
        assert one["value"].sum() == pytest.approx(gained, abs=1e-5)
    capsys.readouterr()
    assert run("recommend", *shared, "--domain", "shop", "--k", "2", "--json") == 0
    told = capsys.readouterr()
    found = json.loads(told.out)
    assert {row["kind"] for row in found} == {"positive", "negative"}
    assert found[0]["what"] == "free trial"
    assert "Correlation only" in told.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("fit",), "cannot name a model"),
        (("fit", "--model", "a"), "Name a table or a set"),
        (("score", "--set", "moon", "--json"), "moon"),
        (("score", "--table", "TABLE", "--json"), "Name a model"),
        (("score", "--table", "TABLE", "--model", "none", "--json"), "no model 'none'"),
        (("fit", "--table", "TABLE", "--map", "text=nothing", "--model", "a"), "nothing"),
        (("fit", "--table", "TABLE", "--map", MAP, "--model", "a", "--loss", "huber"), "no loss"),
    ],
)
def test_mistakes_are_sentences_and_exit_code_two(
    table: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], words: str
) -> None:
    told = [str(table) if one == "TABLE" else one for one in arguments]
    assert run(*told) == 2
    assert words in capsys.readouterr().err
