"""Numbers to hold one's own runs against: what the paper prints, and the experiment shipped here.

Each table carries the mark that must stand beside it, so that the two are never taken for one
another.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from backend.datasets import DATA, DamagedDataset
from backend.errors import NotFound

FILE: Final = DATA / "crayon" / "reported.toml"
EXPERIMENT: Final = DATA / "crayon" / "experiment.toml"
MARK: Final = "reported by the authors, not measured here"
SIMULATED: Final = (
    "measured here with simulated annotators, rules fixed beforehand: "
    "python -m benchmarks.crayon_report"
)
BY_EYE: Final = "read by eye from the authors' plot, good to half a point at best"
SOURCE: Final = "Lee, Payani and Chau 2024, arXiv:2410.22312"
COLUMNS: Final = {
    "waterbirds_wga": "Waterbirds, worst group",
    "waterbirds_mga": "Waterbirds, mean of groups",
    "celeba_wga": "Biased CelebA, worst group",
    "celeba_mga": "Biased CelebA, mean of groups",
    "backgrounds_mr": "Backgrounds, Mixed-Rand",
    "backgrounds_gap": "Backgrounds, BG-Gap (lower is better)",
    "wga": "worst group",
    "mga": "mean of groups",
    "energy": "map energy on the object",
    "attention": "Crayon-Attention",
    "pruning": "Crayon-Pruning",
    "pruning_attention": "Crayon-Pruning+Attention",
    "attention_wga": "Crayon-Attention, worst group",
    "pruning_attention_wga": "Crayon-Pruning+Attention, worst group",
}


@dataclass(frozen=True, slots=True)
class Value:
    """One cell: the mean and, where printed, the standard deviation over five runs."""

    mean: float
    std: float | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One row: a method's name or, in a curve, a number on the axis.

    Attributes:
        annotation: what annotators gave: "", yes-no, map, box or "yes-no, map".
        values: in the order of the columns; None where nothing is printed.
    """

    name: str
    x: float | None
    annotation: str
    values: tuple[Value | None, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """One table or curve of the paper.

    Attributes:
        unit: of all values, ``%`` or ``s``.
        x: what the rows of a curve count; empty for tables.
        columns: keys of :data:`COLUMNS`.
        mark: the sentence that must stand beside it.
    """

    key: str
    title: str
    unit: str
    x: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    note: str
    mark: str

    @property
    def column_titles(self) -> tuple[str, ...]:
        """Titles of the columns."""
        return tuple(COLUMNS[name] for name in self.columns)


@cache
def tables() -> dict[str, Table]:
    """Every table and curve of the paper by key, in its order.

    Raises:
        DamagedDataset: the file is missing or broken.
    """
    return _read(FILE, MARK)


@cache
def experiment() -> dict[str, Table]:
    """The tables of the experiment that was run for this version; raises as :func:`tables`."""
    return _read(EXPERIMENT, SIMULATED)


def _read(file: Path, mark: str) -> dict[str, Table]:
    try:
        with file.open("rb") as opened:
            found = tomllib.load(opened)["table"]
        return {one["key"]: _table(one, mark) for one in found}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DamagedDataset(
            f"The file of numbers {file.name} is missing or broken.",
            f"Restore data/crayon/{file.name} from the repository.",
        ) from error


def table(key: str) -> Table:
    """One table.

    Raises:
        NotFound: there is none of that key.
    """
    found = tables()
    if key not in found:
        raise NotFound(f"There is no reported table {key[:40]!r}.", f"There is {', '.join(found)}.")
    return found[key]


def _table(one: Mapping[str, Any], mark: str) -> Table:
    columns = tuple(one["columns"])
    rows = tuple(_row(row, len(columns)) for row in one["rows"])
    is_by_eye = one.get("by_eye", False)
    return Table(
        one["key"],
        one["title"],
        one["unit"],
        one.get("x", ""),
        tuple(name for name in columns if COLUMNS[name]),
        rows,
        one.get("note", ""),
        f"{mark}; {BY_EYE}" if is_by_eye else mark,
    )


def _row(row: Mapping[str, Any], count: int) -> Row:
    x = row.get("x")
    values = tuple(Value(*map(float, pair)) if pair else None for pair in row["values"])
    if len(values) != count:
        raise ValueError(f"{row} has not {count} values")
    name = row["name"] if x is None else f"{x:,g}"
    return Row(name, None if x is None else float(x), row.get("annotation", ""), values)
