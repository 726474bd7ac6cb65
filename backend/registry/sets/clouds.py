"""Clouds of points: a folder of files, perhaps in class folders, or arrays of many clouds."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from backend.cloud_files import prepared, read_clouds
from backend.clouds import CloudItems, picture
from backend.errors import BadRequest
from backend.protocols import F32, Arrays, Progress
from backend.registry import own_classes, reading
from backend.registry.data_spec import CLOUDS, SetSpec
from backend.registry.earlier import NOTHING, Earlier, stamp_of
from backend.registry.kinds import members
from backend.registry.reading import SPLITS, Listing, files_below
from backend.registry.sets import Content, Head, sha_of

SUFFIXES: Final = (*CLOUDS, ".npy")
MOST: Final = 1000


@dataclass(slots=True)
class _Listed(Listing):
    """Also the classes that the file itself names, in order, and the points of an array."""

    classes: tuple[str, ...] = ()
    points: NDArray[Any] | None = None


def listed(spec: SetSpec) -> Listing:
    """Every file, with the name of its folder as its class."""
    return _listed(spec, own_classes.said(spec, NOTHING))


def _listed(spec: SetSpec, said: tuple[str, ...]) -> _Listed:
    path, found = Path(spec.path), _Listed()
    if path.is_file():
        found.points, found.labels, found.classes = _arrays(path, said)
        found.names = [f"{path.stem} #{row}" for row in range(len(found.points))]
    else:
        found.paths = files_below(path, SUFFIXES)
        parts = [file.relative_to(path).parts for file in found.paths]
        found.names = ["/".join(part) for part in parts]
        found.labels = [_folder_of(part) for part in parts]
    found.rows = list(range(1, len(found.names) + 1))
    found.splits = [""] * len(found.names)
    return found


def _folder_of(parts: tuple[str, ...]) -> str:
    """The class in the path of a file: its folder, or the one above ``train`` or ``test``."""
    return next((part for part in reversed(parts[:-1]) if part.lower() not in SPLITS), "")


def content(spec: SetSpec, progress: Progress, earlier: Earlier) -> Content:
    """The clouds, at most 1,000: moved to their mean, scaled into the unit ball, 2,048 points."""
    said = own_classes.said(spec, earlier)
    listing = _listed(spec, said)
    classes, notes = _classes(spec, listing, said)
    if listing.points is not None:
        clouds = list(prepared(listing.points[:MOST].astype(np.float64)))
        kept, stamps = list(range(len(clouds))), list[int]()
    else:
        kept, stamps, clouds = _read_all(listing, progress, earlier)
    if len(listing.names) > MOST:
        notes.append(f"The first {MOST:,} of {len(listing.names):,} clouds are taken.")
    points = np.stack(clouds) if clouds else np.empty((0, 1, 3), np.float32)
    place = {name: number for number, name in enumerate(classes)}
    labels = np.array([place.get(listing.labels[row], -1) for row in kept], np.int64)
    return Content(
        [listing.names[row] for row in kept],
        lambda row: picture(points[row]),
        lambda row: sha_of(points[row]),
        [classes[label] if label >= 0 else "" for label in labels.tolist()],
        stamps,
        problems=sorted(listing.problems),
        notes=notes,
        arrays={"points": points, "labels": labels, **own_classes.kept(classes, said)},
        classes=classes,
    )


def _classes(
    spec: SetSpec, listing: _Listed, said: tuple[str, ...]
) -> tuple[tuple[str, ...], list[str]]:
    """The classes of the set, and what is to be told of labels that are none of them."""
    found = listing.classes or reading.classes_of(spec.changed({"classes": []}), listing.labels)
    # One folder is where clouds lie; classes are what a network tells apart.
    classes = own_classes.chosen("clouds", found if len(found) > 1 else (), said)
    odd = sorted({label for label in listing.labels if label} - set(classes))
    if not odd:
        return classes, []
    more = f" (and {len(odd) - 1} more)" if odd[1:] else ""
    is_own = bool(said or listing.classes)
    whose = f"{len(classes)} classes named" if is_own else "classes of the models of points"
    told = f"{odd[0][:40]!r}{more} is none of the {whose}: such clouds have no label."
    return classes, [told if is_own else f"{told} Say which classes there are, and they have one."]


def _read_all(
    listing: Listing, progress: Progress, earlier: Earlier
) -> tuple[list[int], list[int], list[F32]]:
    """The rows whose file can be used, their stamps and their clouds."""
    kept: list[int] = []
    stamps: list[int] = []
    clouds: list[F32] = []
    for row, file in enumerate(listing.paths[:MOST]):
        progress(row, len(listing.paths))
        stamp = stamp_of("clouds", [file])
        try:
            clouds.append(
                earlier.kept(stamp, "points")
                if stamp in earlier
                else read_clouds(file.read_bytes(), file.name)[0]
            )
        except (BadRequest, OSError) as error:
            told = error.message if isinstance(error, BadRequest) else "it cannot be read"
            listing.problems.append((listing.rows[row], told.rstrip(".")))
            continue
        kept.append(row)
        stamps.append(stamp)
    return kept, stamps, clouds


def items(head: Head, arrays: Arrays) -> CloudItems:
    """The clouds of some rows."""
    return CloudItems(
        key=head.key,
        title=head.title,
        points=np.asarray(arrays["points"][head.rows], np.float32),
        labels=np.asarray(arrays["labels"][head.rows], np.int64),
        ids=head.rows,
        names=head.names,
        classes=own_classes.of_arrays("clouds", arrays),
        source=head.source,
        licence=head.licence,
    )


def _arrays(path: Path, said: tuple[str, ...]) -> tuple[NDArray[Any], list[str], tuple[str, ...]]:
    """``points`` (n, p, 3), the name of each cloud's class, and ``classes`` where there are any."""
    if path.suffix.lower() != ".npz":
        points = read_clouds(path.read_bytes(), path.name)
        return points, [""] * len(points), ()
    members(path)
    try:
        with np.load(path, allow_pickle=False) as file:
            points = file["points"]
            labels = file["labels"] if "labels" in file.files else None
            named = file["classes"] if "classes" in file.files else None
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile) as error:
        raise BadRequest(
            f"{path.name} holds no array points, or one of its arrays cannot be read.",
            "Save points (n, p, 3), labels and classes as numbers and texts, not as objects.",
        ) from error
    if points.ndim != 3 or points.shape[2] != 3 or points.dtype.kind not in "fiu":
        raise BadRequest(
            f"points in {path.name} have the shape {points.shape}.", "Needed: (n, p, 3)."
        )
    classes = _texts(named, path.name) if named is not None else ()
    if labels is None:
        return points, [""] * len(points), classes
    if labels.shape != (len(points),):
        raise BadRequest(f"{path.name} has {len(points)} clouds and labels of {labels.shape}.")
    return points, _named(labels, said or classes), classes


def _texts(named: NDArray[Any], file: str) -> tuple[str, ...]:
    """The array ``classes`` of a file."""
    texts = tuple(str(text) for text in named.tolist()) if named.ndim == 1 else ()
    if named.dtype.kind != "U" or not all(texts) or not 0 < len(set(texts)) == len(texts):
        raise BadRequest(
            f"classes in {file} are {named.dtype} of the shape {named.shape}.",
            "Needed is a text for each class, all of them different.",
        )
    return texts


def _named(labels: NDArray[Any], names: tuple[str, ...]) -> list[str]:
    """Labels as texts: whole numbers by their place among the names, those below 0 as nothing.

    Without names they are those of the bundled models, unless there are more than these have; then
    the numbers are names themselves, as nobody knows what they stand for.
    """
    if labels.dtype.kind not in "iu":
        return ["" if text == "-1" else text for text in map(str, labels.tolist())]
    known = names or own_classes.bundled("clouds")
    is_named = bool(names) or labels.max(initial=0) < len(known)
    return [
        "" if label < 0 else known[label] if is_named and label < len(known) else str(label)
        for label in labels.tolist()
    ]
