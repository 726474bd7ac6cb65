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
from backend.registry.earlier import Earlier, stamp_of
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
    return found


def content(spec: SetSpec, progress: Progress, earlier: Earlier) -> Content:
    """The clouds, at most 1,000: moved to their mean, scaled into the unit ball, 2,048 points."""
    listing, path = listed(spec), Path(spec.path)
    known = set(class_names("points"))
    if path.is_file():
        clouds = list(prepared(_arrays(path)[0][:MOST].astype(np.float64)))
        kept, stamps = list(range(len(clouds))), list[int]()
    else:
        kept, stamps, clouds = _read_all(listing, progress, earlier)
    odd = sorted({label for label in listing.labels if label and label not in known})
    more = f" (and {len(odd) - 1} more)" if odd[1:] else ""
    told = "is none of the classes of the models of points: such clouds have no label"
    notes = [f"{odd[0][:40]!r}{more} {told}."] if odd else []
    if len(listing.names) > MOST:
        notes.append(f"The first {MOST:,} of {len(listing.names):,} clouds are taken.")
    points = np.stack(clouds) if clouds else np.empty((0, 1, 3), np.float32)
    labels = [listing.labels[row] for row in kept]
    return Content(
        [listing.names[row] for row in kept],
        lambda row: picture(points[row]),
        lambda row: sha_of(points[row]),
        [label if label in known else "" for label in labels],
        stamps,
        problems=sorted(listing.problems),
        notes=notes,
        arrays={"points": points, "labels": _numbers(labels)},
    )


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
