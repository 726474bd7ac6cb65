"""Scores and groups of the user's own: a table of one query's pool."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

import numpy as np
import pandas as pd

from backend.errors import BadRequest
from backend.fair import groups
from backend.fair.groups import F64, I8

COLUMNS: Final = "columns score and group; also id, predicted and relevant if there are"
MOST_ROWS: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Scored:
    """A table of one query's pool.

    Attributes:
        ids: (n,) names of the items.
        scores: (n,) similarity to the query.
        truth: (n,) groups that bias is measured by.
        predicted: (n,) groups that items are selected by; the true ones if there are no others.
        relevant: indices of the relevant items, or None.
    """

    ids: list[str]
    scores: F64
    truth: I8
    predicted: I8
    relevant: list[int] | None


def read(path: Path, plus: str = "", minus: str = "") -> Scored:
    """A table of scores and groups.

    Args:
        path: .csv or .parquet with the columns score and group; optionally id, predicted (a group)
            and relevant (0 or 1).
        plus, minus: names of the groups +1 and -1; without them the column must hold -1, 0 and 1.

    Raises:
        BadRequest: the file or a value in it is not usable.
    """
    return scored(loaded(path, path.name), path.name, plus, minus)


def loaded(source: Path | IO[bytes], name: str) -> pd.DataFrame:
    """The table in a file or an upload, told by the end of its name; CSV stays text.

    Raises:
        BadRequest: it is not readable as a table.
    """
    try:
        if name.lower().endswith(".parquet"):
            return pd.read_parquet(source)
        return pd.read_csv(source, dtype=str, keep_default_na=False, skipinitialspace=True)
    except OSError as error:
        raise BadRequest(f"{source} cannot be read ({error.strerror or 'damaged'}).") from error
    except ValueError as error:  # pandas' and pyarrow's errors about content are ValueErrors
        raise BadRequest(
            f"{name[:80]} is not a readable table.", "Give .csv or .parquet."
        ) from error


def scored(table: pd.DataFrame, title: str, plus: str = "", minus: str = "") -> Scored:
    """A table's scores and groups, checked; arguments as for :func:`read`.

    Raises:
        BadRequest: a column is missing or a value is not usable.
    """
    for name in ("score", "group"):
        if name not in table:
            raise BadRequest(
                f"{title} has no column {name}, only {', '.join(map(str, table.columns))}.",
                f"Needed are {COLUMNS}.",
            )
    if not 1 <= len(table) <= MOST_ROWS:
        raise BadRequest(
            f"{title} has {f'{len(table):,}' if len(table) else 'no'} rows.",
            f"Give one for each item of the pool, at most {MOST_ROWS:,}.",
        )
    scores = pd.to_numeric(table["score"], errors="coerce").to_numpy(np.float64)
    bad = ~np.isfinite(scores)
    if bad.any():
        row = int(np.argmax(bad))
        raise BadRequest(f"Row {row + 2} has the score {table['score'].iloc[row]!r}, not a number.")
    truth = _groups(table["group"], "group", plus, minus)
    predicted = truth
    if "predicted" in table:
        predicted = _groups(table["predicted"], "predicted", plus, minus)
    names = table["id"] if "id" in table else pd.Series(range(len(table)))
    relevant = None
    if "relevant" in table:
        flags = table["relevant"].astype(str).str.strip().str.lower()
        relevant = np.flatnonzero(flags.isin(("1", "1.0", "true", "yes"))).tolist()
    return Scored([str(name) for name in names], scores, truth, predicted, relevant)


def _groups(column: pd.Series[Any], name: str, plus: str, minus: str) -> I8:
    if plus or minus:
        if not (plus and minus):
            raise BadRequest("One of two groups is named.", "Name both groups, +1 and -1.")
        return groups.named(column.astype(str).to_numpy(), plus, minus)
    numbers = pd.to_numeric(column.astype(str).str.strip(), errors="coerce").to_numpy(np.float64)
    bad = ~np.isin(numbers, (-1, 0, 1))
    if bad.any():
        row = int(np.argmax(bad))
        raise BadRequest(
            f"Row {row + 2} has {column.iloc[row]!r} in the column {name}.",
            "Allowed are -1, 0 and 1; or say which words stand for the groups +1 and -1.",
        )
    signs: I8 = numbers.astype(np.int8)
    return signs
