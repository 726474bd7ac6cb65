"""Rows of a table read one by one: what is wrong is a sentence that begins with the row's number.

Rows count from 1, below the heading. Nothing is repaired silently: what was noticed but can be
used is a note.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Final

import numpy as np
import pandas as pd

from backend.errors import BadRequest
from backend.insights.contents import F64, Bools, Choice, Dates
from backend.insights.image_files import ImageFiles
from backend.insights.table import ColumnMap, cell_text
from backend.protocols import I64

MOST_WORDS: Final = 2_000
MOST_CHARACTERS: Final = 20_000
LONGEST_NAME: Final = 200
MOST_VALUES: Final = 200  # of a categorical feature
MOST_TOLD: Final = 50
FEW: Final = 20  # contents of a domain below which little can be said about it
CONTROLS: Final = frozenset({"control", "c", "0", "original", "baseline", "a"})
TAG: Final = re.compile(r"</?[a-zA-Z][^<>]*>")


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a row; row 0 is the table as a whole."""

    row: int
    sentence: str


@dataclass(slots=True)
class Rows:
    """What was read: one entry a row, and what is wrong."""

    ids: list[str] = field(default_factory=list)
    parts: list[tuple[str, ...]] = field(default_factory=list)
    images: list[str] = field(default_factory=list)
    domain: list[str] = field(default_factory=list)
    experiment: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    is_control: Bools = field(default_factory=lambda: np.zeros(0, bool))
    dates: Dates = field(default_factory=lambda: np.zeros(0, "datetime64[D]"))
    impressions: F64 = field(default_factory=lambda: np.zeros(0))
    clicks: F64 = field(default_factory=lambda: np.zeros(0))
    success: F64 = field(default_factory=lambda: np.zeros(0))
    numbers: dict[str, F64] = field(default_factory=dict)
    choices: dict[str, Choice] = field(default_factory=dict)

    def wrong(self, row: int, sentence: str) -> None:
        """Notes a problem; ``row`` counts from 0, -1 is the table."""
        said = f"Row {row + 1}{sentence}" if row >= 0 else sentence
        self.problems.append(Problem(row + 1, said))


def read_rows(frame: pd.DataFrame, said: ColumnMap, files: ImageFiles) -> Rows:
    """Reads and checks every row; problems come in the order of the rows."""
    rows = Rows()
    _names(rows, frame, said)
    _texts(rows, frame, said, files)
    _success(rows, frame, said)
    _experiments(rows, frame, said)
    rows.dates = _dates(rows, frame, said.date)
    for name in said.features:
        _feature(rows, name, _cells(frame, name))
    _note_domains(rows, said)
    rows.problems.sort(key=lambda problem: problem.row)
    return rows


def refused(rows: Rows) -> BadRequest:
    """The first problems as one error."""
    first = " ".join(problem.sentence for problem in rows.problems[:3])
    more = len(rows.problems) - 3
    hint = f"And {more} more. " if more > 0 else ""
    return BadRequest(first, f"{hint}Nothing was imported; correct the table and try again.")


def _cells(frame: pd.DataFrame, column: str) -> list[str]:
    return [cell_text(value) for value in frame[column].tolist()]


def _column(frame: pd.DataFrame, column: str, otherwise: Callable[[int], str]) -> list[str]:
    """Texts of a column, or a text for each row where there is no such column."""
    return _cells(frame, column) if column else [otherwise(row) for row in range(len(frame))]


def _names(rows: Rows, frame: pd.DataFrame, said: ColumnMap) -> None:
    rows.ids = _column(frame, said.content_id, lambda row: str(row + 1))
    rows.experiment = _column(frame, said.experiment_id, lambda row: rows.ids[row])
    rows.domain = _column(frame, said.domain, lambda row: "all")
    first: dict[str, int] = {}
    for row, name in enumerate(rows.ids):
        if name in first:
            rows.wrong(row, f" has the content id {name[:60]!r} of row {first[name] + 1}.")
        first.setdefault(name, row)
    for what, values in (
        ("content id", rows.ids), ("experiment", rows.experiment), ("domain", rows.domain)
    ):  # fmt: skip
        for row, value in enumerate(values):
            if not value:
                rows.wrong(row, f" has no {what}.")
            elif len(value) > LONGEST_NAME:
                rows.wrong(row, f": the {what} has {len(value)} characters; 200 are allowed.")


def _texts(rows: Rows, frame: pd.DataFrame, said: ColumnMap, files: ImageFiles) -> None:
    columns = [_cells(frame, name) for name in said.text]
    rows.parts = [tuple(part) for part in zip(*columns, strict=True)] or [()] * len(frame)
    rows.images = _column(frame, said.image, lambda row: "")
    tagged = 0
    for row, (parts, image) in enumerate(zip(rows.parts, rows.images, strict=True)):
        words, characters = sum(len(part.split()) for part in parts), sum(map(len, parts))
        if words > MOST_WORDS:
            rows.wrong(row, f": the text has {words:,} words; {MOST_WORDS:,} are allowed.")
        elif characters > MOST_CHARACTERS:
            rows.wrong(
                row, f": the text has {characters:,} characters; {MOST_CHARACTERS:,} are allowed."
            )
        if not characters and not image:
            rows.wrong(row, " has neither a text nor an image.")
        if image and not files.has(image):
            rows.wrong(
                row, f" names the image {image[:60]!r}, which is not among the {len(files)} given."
            )
        tagged += any(TAG.search(part) for part in parts)
    if tagged:
        rows.notes.append(
            f"{tagged:,} of {len(frame):,} texts hold HTML tags, which are shown, never rendered."
        )


def _success(rows: Rows, frame: pd.DataFrame, said: ColumnMap) -> None:
    """Impressions, clicks and the rate (3.1)."""
    count = len(frame)
    shown = _numbers(rows, frame, said.impressions, "impressions")
    if said.impressions:
        for row in np.flatnonzero(shown <= 0):
            rows.wrong(int(row), f" has {shown[row]:g} impressions, so it has no success rate.")
    rows.impressions = shown
    rows.clicks = np.full(count, np.nan)
    if said.clicks and said.impressions:
        rows.clicks = _numbers(rows, frame, said.clicks, "clicks")
        for row in np.flatnonzero((rows.clicks > shown) & (shown > 0)):
            rows.wrong(
                int(row),
                f" has {rows.clicks[row]:g} clicks of {shown[row]:g} impressions: success above 1.",
            )
        for row in np.flatnonzero(rows.clicks < 0):
            rows.wrong(int(row), f" has {rows.clicks[row]:g} clicks; allowed are 0 and more.")
        rows.success = rows.clicks / np.where(shown > 0, shown, np.nan)
        return
    rows.success = _numbers(rows, frame, said.success, "success", whole=False)
    for row in np.flatnonzero((rows.success < 0) | (rows.success > 1)):
        rows.wrong(
            int(row), f" has the success {rows.success[row]:g}; allowed are shares from 0 to 1."
        )


def _numbers(rows: Rows, frame: pd.DataFrame, column: str, what: str, *, whole: bool = True) -> F64:
    """A column of numbers; NaN without the column, and where a cell is none."""
    found = np.full(len(frame), np.nan)
    for row, text in enumerate(_cells(frame, column) if column else []):
        value = as_number(text)
        if value is None or (whole and value != int(value)):
            kind = "whole number" if whole else "number"
            rows.wrong(row, f" has {text[:40]!r} as {what}; a {kind} is needed.")
        else:
            found[row] = value
    return found


def as_number(text: str) -> float | None:
    """The finite number that a cell says; None where it says none."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) and "_" not in text else None


def _experiments(rows: Rows, frame: pd.DataFrame, said: ColumnMap) -> None:
    """Which row is the control, and whether each experiment has one domain."""
    home: dict[str, tuple[str, int]] = {}
    members: dict[str, list[int]] = {}
    for row, (name, domain) in enumerate(zip(rows.experiment, rows.domain, strict=True)):
        first = home.setdefault(name, (domain, row))
        if first[0] != domain:
            rows.wrong(
                row,
                f" puts the experiment {name[:60]!r} into the domain {domain[:60]!r}, row "
                f"{first[1] + 1} into {first[0][:60]!r}.",
            )
        members.setdefault(name, []).append(row)
    rows.is_control = np.zeros(len(frame), bool)
    arms = [arm.lower() for arm in _cells(frame, said.arm)] if said.arm else []
    for name, found in members.items():
        controls = [row for row in found if arms[row] in CONTROLS] if arms else found[:1]
        if len(controls) == 1:
            rows.is_control[controls[0]] = True
        else:
            rows.wrong(
                found[0], f": the experiment {name[:60]!r} has {len(controls)} control arms, not 1."
            )
    alone = sum(len(found) == 1 for found in members.values())
    if said.experiment_id and alone:
        rows.notes.append(
            f"{alone:,} of {len(members):,} experiments have one arm and give no pair to compare."
        )


def _dates(rows: Rows, frame: pd.DataFrame, column: str) -> Dates:
    """Days; ``2014-11-03``, ``2014-11``, ``2014`` or a number ``201446`` of year and week.

    Six digits are year and month unless one of them says more than 12; weeks are ISO's unless one
    is 0, which is the one before the first Monday of the year.
    """
    found = np.full(len(frame), "NaT", "datetime64[D]")
    texts = _cells(frame, column) if column else []
    six = [text for text in texts if len(text) == 6 and text.isdecimal()]
    ends = {int(text[4:]) for text in six}
    unit = "month" if max(ends, default=0) <= 12 else "week" if 0 in ends else "iso week"
    for row, text in enumerate(texts):
        if text:
            day = _day(text, unit)
            if day is None:
                rows.wrong(row, f" has the date {text[:40]!r}; use 2026-11-28, 2026-11 or 2026.")
            else:
                found[row] = day
    return found


def _day(text: str, unit: str) -> np.datetime64 | None:
    try:
        if len(text) == 6 and text.isdecimal():
            year, rest = int(text[:4]), int(text[4:])
            if unit == "month":
                return np.datetime64(date(year, rest, 1), "D")
            if unit == "iso week":
                return np.datetime64(date.fromisocalendar(year, rest, 1), "D")
            return np.datetime64(datetime.strptime(f"{year} {rest} 1", "%Y %W %w").date(), "D")
        padded = {4: f"{text}-01-01", 7: f"{text}-01"}.get(len(text), text[:10])
        return np.datetime64(date.fromisoformat(padded), "D")
    except ValueError:
        return None


def _feature(rows: Rows, name: str, cells: Sequence[str]) -> None:
    """A column as numbers where every cell is one or empty, else as a choice."""
    values = [as_number(cell) if cell else math.nan for cell in cells]
    if all(value is not None for value in values):
        rows.numbers[name] = np.array(values, np.float64)
        return
    names = [cell[:LONGEST_NAME] for cell in cells]
    known = sorted({cell for cell in names if cell})
    if len(known) > MOST_VALUES:
        rows.wrong(
            -1,
            f"The column {name[:60]!r} has {len(known):,} different values; a feature has at most "
            f"{MOST_VALUES}.",
        )
        return
    place = {value: number for number, value in enumerate(known)}
    codes: I64 = np.array([place.get(cell, -1) for cell in names], np.int64)
    rows.choices[name] = Choice(tuple(known), codes)


def _note_domains(rows: Rows, said: ColumnMap) -> None:
    counts = Counter(rows.domain)
    for name in said.held_out:
        if name not in counts:
            rows.wrong(-1, f"There is no domain {name[:60]!r} to hold out.")
    if said.held_out and not set(counts) - set(said.held_out):
        rows.wrong(-1, "Every domain is held out, so nothing is left to train on.")
    for name, count in sorted(counts.items(), key=lambda one: one[1])[:5]:
        if count < FEW:
            where = [str(row + 1) for row, domain in enumerate(rows.domain) if domain == name]
            rows.notes.append(
                f"The domain {name[:60]!r} has {count} contents (rows {', '.join(where[:5])}"
                f"{', …' if count > 5 else ''}), too few for recommendations of its own."
            )


def told(rows: Rows) -> list[dict[str, Any]]:
    """The first problems for JSON."""
    return [{"row": one.row, "sentence": one.sentence} for one in rows.problems[:MOST_TOLD]]
