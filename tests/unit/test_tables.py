"""Tables in three formats."""

from __future__ import annotations

import io
from collections.abc import Iterator

import numpy as np
import orjson
import pandas as pd
import pytest

from backend.errors import NotFound
from components.tables import TABLES, register_table, rendered, table


@pytest.fixture(autouse=True)
def _no_trace() -> Iterator[None]:
    before = dict(TABLES)
    yield
    TABLES.clear()
    TABLES.update(before)


FRAME = pd.DataFrame(
    {
        "id": np.array([3, 4, 5]),
        "name": ["=cmd()|' /C calc'!A0", "plain", None],
        "confidence": np.float32([0.25, np.nan, np.inf]),
        "is_right": [True, False, True],
    }
)


def test_json_has_columns_rows_and_count() -> None:
    assert orjson.loads(rendered(FRAME, "json")) == {
        "columns": ["id", "name", "confidence", "is_right"],
        "rows": [
            [3, "=cmd()|' /C calc'!A0", 0.25, True],
            [4, "plain", None, False],
            [5, None, None, True],
        ],
        "n": 3,
    }


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_csv_disarms_formulas_in_text_only(start: str) -> None:
    frame = pd.DataFrame({f"{start}head": [f"{start}1+1"], "n": [-1.5]})
    back = pd.read_csv(io.BytesIO(rendered(frame, "csv")), lineterminator="\n")
    assert back.columns[0] == f"'{start}head"
    assert back.iloc[0, 0] == f"'{start}1+1"
    assert back["n"][0] == -1.5


def test_csv_of_categories_and_dates() -> None:
    frame = pd.DataFrame(
        {"c": pd.Categorical(["=a", "b"]), "d": pd.to_datetime(["2026-01-02", None])}
    )
    assert rendered(frame, "csv").decode() == "c,d\n'=a,2026-01-02\nb,\n"


def test_parquet_keeps_types_and_text() -> None:
    back = pd.read_parquet(io.BytesIO(rendered(FRAME, "parquet")))
    pd.testing.assert_frame_equal(back, FRAME)


def test_empty_table() -> None:
    empty = FRAME.iloc[:0]
    assert orjson.loads(rendered(empty, "json"))["rows"] == []
    assert rendered(empty, "csv").decode() == "id,name,confidence,is_right\n"


def test_the_frame_itself_is_not_changed() -> None:
    before = FRAME.copy(deep=True)
    rendered(FRAME, "csv")
    pd.testing.assert_frame_equal(FRAME, before)


def test_registry() -> None:
    register_table("worst", lambda state: pd.DataFrame({"n": [state["n"]]}))
    assert table("worst", {"n": 3})["n"].tolist() == [3]
    with pytest.raises(NotFound, match="no table called 'best'"):
        table("best", {})
    with pytest.raises(NotFound, match="no format 'exe'"):
        rendered(FRAME, "exe")
