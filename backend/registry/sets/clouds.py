"""Clouds of points: a folder of files, perhaps in class folders, or arrays of many clouds."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from backend.cloud_files import prepared, read_clouds
from backend.clouds import CloudItems, picture
from backend.errors import BadRequest
from backend.protocols import F32, Arrays, Progress
from backend.registry.data_spec import CLOUDS, SetSpec
from backend.registry.kinds import members
from backend.registry.reading import Listing, files_below
from backend.registry.sets import Content, Head, sha_of
from models.class_names import class_names

SUFFIXES: Final = (*CLOUDS, ".npy")
MOST: Final = 1000


def listed(spec: SetSpec) -> Listing:
    """Every file, with the name of its folder as its class."""
    path, found = Path(spec.path), Listing()
    if path.is_file():
        points, labels = _arrays(path)
        found.names = [f"{path.stem} #{row}" for row in range(len(points))]
        found.labels = labels
    else:
        files = files_below(path, SUFFIXES)
        parts = [file.relative_to(path).parts for file in files]
        found.paths = files
        found.names = ["/".join(part) for part in parts]
        found.labels = [part[-2] if len(part) > 1 else "" for part in parts]
    found.rows = list(range(1, len(found.names) + 1))
    found.splits = [""] * len(found.names)
    known = class_names("points")
    found.problems = [
        (row, f"{label[:40]!r} is none of the classes of the models of points; it is unlabelled")
        for row, label in zip(found.rows, found.labels, strict=True)
        if label and label not in known
    ]
    return found


def content(spec: SetSpec, progress: Progress) -> Content:
    """The clouds, at most 1,000: moved to their mean, scaled into the unit ball, 2,048 points."""
    listing, path = listed(spec), Path(spec.path)
    known = set(class_names("points"))
    clouds: list[F32] = []
    kept: list[int] = []
    if path.is_file():
        points, _ = _arrays(path)
        clouds, kept = list(prepared(points[:MOST].astype(np.float64))), list(range(len(points)))
    for row, file in enumerate(listing.paths[:MOST]):
        progress(row, len(listing.paths))
        try:
            clouds.append(read_clouds(file.read_bytes(), file.name)[0])
            kept.append(row)
        except (BadRequest, OSError) as error:
            told = error.message if isinstance(error, BadRequest) else "it cannot be read"
            listing.problems.append((listing.rows[row], told.rstrip(".")))
    notes = []
    if len(listing.names) > MOST:
        notes = [f"The first {MOST:,} of {len(listing.names):,} clouds are taken."]
    points = np.stack(clouds) if clouds else np.empty((0, 1, 3), np.float32)
    labels = [listing.labels[row] for row in kept[:MOST]]
    return Content(
        [listing.names[row] for row in kept[:MOST]],
        lambda row: picture(points[row]),
        [sha_of(cloud) for cloud in points],
        [label if label in known else "" for label in labels],
        problems=sorted(listing.problems),
        notes=notes,
        arrays={"points": points, "labels": _numbers(labels)},
    )


def items(head: Head, arrays: Arrays) -> CloudItems:
    """The clouds of some rows."""
    return CloudItems(
        key=head.key,
        title=head.title,
        points=np.asarray(arrays["points"][head.rows], np.float32),
        labels=np.asarray(arrays["labels"][head.rows], np.int64),
        ids=head.rows,
        names=head.names,
        classes=class_names("points"),
        source=head.source,
        licence=head.licence,
    )


def _numbers(labels: list[str]) -> NDArray[np.int64]:
    known = class_names("points")
    return np.array([known.index(one) if one in known else -1 for one in labels], np.int64)


def _arrays(path: Path) -> tuple[NDArray[Any], list[str]]:
    """``points`` (n, p, 3) and perhaps ``labels`` (n,), names or places among the known classes."""
    if path.suffix.lower() != ".npz":
        points = read_clouds(path.read_bytes(), path.name)
        return points, [""] * len(points)
    members(path)
    try:
        with np.load(path, allow_pickle=False) as file:
            points = file["points"]
            labels = file["labels"] if "labels" in file.files else None
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile) as error:
        raise BadRequest(
            f"{path.name} holds no array points.", "Save (n, p, 3) numbers."
        ) from error
    if points.ndim != 3 or points.shape[2] != 3 or points.dtype.kind not in "fiu":
        raise BadRequest(
            f"points in {path.name} have the shape {points.shape}.", "Needed: (n, p, 3)."
        )
    if labels is None:
        return points, [""] * len(points)
    if labels.shape != (len(points),):
        raise BadRequest(f"{path.name} has {len(points)} clouds and labels of {labels.shape}.")
    known = class_names("points")
    texts = [
        known[label] if isinstance(label, int) and 0 <= label < len(known) else str(label)
        for label in labels.tolist()
    ]
    return points, ["" if text == "-1" else text for text in texts]
