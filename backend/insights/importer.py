"""A table of the user's and its images as contents: checked first, then all of it or nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from backend.errors import BadRequest, NotFound
from backend.insights import checks, image_files
from backend.insights.contents import Contents
from backend.insights.image_files import ImageFiles
from backend.insights.pictures import KeptPictures
from backend.insights.splits import by_experiment
from backend.insights.table import ColumnMap, cell_text, column_map, read_table
from backend.protocols import I64, U8, Progress

SHOWN: Final = 5
SHOWN_CHARACTERS: Final = 200
MOST_BYTES: Final = 2_000_000_000  # of all images of a set, shrunk
SOURCE: Final = "Imported from a table of the user's own."
Given = str | Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Upload:
    """What is imported: a table's bytes and name, and its images.

    Attributes:
        images: a folder, a zip on disk, a zip's bytes, or None.
    """

    data: bytes
    name: str
    images: Path | bytes | None = None

    @classmethod
    def of(cls, table: Path, images: Path | None = None) -> Upload:
        """From files.

        Raises:
            NotFound: one of them is not there.
        """
        try:
            data = table.read_bytes()
        except OSError as error:
            raise NotFound(f"The table {table.name[:80]} cannot be read.") from error
        if images is not None and not images.exists():
            raise NotFound(f"There are no images at {images.name[:80]}.")
        return cls(data, table.name, images)


def preview(upload: Upload, given: Given = "") -> dict[str, Any]:
    """What the table holds and what is wrong with it; images are looked for but not opened.

    Raises:
        BadRequest: the table cannot be read at all.
    """
    frame = read_table(upload.data, upload.name)
    columns = [str(column) for column in frame.columns]
    shown = [
        [cell_text(value)[:SHOWN_CHARACTERS] for value in row]
        for row in frame.head(SHOWN).itertuples(index=False)
    ]
    told: dict[str, Any] = {"columns": columns, "rows": len(frame), "preview": shown}
    try:
        said = column_map(columns, given)
    except BadRequest as error:
        problem = {"row": 0, "sentence": f"{error.message} {error.hint}".strip()}
        empty = ColumnMap().told()
        return told | {
            "mapping": empty, "problems": [problem], "n_problems": 1, "notes": [], "summary": {}
        }  # fmt: skip
    with image_files.opened(upload.images) as files:
        rows = checks.read_rows(frame, said, files)
    return told | {
        "mapping": said.told(),
        "problems": checks.told(rows),
        "n_problems": len(rows.problems),
        "notes": rows.notes,
        "summary": {
            "contents": len(rows.ids),
            "experiments": len(set(rows.experiment)),
            "domains": len(set(rows.domain)),
            "with_image": sum(map(bool, rows.images)),
            "with_text": sum(any(parts) for parts in rows.parts),
        },
    }


def image_names(upload: Upload, given: Given = "") -> list[str]:
    """The images that a table names, once each.

    Raises:
        BadRequest: the table cannot be read, or a column is not there.
    """
    frame = read_table(upload.data, upload.name)
    said = column_map([str(column) for column in frame.columns], given)
    if not said.image:
        return []
    return [name for name in dict.fromkeys(map(cell_text, frame[said.image])) if name]


def read(
    upload: Upload,
    given: Given = "",
    title: str = "",
    key: str = "table",
    report: Progress | None = None,
) -> Contents:
    """The contents of a table, in memory only.

    Args:
        report: told how many of the rows' images are read; may cancel.

    Raises:
        BadRequest: the table, a row or an image cannot be used; names the row.
    """
    frame = read_table(upload.data, upload.name)
    said = column_map([str(column) for column in frame.columns], given)
    with image_files.opened(upload.images) as files:
        rows = checks.read_rows(frame, said, files)
        if rows.problems:
            raise checks.refused(rows)
        pictures = _pictures(rows, files, report)
        if rows.problems:
            raise checks.refused(rows)
    return _contents(frame, said, rows, pictures, title or Path(upload.name).stem, key)


def _pictures(rows: checks.Rows, files: ImageFiles, report: Progress | None) -> KeptPictures | None:
    """Every image once; one that cannot be used is a problem of the first row that names it.

    Raises:
        BadRequest: they are too many to be held in memory.
    """
    if not any(rows.images):
        return None
    place: dict[str, tuple[int, int, int]] = {"": (0, 0, 0)}
    blocks, end = [], 0
    for row, name in enumerate(rows.images):
        if report:
            report(row, len(rows.images))
        if name in place:
            continue
        place[name] = (0, 0, 0)
        try:
            found = image_files.kept(files.read(name))
        except BadRequest as error:
            rows.wrong(row, f": {name[:60]}: {error.message} {error.hint}".rstrip())
            continue
        blocks.append(found.data)
        place[name] = (end, end + len(found.data), found.source_pixels)
        end += len(found.data)
        if end > MOST_BYTES:
            raise BadRequest(
                f"The images need more than {MOST_BYTES // 1_000_000} MB, shrunk as they are.",
                "Import fewer contents at a time.",
            )
    table: I64 = np.array([place[name] for name in rows.images], np.int64).reshape(-1, 3)
    data: U8 = np.frombuffer(b"".join(blocks), np.uint8)
    return KeptPictures(data, table[:, 0], table[:, 1], table[:, 2])


def _contents(
    frame: pd.DataFrame,
    said: ColumnMap,
    rows: checks.Rows,
    pictures: KeptPictures | None,
    title: str,
    key: str,
) -> Contents:
    domains, domain = _numbered(rows.domain)
    experiments, experiment = _numbered(rows.experiment)
    closed = frozenset(domains.index(name) for name in said.held_out)
    identity = _identity(rows, pictures)
    return Contents(
        key=key,
        title=title,
        simulated=False,
        source=SOURCE,
        licence="the user's own",
        fingerprint=_fingerprint(frame, said, pictures),
        ids=tuple(rows.ids),
        fields=said.text,
        parts=tuple(rows.parts),
        domains=domains,
        domain=domain,
        held_out=closed,
        experiments=experiments,
        experiment=experiment,
        is_control=rows.is_control,
        dates=rows.dates,
        impressions=rows.impressions,
        clicks=rows.clicks,
        success=rows.success,
        numbers=rows.numbers,
        choices=rows.choices,
        split=by_experiment(experiment, domain, closed, identity),
        pictures=pictures,
        notes=tuple(rows.notes),
    )


def _numbered(names: list[str]) -> tuple[tuple[str, ...], I64]:
    """Distinct names in the order of their first row, and each row's number."""
    place = {name: number for number, name in enumerate(dict.fromkeys(names))}
    return tuple(place), np.array([place[name] for name in names], np.int64)


def _identity(rows: checks.Rows, pictures: KeptPictures | None) -> list[str]:
    """What makes a content the same as another: its texts and its picture's bytes."""
    found = []
    for row, parts in enumerate(rows.parts):
        picture = b""
        if pictures is not None:
            picture = pictures.data[pictures.starts[row] : pictures.ends[row]].tobytes()
        told = "\x1f".join(parts).encode("utf-8", "replace")
        found.append(hashlib.sha256(told + b"\0" + picture).hexdigest())
    return found


def _fingerprint(frame: pd.DataFrame, said: ColumnMap, pictures: KeptPictures | None) -> str:
    """16 hex digits of what was read."""
    digest = hashlib.sha256(repr(said).encode())
    for name in said.columns():
        digest.update(repr([cell_text(value) for value in frame[name].tolist()]).encode())
    if pictures is not None:
        digest.update(np.ascontiguousarray(pictures.data).data)
    return digest.hexdigest()[:16]
