"""Tables behind the plots: one registry, three formats."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from typing import Any, Final

import orjson
import pandas as pd

from backend.errors import NotFound
from backend.protocols import JSON

MakeTable = Callable[[Mapping[str, JSON]], pd.DataFrame]
TABLES: Final[dict[str, MakeTable]] = {}
FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
MIME: Final = {
    "json": "application/json",
    "csv": "text/csv; charset=utf-8",
    "parquet": "application/vnd.apache.parquet",
}


def register_table(name: str, make: MakeTable) -> None:
    """Offer ``make(state)`` as ``/_table/<name>``; a page registers its tables at import.

    A page file runs once per app, so the last registration of a name counts.
    """
    TABLES[name] = make


def table(name: str, state: Mapping[str, JSON]) -> pd.DataFrame:
    """The table called ``name`` for the view state ``state``.

    Raises:
        NotFound: no page offers it.
    """
    if name not in TABLES:
        raise NotFound(f"There is no table called {name[:80]!r}.", "Reload the page.")
    return TABLES[name](state)


def rendered(frame: pd.DataFrame, suffix: str) -> bytes:
    """``frame`` without its index as JSON, CSV or Parquet.

    JSON: ``{"columns": [...], "rows": [[...], ...], "n": rows}``; what is not finite is null.

    Raises:
        NotFound: another format.
    """
    if suffix == "json":
        return _json(frame)
    if suffix == "csv":
        return str(_escaped(frame).to_csv(index=False)).encode()
    if suffix == "parquet":
        out = io.BytesIO()
        frame.to_parquet(out, engine="pyarrow", index=False)
        return out.getvalue()
    raise NotFound(f"There is no format {suffix[:20]!r}.", f"There is {', '.join(MIME)}.")


def _json(frame: pd.DataFrame) -> bytes:
    columns = [str(name) for name in frame.columns]
    # orjson writes NaN and infinity as null
    rows: list[Any] = frame.astype(object).where(frame.notna(), None).to_numpy().tolist()
    return orjson.dumps({"columns": columns, "rows": rows, "n": len(frame)}, default=str)


def _escaped(frame: pd.DataFrame) -> pd.DataFrame:
    """Text that a spreadsheet would run as a formula gets a leading apostrophe."""
    frame = frame.rename(columns=lambda name: _cell(str(name)))
    is_text = [not pd.api.types.is_numeric_dtype(kind) for kind in frame.dtypes]
    for column in frame.columns[is_text]:
        frame[column] = frame[column].map(_cell)
    return frame


def _cell(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value
