"""Tables of contents: a CSV or Parquet file, and which of its columns means what.

Everything is untrusted. CSV cells stay text until :mod:`backend.insights.checks` reads them, so
that "007" or "NA" as a word is not changed on the way.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from backend.errors import BadRequest

MOST_ROWS: Final = 200_000
MOST_COLUMNS: Final = 500
MOST_BYTES: Final = 1_000_000_000  # of a Parquet file, unpacked
SEPARATORS: Final = (",", ";", "\t")
SINGLE: Final = (
    "content_id", "experiment_id", "domain", "image", "arm", "date", "impressions", "clicks",
    "success",
)  # fmt: skip
SEVERAL: Final = ("text", "features", "held_out")
MEANINGS: Final = (*SINGLE, *SEVERAL)
ALIASES: Final[Mapping[str, tuple[str, ...]]] = {
    "content_id": ("content_id", "id", "content", "creative_id", "ad_id"),
    "experiment_id": ("experiment_id", "experiment", "clickability_test_id", "test_id", "test"),
    "domain": ("domain", "location", "placement", "genre", "category", "channel"),
    "text": ("text", "headline", "title", "copy", "body"),
    "image": ("image", "image_file", "picture", "screenshot"),
    "arm": ("arm", "variant", "treatment"),
    "date": ("date", "day", "week", "test_week", "created_at"),
    "impressions": ("impressions", "views", "shown", "n_total"),
    "clicks": ("clicks", "n_clicks", "conversions"),
    "success": ("success", "success_rate", "rate", "ctr", "rating"),
}
"""Names under which a meaning is looked for, without case; the first that is there is taken."""


@dataclass(frozen=True, slots=True)
class ColumnMap:
    """Which column means what; "" is none.

    Attributes:
        text: columns whose texts make up the content, in their order.
        features: columns that describe it.
        held_out: names of domains (not columns) that are kept for the out-of-domain test.
    """

    content_id: str = ""
    experiment_id: str = ""
    domain: str = ""
    image: str = ""
    arm: str = ""
    date: str = ""
    impressions: str = ""
    clicks: str = ""
    success: str = ""
    text: tuple[str, ...] = ()
    features: tuple[str, ...] = ()
    held_out: tuple[str, ...] = ()

    def columns(self) -> list[str]:
        """All columns that are named."""
        single = [getattr(self, name) for name in SINGLE]
        return [name for name in (*single, *self.text, *self.features) if name]

    def told(self) -> dict[str, Any]:
        """By meaning, for JSON."""
        single = {name: getattr(self, name) for name in SINGLE}
        return single | {name: list(getattr(self, name)) for name in SEVERAL}


def parsed_map(given: str | Mapping[str, Any]) -> dict[str, Any]:
    """Meanings to columns from ``text=headline+lede,experiment_id=test`` or a JSON object.

    Raises:
        BadRequest: a meaning is unknown or a value is not a name.
    """
    if isinstance(given, str):
        pairs = [part.partition("=") for part in given.split(",") if part.strip()]
        found: dict[str, Any] = {name.strip(): value.strip() for name, _, value in pairs}
    else:
        found = dict(given)
    for name, value in found.items():
        if name not in MEANINGS:
            raise BadRequest(
                f"{str(name)[:40]!r} is not something a column can mean.",
                f"Meanings are {', '.join(MEANINGS)}.",
            )
        if name in SEVERAL:
            listed = value.split("+") if isinstance(value, str) else value
            is_list = isinstance(listed, list | tuple)
            if not is_list or not all(isinstance(one, str) for one in listed):
                raise BadRequest(f"{name} is {str(value)[:60]!r}.", "Give names of columns.")
            found[name] = tuple(one.strip() for one in listed if one.strip())
        elif not isinstance(value, str):
            raise BadRequest(f"{name} is {str(value)[:60]!r}.", "Give the name of one column.")
    return found


def column_map(columns: Sequence[str], given: str | Mapping[str, Any] = "") -> ColumnMap:
    """The map as given, and the rest guessed from the columns' names.

    Raises:
        BadRequest: a named column is not there, or what makes up success is missing.
    """
    said = parsed_map(given)
    lower = {name.lower(): name for name in reversed(columns)}
    for meaning, names in ALIASES.items():
        if meaning not in said:
            hit = next((lower[name] for name in names if name in lower), "")
            said[meaning] = hit if meaning != "text" else (hit,) if hit else ()
    found = ColumnMap(**said)
    for name in found.columns():
        if name not in columns:
            listed = ", ".join(map(str, columns[:20]))
            raise BadRequest(f"The table has no column {name[:60]!r}.", f"Columns are {listed}.")
    if not (found.clicks and found.impressions) and not found.success:
        raise BadRequest(
            "No column says how successful a content was.",
            "Map impressions and clicks, or success (a share from 0 to 1).",
        )
    if not found.text and not found.image:
        raise BadRequest("No column holds a text or an image.", "Map text, image or both.")
    return found


def read_table(data: bytes, name: str) -> pd.DataFrame:
    """The table in a file: a column of Python values each, text for CSV; None is an empty cell.

    Raises:
        BadRequest: it is not a CSV (UTF-8) or Parquet file, is empty or too large, or names a
            column twice.
    """
    suffix = name.lower().rpartition(".")[2]
    if suffix not in ("csv", "tsv", "parquet"):
        raise BadRequest(f"{name[-60:]} is not a .csv or .parquet file.", "Save it as one of them.")
    frame = _parquet(data, name) if suffix == "parquet" else _csv(data, name)
    columns = [str(column) for column in frame.columns]
    twice = sorted({column for column in columns if columns.count(column) > 1})
    if twice:
        raise BadRequest(f"The table has the column {twice[0][:60]!r} twice.", "Rename one.")
    if not len(frame):
        raise BadRequest(f"{name[-60:]} has no rows.", "Give a table with at least one content.")
    _check_size(len(frame), len(columns), name)
    return frame


def _csv(data: bytes, name: str) -> pd.DataFrame:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadRequest(f"{name[-60:]} is not UTF-8 text.", "Save it as CSV UTF-8.") from error
    first = text[:10_000].partition("\n")[0]
    separator = max(SEPARATORS, key=first.count)
    rows: list[list[str]] = []
    try:
        for row in csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True):
            if row:
                rows.append(row)
    except csv.Error as error:
        raise BadRequest(
            f"{name[-60:]} is not a readable CSV table: {error} in row {len(rows)}.",
            "Quote cells that hold quotes or line breaks.",
        ) from error
    if not rows:
        raise BadRequest(f"{name[-60:]} is empty.", "The first line names the columns.")
    header = [cell.strip() for cell in rows[0]]
    for number, row in enumerate(rows[1:], 1):
        if len(row) != len(header):
            raise BadRequest(
                f"Row {number} has {len(row)} cells; the table has {len(header)} columns.",
                "Quote cells that hold a separator.",
            )
    return pd.DataFrame(rows[1:], columns=header, dtype=object)


def _parquet(data: bytes, name: str) -> pd.DataFrame:
    try:
        file = pq.ParquetFile(io.BytesIO(data))
        said = file.metadata
        _check_size(said.num_rows, said.num_columns, name)
        size = sum(said.row_group(i).total_byte_size for i in range(said.num_row_groups))
        if size > MOST_BYTES:
            raise BadRequest(
                f"{name[-60:]} unpacks to {size / 1e6:,.0f} MB.",
                f"Allowed are {MOST_BYTES // 1_000_000} MB.",
            )
        table = file.read()
        columns = [column.to_pylist() for column in table.columns]
    except (pa.ArrowException, OSError, ValueError) as error:
        raise BadRequest(f"{name[-60:]} is not a readable Parquet file.") from error
    frame = pd.DataFrame(dict(enumerate(columns)), dtype=object)
    frame.columns = pd.Index(table.column_names)
    return frame


def _check_size(rows: int, columns: int, name: str) -> None:
    if rows > MOST_ROWS or columns > MOST_COLUMNS:
        raise BadRequest(
            f"{name[-60:]} has {rows:,} rows and {columns} columns.",
            f"Allowed are {MOST_ROWS:,} rows and {MOST_COLUMNS} columns.",
        )


CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")


def cell_text(value: object) -> str:
    """A cell as one line of text; "" where it is empty. Control characters become spaces."""
    if value is None or (isinstance(value, float) and value != value):
        return ""
    return " ".join(CONTROL.sub(" ", str(value)).split())
