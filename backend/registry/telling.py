"""What kind of data set a path is, told from what lies in it; its owner may say otherwise."""

from __future__ import annotations

import zipfile
from collections import Counter
from itertools import islice
from pathlib import Path
from typing import Final

import numpy as np

from backend.errors import BadRequest
from backend.registry.data_spec import CLOUDS, IMAGES, LARGE, SetKind, SetSpec, plain_kind
from backend.registry.reading import GUESSES, column_of, read_table

LOOKED_AT: Final = 5_000  # files of a folder
MOSTLY: Final = 0.9
SUCCESS: Final = ("clicks", "conversions", "n_clicks", "success", "success_rate", "ctr", "rating")


def kind_of(path: Path, labels: str = "") -> SetKind:
    """The kind that a folder or file most likely is.

    Args:
        labels: an ``.npy`` of labels that goes with it: then it is labelled images.

    Raises:
        BadRequest: it is not there, or none of the kinds.
    """
    kind = plain_kind(path)
    if kind == "folder":
        return _of_folder(path)
    if kind == "table":
        return _of_columns([str(name) for name in read_table(path).columns])
    if kind == "arrays" and not labels:
        return _of_archive(path) if path.suffix.lower() == ".npz" else _of_array(path)
    return kind


def _of_folder(root: Path) -> SetKind:
    if any(root.glob("annotations/*.json")) or ((root / "images").is_dir() and _has_labels(root)):
        return "boxes"
    files = [path for path in islice(root.rglob("*"), LOOKED_AT) if path.is_file()]
    count = Counter(path.suffix.lower() for path in files)
    if not any(count[suffix] for suffix in IMAGES):
        if any(count[suffix] for suffix in LARGE):
            return "large"
        if any(count[suffix] for suffix in (*CLOUDS, ".npy")):
            return "clouds"
    pictures = [path for path in files if path.suffix.lower() in IMAGES]
    with_text = sum(path.with_suffix(".txt").is_file() for path in pictures)
    return "pairs" if pictures and with_text >= MOSTLY * len(pictures) else "folder"


def _has_labels(root: Path) -> bool:
    return any(path.is_dir() for path in (root / "labels", *root.glob("*/labels")))


def _of_columns(columns: list[str]) -> SetKind:
    names = {name.strip().lower() for name in columns}
    if names & set(SUCCESS):
        return "contents"
    has = {part: column_of("", part, columns) is not None for part in GUESSES}
    return "pairs" if has["image"] and has["caption"] and not has["label"] else "table"


def _of_archive(path: Path) -> SetKind:
    try:
        with zipfile.ZipFile(path) as archive:
            names = {Path(name).stem for name in archive.namelist()}
    except (OSError, zipfile.BadZipFile) as error:
        raise BadRequest(f"{path.name} is damaged or was cut short.", "Save it again.") from error
    from backend.gap.importer import TEXTS

    if names & set(TEXTS):
        return "embeddings"
    return "clouds" if "points" in names else "frames" if "frames" in names else "arrays"


def _of_array(path: Path) -> SetKind:
    """Numbers below 0 are no pixels: clouds where each has three, else both halves of pairs."""
    try:
        found = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return "arrays"  # whose reader says what is wrong
    if found.ndim != 3 or found.dtype.kind != "f" or not found.size or found[0].min() >= 0:
        return "arrays"
    if found.shape[2] == 3:
        return "clouds"
    return "embeddings" if len(found) == 2 else "arrays"


def spec_of(name: str, path: Path, given: dict[str, object]) -> SetSpec:
    """The spec of a path and what its owner says; its kind is told where nobody says it.

    Raises:
        BadRequest: it is not there, none of the kinds, or a value is not usable.
    """
    kind = str(given.get("kind") or "") or kind_of(path, str(given.get("labels") or ""))
    if kind == "folder" and not path.is_dir():
        raise BadRequest(f"{path.name[:60]} is no folder.", "Leave the kind to be told.")
    rest = {key: value for key, value in given.items() if key != "kind"}
    return SetSpec(name, kind, str(path.resolve())).changed(rest)  # type: ignore[arg-type]
