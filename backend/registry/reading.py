"""What a data set lists: images with their labels and splits, and what is wrong with rows."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from backend.errors import BadRequest
from backend.registry.data_spec import IMAGES, SetSpec

SPLITS: Final = ("train", "val", "valid", "validation", "test", "eval")
GUESSES: Final[dict[str, tuple[str, ...]]] = {
    "image": ("image", "path", "file", "filename", "file_name", "filepath", "image_path", "img"),
    "label": ("label", "class", "target", "category", "y", "class_name", "species"),
    "split": ("split", "set", "subset", "partition", "fold"),
    "caption": ("caption", "text", "description", "sentence", "alt_text", "prompt"),
}
MOST_ITEMS: Final = 2_000_000
MOST_CLASSES: Final = 30_000


@dataclass(slots=True)
class Listing:
    """Images in a fixed order.

    Attributes:
        paths: absolute.
        names: what people call them: the path below the set's folder.
        labels: class names; empty where unknown.
        splits: such as train and test; empty where there are none.
        rows: where each stands: the row of a table, whose header is row 1; else its place.
        problems: ``(row, sentence)`` of rows that are left out.
        columns: of a table, for the mapping form.
        captions: of paired images; empty for other sets.
    """

    paths: list[Path] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    splits: list[str] = field(default_factory=list)
    rows: list[int] = field(default_factory=list)
    problems: list[tuple[int, str]] = field(default_factory=list)
    columns: list[str] = field(default_factory=list)
    captions: list[str] = field(default_factory=list)


def listed(spec: SetSpec) -> Listing:
    """The images of a folder or table, in the order of their names or rows.

    Raises:
        BadRequest: there is none, or a column is missing.
    """
    found = _folder(Path(spec.path)) if spec.kind == "folder" else listed_table(spec)
    if not found.paths:
        what = f"; the first problem: {found.problems[0][1]}" if found.problems else ""
        raise BadRequest(
            f"{Path(spec.path).name} holds no images that can be used{what}.",
            "Images are PNG, JPEG, WebP or BMP.",
        )
    if len(found.paths) > MOST_ITEMS:
        raise BadRequest(f"{len(found.paths)} images are too many.", f"Allowed are {MOST_ITEMS}.")
    return found


def classes_of(spec: SetSpec, labels: Sequence[str]) -> tuple[str, ...]:
    """The class names of a set, in order: those its spec says, else its own, sorted.

    Numbers sort as numbers.

    Raises:
        BadRequest: a label is none of those that the spec names, or there are too many.
    """
    present = {label for label in labels if label}
    if spec.classes:
        unknown = sorted(present - set(spec.classes))
        if unknown:
            raise BadRequest(
                f"The label {unknown[0][:60]!r} is none of the {len(spec.classes)} classes named.",
                f"Name all of them: {', '.join(sorted(present))[:200]}.",
            )
        return spec.classes
    if len(present) > MOST_CLASSES:
        raise BadRequest(
            f"{len(present)} different labels are too many for classes.",
            "Choose another label column.",
        )
    are_numbers = all(label.isascii() and label.isdigit() for label in present)
    return tuple(sorted(present, key=int) if are_numbers else sorted(present))


def _folder(root: Path) -> Listing:
    """Class folders, split folders of class folders, or images without labels."""
    found = Listing()
    tops = sorted(entry.name for entry in os.scandir(root) if entry.is_dir())
    has_splits = bool(tops) and all(name.lower() in SPLITS for name in tops)
    for path in files_below(root):
        parts = path.relative_to(root).parts
        split, rest = (parts[0].lower(), parts[1:]) if has_splits else ("", parts)
        found.rows.append(len(found.paths) + 1)
        found.paths.append(path)
        found.names.append("/".join(parts))
        found.labels.append(rest[0] if len(rest) > 1 else "")
        found.splits.append(split)
    return found


def files_below(root: Path, suffixes: Collection[str] = IMAGES) -> list[Path]:
    """Files of some suffixes below a folder, by name; links to folders are not followed, and links
    that lead out of it are left out.
    """
    held = []
    inside = root.resolve()
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            path = Path(folder) / name
            if name.startswith(".") or path.suffix.lower() not in suffixes:
                continue
            if path.is_symlink() and not path.resolve().is_relative_to(inside):
                continue
            held.append(path)
    return held


def listed_table(spec: SetSpec) -> Listing:
    """The images that a table names, with what is wrong with its rows. Raises BadRequest."""
    path = Path(spec.path)
    frame = read_table(path)
    columns = [str(name) for name in frame.columns]
    image = column_of(spec.image, "image", columns)
    if image is None:
        raise BadRequest(
            f"{path.name} has no column of image paths.",
            f"Say which: --image COLUMN. It has {', '.join(columns)[:200]}.",
        )
    label, split, caption = (
        column_of(getattr(spec, k), k, columns) for k in ("label", "split", "caption")
    )
    found = Listing(columns=columns)
    root = path.parent.resolve()
    for row, value in enumerate(frame[image].tolist(), start=2):
        problem = _problem(root, value)
        if problem:
            found.problems.append((row, problem))
            continue
        found.rows.append(row)
        found.paths.append(root / str(value).strip())
        found.names.append(str(value).strip())
        found.labels.append(_text(frame[label].iloc[row - 2]) if label else "")
        found.splits.append(_text(frame[split].iloc[row - 2]).lower() if split else "")
        found.captions.append(_text(frame[caption].iloc[row - 2]) if caption else "")
    return found


def read_table(path: Path) -> Any:
    """A CSV or Parquet file as a frame of texts.

    Raises:
        BadRequest: it cannot be read or is empty.
    """
    import pandas as pd
    import pyarrow

    try:
        if path.suffix.lower() == ".parquet":
            frame = pd.read_parquet(path)
        else:
            frame = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadRequest(f"{path.name} is not UTF-8.", "Save it as CSV UTF-8.") from error
    except pd.errors.EmptyDataError as error:
        raise BadRequest(f"{path.name} is empty.", "It needs a header and rows.") from error
    except pd.errors.ParserError as error:
        raise BadRequest(
            f"{path.name} is not a regular CSV: {str(error).splitlines()[-1][:120]}.",
            "Quote texts that hold commas.",
        ) from error
    except (OSError, ValueError, pyarrow.ArrowInvalid) as error:
        raise BadRequest(f"{path.name} cannot be read: {str(error)[:120]}.") from error
    if not len(frame):
        raise BadRequest(f"{path.name} has a header and no rows.")
    return frame


def column_of(asked: str, what: str, columns: Sequence[str]) -> str | None:
    """The column for a part: the one asked for, else a usual name; None where there is none.

    Raises:
        BadRequest: the one asked for is not there.
    """
    if asked:
        if asked not in columns:
            raise BadRequest(
                f"There is no column {asked[:60]!r} for the {what}.",
                f"There are {', '.join(columns)[:200]}."
                if columns
                else "Only tables have columns: leave it away.",
            )
        return asked
    by_name = {name.strip().lower(): name for name in columns}
    return next((by_name[guess] for guess in GUESSES[what] if guess in by_name), None)


def _problem(root: Path, value: Any) -> str:
    """Why a row's image cannot be used; empty where it can."""
    text = _text(value)
    if not text:
        return "no image is named"
    if text.startswith(("http://", "https://")):
        return f"{text[:60]} is an address; images are read from files beside the table"
    path = (root / text).resolve()
    if not path.is_relative_to(root):
        return f"{text[:60]} leads out of the folder of the table"
    if not path.is_file():
        return f"there is no file {text[:60]}"
    if path.suffix.lower() not in IMAGES:
        return f"{text[:60]} is not PNG, JPEG, WebP or BMP"
    return ""


def _text(value: Any) -> str:
    """A cell as text: whole numbers without ``.0``, what is missing as nothing."""
    if value is None or value != value:
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip()
