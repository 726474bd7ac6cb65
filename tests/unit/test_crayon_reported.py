"""The paper's numbers, compared with cells typed by hand."""

from __future__ import annotations

import pytest

from backend.crayon import reported
from backend.crayon.reported import Value
from backend.errors import NotFound


def cell(key, row, column):
    held = reported.table(key)
    (found,) = [one for one in held.rows if row in (one.name, one.x)]
    return found.values[held.columns.index(column)]


def test_cells_are_those_of_the_paper():
    assert cell("main", "Original", "waterbirds_wga") == Value(28.35)
    assert cell("main", "Crayon-Attention", "celeba_wga") == Value(83.29, 2.07)
    assert cell("main", "Crayon-Pruning", "waterbirds_mga") == Value(83.13, 0.08)
    assert cell("main", "Crayon-Pruning+Attention", "backgrounds_gap") == Value(8.40, 0.31)
    assert cell("main", "SoftCon", "celeba_mga") == Value(76.17, 3.23)
    assert cell("main", "GradMask", "celeba_wga") == Value(8.43, 6.70)
    assert cell("main", "ActDiff", "backgrounds_mr") == Value(75.84, 5.97)
    assert cell("main", "Bounding Box", "waterbirds_mga") == Value(85.85, 0.46)
    assert cell("main", "ERM", "waterbirds_wga") == Value(22.49, 12.00)
    assert cell("ablation", "relevant term only", "celeba_wga") == Value(77.48)
    assert cell("ablation", "irrelevant term only", "backgrounds_gap") == Value(11.86)
    assert cell("transfer", "ConvNeXt, after", "celeba_wga") == Value(49.50)
    assert cell("runtime", "Biased CelebA (20,200 images)", "pruning") == Value(1241)
    assert cell("tenth", "Crayon-Pruning+Attention", "waterbirds_wga") == Value(74.67)
    assert cell("waterbirds_attention_curve", 50, "waterbirds_wga") == Value(54.5)
    assert cell("backgrounds_attention_curve", 2000, "backgrounds_mr") == Value(80.05)
    assert cell("alpha", 2e7, "attention_wga") == Value(72.8)
    assert cell("alpha", 2e7, "pruning_attention_wga") is None
    assert cell("beta", 1e7, "attention_wga") == Value(66)


def test_the_main_table_is_whole():
    held = reported.table("main")
    assert len(held.rows) == 17
    names = [row.name for row in held.rows if row.annotation == ""]
    assert names == ["Original", "JtT", "MaskTune", "LfF", "SoftCon", "FLAC", "LC", "CnC", "ERM"]
    deviations = [value.std is None for row in held.rows for value in row.values]
    assert sum(deviations) == 6  # the Original alone was one model
    # The last row of the ablation is the control.
    erm = next(row for row in held.rows if row.name == "ERM")
    neither = reported.table("ablation").rows[-1]
    assert [v.mean for v in erm.values] == [v.mean for v in neither.values]
    assert all(row.values[0].mean <= row.values[1].mean for row in held.rows)


def test_everything_is_marked():
    held = reported.tables()
    assert all(reported.MARK in one.mark for one in held.values())
    by_eye = {key for key, one in held.items() if reported.BY_EYE in one.mark}
    curves = {key for key, one in held.items() if one.x}
    assert by_eye == curves | {"pruning_attention_start"}
    assert all(len(one.column_titles) == len(one.rows[0].values) for one in held.values())
    with pytest.raises(NotFound, match="no reported table"):
        reported.table("best")


def test_the_experiment_is_marked_as_simulated_and_measured_here():
    held = reported.experiment()
    assert [one.key for one in held.values()] == [
        f"{key}_measured{tail}" for key in ("birds", "garments") for tail in ("", "_curve")
    ]
    for one in held.values():
        assert one.mark == reported.SIMULATED
        assert "simulated" in one.mark
        assert reported.MARK not in one.mark
    names = [row.name for row in held["birds_measured"].rows]
    assert names[0] == "original"
    assert {"attention", "erm", "shuffled", "last-layer", "random-mask"} <= set(names)


def test_what_the_report_writes_is_what_the_page_reads(tmp_path, monkeypatch):
    from benchmarks.crayon_report import as_toml

    rows = [{"name": 'a "b"', "values": [(1.5,), (2.0, 0.5)]}]
    table = {"key": "k", "title": "t – ±", "unit": "%", "columns": ("wga", "mga"), "note": ""}
    (tmp_path / "x.toml").write_text(as_toml([table | {"rows": rows}]))
    (found,) = reported._read(tmp_path / "x.toml", "m").values()
    assert found.title == "t – ±"
    assert found.rows[0].name == 'a "b"'
    assert found.rows[0].values == (Value(1.5), Value(2.0, 0.5))


def test_maps_that_are_all_zero_have_no_energy():
    from benchmarks.crayon_report import NO_MAP, _cell, _told

    runs = [{"energy": 0.5}, {"energy": float("nan")}]
    assert _cell(runs, "energy") == ()
    assert _told(()) == NO_MAP
    assert _cell(runs[:1], "energy") == (50.0,)
