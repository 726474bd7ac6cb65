"""Loaders of the folder layouts in which confounded sets are published; masks may be given beside.

Nothing outside of the folder is read: names that lead out of it are refused.
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from PIL import Image, UnidentifiedImageError

from backend.crayon.sets import SPLITS, GuidedSet
from backend.errors import BadRequest
from backend.protocols import F32, U8

WATERBIRDS: Final = ("img_filename", "y", "place", "split")
SIMPLE: Final = ("image", "label", "group", "split")
SPLIT_NAMES: Final = {
    "0": 0, "train": 0, "training": 0, "1": 1, "val": 1, "validation": 1, "2": 2, "test": 2,
}  # fmt: skip
CELEBA_TRAIN: Final = 162_770  # first images of CelebA's official training range
IN9: Final = ("original", "mixed_same", "mixed_rand", "only_fg")
MOST_PIXELS: Final = 40_000_000


@dataclass(frozen=True, slots=True)
class Entry:
    """One image: its path below the folder, class name, group name and split number."""

    path: str
    label: str
    group: str
    split: int


def waterbirds(folder: Path) -> GuidedSet:
    """Waterbirds: ``metadata.csv`` with ``img_filename, y, place, split``.

    Raises:
        BadRequest: a file or column is missing, or a value is unknown.
    """
    kinds, places = ("land bird", "water bird"), ("land", "water")
    entries = []
    for number, row in enumerate(_table(folder / "metadata.csv", WATERBIRDS), 1):
        y, place = (_whole(row, name, number, 2) for name in ("y", "place"))
        entries.append(
            Entry(
                row["img_filename"],
                kinds[y],
                f"{kinds[y]} on {places[place]}",
                _split(row["split"], number),
            )
        )
    return assembled(folder, entries, "Waterbirds", "Is the strong highlight mainly on the bird?")


def simple_csv(path: Path) -> GuidedSet:
    """Any CSV with ``image, label, group, split`` beside its images. Raises as above."""
    entries = [
        Entry(row["image"], row["label"], row["group"], _split(row["split"], number))
        for number, row in enumerate(_table(path, SIMPLE), 1)
    ]
    question = "Is the strong highlight mainly on the {class}?"
    return assembled(path.parent, entries, path.stem, question)


def celeba(folder: Path, counts: dict[str, int] | None = None, seed: int = 0) -> GuidedSet:
    """Smiling against hair colour from ``list_attr_celeba.txt`` and ``img_align_celeba``.

    Images with both or neither of black and blond hair are left out; training rows come from the
    official training range, test rows from the rest.

    Args:
        counts: how many images of a training group are kept, drawn at random; all unless given.

    Raises:
        BadRequest: the attribute file is missing or lacks an attribute.
    """
    try:
        lines = (folder / "list_attr_celeba.txt").read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise BadRequest("There is no list_attr_celeba.txt in the folder.") from error
    names = lines[1].split() if len(lines) > 1 else []
    for name in ("Smiling", "Black_Hair", "Blond_Hair"):
        if name not in names:
            raise BadRequest(f"list_attr_celeba.txt has no attribute {name}.")
    entries: list[Entry] = []
    for number, line in enumerate(lines[2:]):
        file, *values = line.split() or [""]
        if len(values) != len(names):
            raise BadRequest(
                f"Row {number + 1} of list_attr_celeba.txt has {len(values)} values for "
                f"{len(names)} attributes."
            )
        has = {name: value == "1" for name, value in zip(names, values, strict=True)}
        if has["Black_Hair"] == has["Blond_Hair"]:
            continue
        label = "smiling" if has["Smiling"] else "not smiling"
        hair = "black hair" if has["Black_Hair"] else "blond hair"
        split = 0 if number < CELEBA_TRAIN else 2
        entries.append(Entry(f"img_align_celeba/{file}", label, f"{label}, {hair}", split))
    kept = _drawn(entries, counts or {}, seed)
    return assembled(folder, kept, "CelebA", "Can you tell whether the person is smiling?")


def in9(folder: Path, variant: str = "original") -> GuidedSet:
    """ImageNet-9: ``<variant>/val/<class>/*``, all of it a test set; a group is a class.

    Raises:
        BadRequest: the variant is unknown or its folder missing.
    """
    root = folder / variant / "val"
    if variant not in IN9 or not root.is_dir():
        raise BadRequest(f"There is no {variant[:40]}/val here.", f"Variants are {', '.join(IN9)}.")
    entries = [
        Entry(path.relative_to(folder).as_posix(), kind.name, kind.name, 2)
        for kind in sorted(root.iterdir())
        if kind.is_dir()
        for path in sorted(kind.iterdir())
    ]
    question = "Is the strong highlight mainly on the {class}?"
    return assembled(folder, entries, f"ImageNet-9, {variant}", question)


def assembled(
    folder: Path, entries: Sequence[Entry], title: str, question: str, px: int = 128
) -> GuidedSet:
    """A set of files: shorter side scaled to ``px``, centre cropped to a square.

    Raises:
        BadRequest: there is no image, or a path leads out of the folder or to no file.
    """
    if not entries:
        raise BadRequest(f"{title} has no image.", "Check the folder and its table.")
    root = folder.resolve()
    paths = [_inside(root, entry, number) for number, entry in enumerate(entries, 1)]
    labels = sorted({entry.label for entry in entries})
    groups = sorted({entry.group for entry in entries})
    sizes = [path.stat().st_size for path in paths]
    rows = zip(entries, sizes, strict=True)
    told = "\n".join(f"{e.path}|{e.label}|{e.group}|{e.split}|{size}" for e, size in rows)
    return GuidedSet(
        key=f"own-{hashlib.sha256(told.encode()).hexdigest()[:12]}",
        title=title,
        classes=tuple(labels),
        question=question,
        patch_question=question.replace("strong highlight mainly", "red highlight"),
        panels=("overlay",) if title == "CelebA" else ("original", "overlay", "red"),
        labels=np.array([labels.index(e.label) for e in entries], np.int64),
        groups=np.array([groups.index(e.group) for e in entries], np.int64),
        split=np.array([e.split for e in entries], np.int64),
        group_names=tuple(groups),
        shape=(px, px),
        source=f"{len(entries)} files of your own.",
        licence="yours",
        fingerprint=hashlib.sha256(told.encode()).hexdigest()[:16],
        read=lambda rows: np.stack([_image(paths[int(row)], px) for row in rows]),
        names=tuple(Path(e.path).name for e in entries),
        root=root,
        files=tuple(e.path for e in entries),
    )


def check_image(held: GuidedSet, row: int) -> None:
    """Opens an image without decoding it.

    Raises:
        BadRequest: it is no JPEG, PNG or WebP image, or too large; names the row, from 1.
    """
    assert held.root is not None
    try:
        with _opened(held.root / held.files[row]):
            pass
    except BadRequest as error:
        raise BadRequest(f"Row {row + 1}: {error.message}", error.hint) from error


def with_masks(held: GuidedSet, folder: Path) -> GuidedSet:
    """The set with masks: for every image a PNG of its name in ``folder``, white on the object.

    Raises:
        BadRequest: a mask is missing; names the row.
    """
    root = folder.resolve()
    paths = []
    for number, name in enumerate(held.files, 1):
        path = (root / name).with_suffix(".png").resolve()
        if not path.is_relative_to(root) or not path.is_file():
            raise BadRequest(
                f"Row {number}: there is no mask {Path(name).with_suffix('.png').as_posix()!r}.",
                "Every image needs one, as a PNG of the same name below the folder of masks.",
            )
        paths.append(path)

    def cover(rows: Sequence[int], shape: tuple[int, int]) -> F32:
        return np.stack([_mask(paths[int(row)], shape) for row in rows])

    told = "".join(str(path.stat().st_size) for path in paths)
    mark = hashlib.sha256(f"{held.fingerprint}{told}".encode()).hexdigest()[:16]
    return replace(held, cover=cover, fingerprint=mark)


def _mask(path: Path, shape: tuple[int, int]) -> F32:
    """Share of each cell ``(h, w)`` that is white, of the central square that the image shows."""
    with _opened(path) as picture:
        white = picture.convert("L").point([0] * 128 + [255] * 128).convert("F")
        size = shape[1], shape[0]
        small = white.resize(size, Image.Resampling.BOX, box=_square(picture))
    found: F32 = np.asarray(small, np.float32) / np.float32(255)
    return found


def _square(picture: Image.Image) -> tuple[int, int, int, int]:
    side = min(picture.size)
    left, top = (picture.width - side) // 2, (picture.height - side) // 2
    return left, top, left + side, top + side


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    try:
        with Image.open(path, formats=("JPEG", "PNG", "WEBP")) as picture:
            if picture.width * picture.height > MOST_PIXELS:
                raise BadRequest(f"{path.name} has more than {MOST_PIXELS // 10**6} megapixels.")
            yield picture
    except (OSError, UnidentifiedImageError) as error:
        raise BadRequest(f"{path.name} is not a readable JPEG, PNG or WebP image.") from error


def _image(path: Path, px: int) -> U8:
    with _opened(path) as picture:
        colour, box = picture.convert("RGB"), _square(picture)
        small = colour.resize((px, px), Image.Resampling.BILINEAR, box=box)
    return np.asarray(small, np.uint8)


def _inside(root: Path, entry: Entry, row: int) -> Path:
    for what, text in (("image", entry.path), ("label", entry.label), ("group", entry.group)):
        if not text:
            raise BadRequest(f"Row {row} has no {what}.", "Every row needs one.")
    path = (root / entry.path).resolve()
    if not path.is_relative_to(root) or not path.is_file():
        raise BadRequest(
            f"Row {row}: there is no image {entry.path[:80]!r} in the folder.",
            "Names are relative to the folder.",
        )
    return path


def _table(path: Path, columns: Sequence[str]) -> list[dict[str, Any]]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file)
            for name in columns:
                if name not in (reader.fieldnames or ()):
                    raise BadRequest(
                        f"{path.name} has no column {name!r}.", f"Needed are {', '.join(columns)}."
                    )
            return [_whole_row(row, number) for number, row in enumerate(reader, 1)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BadRequest(f"There is no readable {path.name} in the folder.") from error


def _whole_row(row: dict[Any, Any], number: int) -> dict[str, Any]:
    if None in row or None in row.values():
        raise BadRequest(f"Row {number} has more or fewer cells than the table has columns.")
    return row


def _split(text: str, row: int) -> int:
    if text not in SPLIT_NAMES:
        raise BadRequest(f"Row {row} is in the split {text[:40]!r}.", f"Use {', '.join(SPLITS)}.")
    return SPLIT_NAMES[text]


def _whole(row: dict[str, Any], name: str, number: int, below: int) -> int:
    text = str(row[name])
    if text not in {str(v) for v in range(below)}:
        raise BadRequest(
            f"Row {number} has {name}={text[:40]!r}.", f"Allowed are 0 to {below - 1}."
        )
    return int(text)


def _drawn(entries: list[Entry], counts: dict[str, int], seed: int) -> list[Entry]:
    kept = set(range(len(entries)))
    rng = np.random.default_rng(seed)
    for group, count in counts.items():
        members = [i for i, e in enumerate(entries) if e.group == group and e.split == 0]
        kept -= set(rng.permutation(members)[count:].tolist())
    return [entries[i] for i in sorted(kept)]
