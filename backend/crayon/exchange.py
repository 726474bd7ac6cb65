"""Answers as files: JSON lines and CSV, there and back without loss; and the study's own arrays."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, Final

from backend.crayon.aggregate import VALUE
from backend.crayon.answers import Answer, AnswerStore
from backend.errors import BadRequest

COLUMNS: Final = tuple(field.name for field in fields(Answer))
REQUIRED: Final = (
    "client", "sequence", "item_set", "model", "kind", "item_id", "annotator", "answer",
)  # fmt: skip
NUMBERS: Final = ("sequence", "item_id", "ms", "id")
FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "'")
"""What a spreadsheet would calculate; such text is written with a ' before it."""
STUDY: Final = "crayon-study"


def to_jsonl(answers: Iterable[Answer]) -> str:
    """One JSON object a line, with every field of :class:`Answer`."""
    return "".join(json.dumps(asdict(answer), ensure_ascii=False) + "\n" for answer in answers)


def to_csv(answers: Iterable[Answer]) -> str:
    """A table with one column for each field of :class:`Answer`; no cell is a formula."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")  # so that a lone \r is quoted, too
    writer.writerow(COLUMNS)
    for answer in answers:
        writer.writerow([_cell(value) for value in asdict(answer).values()])
    return out.getvalue()


def read(text: str, suffix: str) -> list[Answer]:
    """Answers from the text of a file.

    Args:
        suffix: ``jsonl`` or ``csv``.

    Raises:
        BadRequest: the format is another one, a column is missing or unknown, or a value is not
            usable; names line and column.
    """
    readers: dict[str, Callable[[str], list[dict[str, Any]]]] = {
        "jsonl": _jsonl_rows,
        "csv": _csv_rows,
    }
    if suffix not in readers:
        raise BadRequest(f"Answers cannot be read from .{suffix[:20]}.", "Give .jsonl or .csv.")
    return [_read(row, line) for line, row in enumerate(readers[suffix](text), 1)]


def add(store: AnswerStore, answers: Sequence[Answer]) -> int:
    """Stores answers from elsewhere; those already here stay as they are. Returns how many are new.

    Row numbers change on the way; which row another one takes back is kept.

    Raises:
        BadRequest, StorageFull: as :meth:`AnswerStore.add`; then nothing is stored.
    """
    before = len(store.everything())
    first = [answer for answer in answers if answer.undoes is None]
    numbers = dict(zip((answer.id for answer in first), store.add(first), strict=True))
    undoing = []
    for answer in answers:
        if answer.undoes is not None:
            if answer.undoes not in numbers:
                raise BadRequest(
                    f"Answer {answer.id} takes back answer {answer.undoes}, which is not there.",
                    "Export all answers, superseded ones too.",
                )
            undoing.append(_with(answer, undoes=numbers[answer.undoes]))
    store.add(undoing)
    return len(store.everything()) - before


def read_published(path: Path, item_set: str = "study", model: str = "") -> list[dict[str, Any]]:
    """The verdicts of the published study, a bare JSON array of yes, no and maybe in the order of
    its data set, as rows for ``aggregate`` whose ids count from 0.

    They are verdicts of two people each already, so they carry the source ``published``.

    Raises:
        BadRequest: the file is not such an array; names the place of a wrong value.
    """
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadRequest(f"{path.name} is not a readable JSON file.") from error
    if not isinstance(values, list) or not values:
        raise BadRequest(f"{path.name} is not an array of answers.", 'Expected ["yes", "no", …].')
    for place, value in enumerate(values):
        if not isinstance(value, str) or value not in VALUE:
            raise BadRequest(
                f"Entry {place} of {path.name} is {str(value)[:40]!r}.",
                f"Allowed are {', '.join(VALUE)}.",
            )
    return [
        asdict(
            Answer(path.stem[:64], place, item_set, model, "map", place, STUDY, value, "published")
        )
        for place, value in enumerate(values)
    ]


def _with(answer: Answer, **changes: Any) -> Answer:
    return Answer(**(asdict(answer) | changes))


def _cell(value: object) -> object:
    if value is None:
        return ""
    if isinstance(value, float):
        return repr(value)
    is_formula = isinstance(value, str) and value.startswith(FORMULA)
    return f"'{value}" if is_formula else value


def _jsonl_rows(text: str) -> list[dict[str, Any]]:
    rows = []
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise BadRequest(f"Line {number} is not JSON.", "Each line is one object.") from error
        if not isinstance(row, dict):
            raise BadRequest(f"Line {number} is not a JSON object.", "Each line is one object.")
        rows.append(row)
    return rows


def _csv_rows(text: str) -> list[dict[str, Any]]:
    reader = csv.DictReader(io.StringIO(text, newline=""))
    _check_columns(reader.fieldnames or (), "The table")
    rows = []
    for number, row in enumerate(reader, 1):
        if None in row or None in row.values():
            raise BadRequest(f"Row {number} has more or fewer cells than the table has columns.")
        rows.append({name: _uncell(name, value, number) for name, value in row.items()})
    return rows


def _uncell(name: str, text: str, line: int) -> Any:
    try:
        if name in NUMBERS:
            return int(text)
        if name == "answered_at":
            return float(text)
        if name == "undoes":
            return int(text) if text else None
    except ValueError as error:
        raise BadRequest(
            f"Row {line} has {text[:40]!r} in the column {name}.", "A number is needed."
        ) from error
    return text[1:] if text.startswith("'") and text[1:].startswith(FORMULA) else text


def _check_columns(names: Iterable[str], what: str) -> None:
    held = set(names)
    for name in REQUIRED:
        if name not in held:
            raise BadRequest(
                f"{what} has no column {name!r}.", f"Needed are {', '.join(REQUIRED)}."
            )
    for name in sorted(held - set(COLUMNS), key=str):
        raise BadRequest(
            f"{what} has a column {str(name)[:40]!r}, which answers do not have.",
            f"Columns are {', '.join(COLUMNS)}.",
        )


def _read(row: dict[str, Any], line: int) -> Answer:
    _check_columns(row, f"Answer {line}")
    undoes = row.get("undoes")
    if undoes is not None and type(undoes) is not int:
        raise BadRequest(f"Answer {line} takes back {str(undoes)[:40]!r}.", "A number is needed.")
    return Answer(**row).checked()
