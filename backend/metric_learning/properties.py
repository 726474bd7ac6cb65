"""The known properties of images: a table in, checked values out, and whether they are independent.

Independence matters: if every car model had one colour, a model that only reads the car model would
look as if it read colour (Kobs 2023, section 7.1).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from backend.errors import BadRequest

I64 = NDArray[np.int64]

TABLES: Final = (".csv", ".parquet")
IDS: Final = ("id", "image", "file", "name", "seed", "split")  # columns that are no property


@dataclass(frozen=True, slots=True)
class Property:
    """One property of ``n`` images.

    Attributes:
        values: its values in ascending order.
        codes: ``(n,)``, each image's value as an index into ``values``.
        counts: ``(len(values),)`` images of each value.
    """

    name: str
    values: tuple[str, ...]
    codes: I64
    counts: I64

    @property
    def problem(self) -> str:
        """Why no clustering by it can be measured, as a sentence; empty where one can."""
        if len(self.values) < 2:
            return f"{self.name} has the one value {self.values[0]!r}, so nothing can differ by it."
        if self.counts.max() < 2:
            return f"Every value of {self.name} occurs once, so no two images share one."
        return ""

    @property
    def singles(self) -> tuple[str, ...]:
        """Values of one image only: nothing can be retrieved for it, so it asks no question."""
        return tuple(self.values[v] for v in np.flatnonzero(self.counts == 1))

    def take(self, rows: I64) -> Property:
        """The property of some of the images."""
        return of(self.name, np.asarray(self.values)[self.codes[rows]])


def of(name: str, column: ArrayLike | pd.Series) -> Property:
    """A property from one value per image: numbers or texts ``(n,)``.

    Raises:
        BadRequest: a value is missing, or there is not one for each image.
    """
    held = pd.Series(column).reset_index(drop=True) if np.ndim(column) == 1 else None
    if held is None or not len(held):
        raise BadRequest(f"The property {name[:80]!r} is not one value per image.")
    missing = np.flatnonzero(held.isna())
    if len(missing):
        raise BadRequest(
            f"The property {name[:80]!r} has no value in row {missing[0]} "
            f"({len(missing)} such rows).",
            "Fill it in, or remove the row from the table and from the embeddings.",
        )
    try:
        found, codes = np.unique(held.to_numpy(), return_inverse=True)
    except TypeError:  # numbers beside texts
        found, codes = np.unique(held.astype(str).to_numpy(), return_inverse=True)
    codes = np.asarray(codes, np.int64).reshape(-1)
    names = tuple(str(value) for value in found.tolist())
    return Property(name, names, codes, np.bincount(codes, minlength=len(names)))


def table(frame: pd.DataFrame, columns: Sequence[str] = (), n: int | None = None) -> list[Property]:
    """The properties in a table with a row for each image.

    Args:
        columns: those asked for; all but :data:`IDS` unless given.
        n: how many images there are.

    Raises:
        BadRequest: a column is missing, there is none, the number of rows is not ``n``, or as
            :func:`of`.
    """
    if n is not None and len(frame) != n:
        raise BadRequest(
            f"The property table has {len(frame)} rows, but there are {n} embeddings.",
            "Row i of the table must describe row i of the embeddings.",
        )
    names = [str(name) for name in frame.columns]
    absent = [name for name in columns if name not in names]
    if absent:
        raise BadRequest(
            f"The property table has no column {absent[0][:80]!r}.", f"It has {', '.join(names)}."
        )
    chosen = columns or [name for name in names if name.lower() not in IDS]
    if not chosen:
        raise BadRequest("The property table names no property.", "Give a column for each.")
    return [of(name, frame.iloc[:, names.index(name)]) for name in chosen]


def read(path: Path, columns: Sequence[str] = (), n: int | None = None) -> list[Property]:
    """The properties in a ``.csv`` or ``.parquet`` file. Raises as :func:`table`.

    Raises:
        BadRequest: the file cannot be read, or is of another kind.
    """
    return table(frame_of(path), columns, n)


def frame_of(path: Path) -> pd.DataFrame:
    """The table in a ``.csv`` or ``.parquet`` file.

    Raises:
        BadRequest: it cannot be read, or is of another kind.
    """
    if path.suffix.lower() not in TABLES:
        raise BadRequest(f"{path.name} is neither .csv nor .parquet.", "Choose one of them.")
    try:
        if path.suffix.lower() == ".parquet":
            return pd.read_parquet(path)
        return pd.read_csv(path)
    except (OSError, ValueError) as error:  # the parsers' errors are ValueErrors
        raise BadRequest(
            f"The table {path.name} cannot be read.", "Give a UTF-8 table with a header line."
        ) from error


def independence(properties: Sequence[Property]) -> pd.DataFrame:
    """Contingency tests of every pair of properties, Holm-corrected.

    Returns:
        One row for each pair: ``first``, ``second``, ``chi2``, ``dof``, ``p`` (of the chi-squared
        test), ``p_holm``, ``cramers_v`` in [0, 1] (0 independent, bias-corrected after Bergsma
        2013), ``mutual_information_bits``, and ``least_expected``: below 5 the test is rough.
    """
    from scipy.stats import chi2_contingency

    from backend.metric_learning.significance import holm

    rows: list[dict[str, Any]] = []
    for a, b in combinations([p for p in properties if len(p.values) > 1], 2):
        counts = np.zeros((len(a.values), len(b.values)))
        np.add.at(counts, (a.codes, b.codes), 1)
        found = chi2_contingency(counts, correction=False)
        n, (r, c) = counts.sum(), counts.shape
        phi = max(0.0, found.statistic / n - (r - 1) * (c - 1) / (n - 1))
        sides = min(r - (r - 1) ** 2 / (n - 1), c - (c - 1) ** 2 / (n - 1)) - 1
        share = counts / n
        expected = share.sum(axis=1, keepdims=True) * share.sum(axis=0)
        filled = share > 0
        bits = float((share[filled] * np.log2(share[filled] / expected[filled])).sum())
        rows.append(
            {
                **{"first": a.name, "second": b.name},
                **{"chi2": float(found.statistic), "dof": int(found.dof), "p": float(found.pvalue)},
                "cramers_v": float(np.sqrt(phi / sides)) if sides > 0 else 0.0,
                "mutual_information_bits": bits,
                "least_expected": float(found.expected_freq.min()),
            }
        )
    if not rows:
        raise BadRequest("Independence needs two properties with two values each.")
    frame = pd.DataFrame(rows)
    frame.insert(5, "p_holm", holm(frame["p"].to_numpy()))
    return frame


def frame(properties: Mapping[str, ArrayLike]) -> pd.DataFrame:
    """A property table from one column per property."""
    return pd.DataFrame({name: np.asarray(column) for name, column in properties.items()})
