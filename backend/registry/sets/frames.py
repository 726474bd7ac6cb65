"""Pairs of particle images: a folder of frames in order, or arrays, perhaps with their fields."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backend.errors import BadRequest
from backend.particle_pairs import ParticlePairs, check_frames, recorded, side_by_side
from backend.protocols import Arrays, Progress
from backend.registry.data_spec import SetSpec
from backend.registry.kinds import members
from backend.registry.reading import Listing, files_below
from backend.registry.sets import Content, Head, sha_of


def listed(spec: SetSpec) -> Listing:
    """Every pair: two files that follow each other by name, or a row of ``frames``."""
    path, found = Path(spec.path), Listing()
    if path.is_file():
        found.names = [f"pair {row}" for row in range(len(_arrays(path)["frames"]))]
    else:
        found.paths = files_below(path)
        pairs = list(zip(found.paths[::2], found.paths[1::2], strict=False))
        found.names = [f"{first.name} → {second.name}" for first, second in pairs]
        if len(found.paths) % 2:
            odd = found.paths[-1].name[:60]
            found.problems.append((len(pairs) + 1, f"{odd} has no second frame"))
    found.rows = list(range(1, len(found.names) + 1))
    found.labels = found.splits = [""] * len(found.names)
    return found


def content(spec: SetSpec, progress: Progress) -> Content:
    """All pairs, each checked; a pair that cannot be used is a problem of its row."""
    listing = listed(spec)
    if Path(spec.path).is_file():
        arrays = _arrays(Path(spec.path))
        frames, names = arrays["frames"], listing.names
    else:
        arrays, frames, names = {}, *_recorded(listing, progress)
    sides, truth = side_by_side(frames), arrays.get("fields", np.zeros((len(frames), 0)))
    return Content(
        names,
        lambda row: sides[row],
        [sha_of(*both) for both in zip(frames, truth, strict=True)],
        problems=sorted(listing.problems),
        arrays={**arrays, "frames": frames},
    )


def items(head: Head, arrays: Arrays) -> ParticlePairs:
    """The pairs of some rows; without ``fields`` nobody knows the truth."""
    fields = arrays.get("fields")
    return ParticlePairs(
        key=head.key,
        title=head.title,
        frames=np.asarray(arrays["frames"][head.rows], np.uint8),
        fields=None if fields is None else np.asarray(fields[head.rows], np.float32),
        labels=np.full(len(head.rows), -1, np.int64),
        ids=head.rows,
        names=head.names,
        classes=(),
        source=head.source,
        licence=head.licence,
    )


def _recorded(listing: Listing, progress: Progress) -> tuple[NDArray[np.uint8], list[str]]:
    """The frames of the pairs that can be used, of one size, and their names."""
    read: list[tuple[str, bytes]] = []
    for row in range(len(listing.names)):
        progress(row, len(listing.names))
        files = [(path.name, path.read_bytes()) for path in listing.paths[2 * row : 2 * row + 2]]
        try:
            recorded(files)
            read += files
        except BadRequest as error:
            listing.problems.append((row + 1, error.message.rstrip(".")))
    if not read:
        return np.empty((0, 2, 1, 1), np.uint8), []
    frames, names, _ = recorded(read)
    return frames, list(names)


def _arrays(path: Path) -> dict[str, NDArray[Any]]:
    """``frames`` (n, 2, s, s) uint8, and ``fields`` (n, 2, s/2, s/2) where they are known."""
    if path.suffix.lower() != ".npz":
        raise BadRequest(f"{path.name} holds no pairs of frames.", "A folder of images, or .npz.")
    members(path)
    try:
        with np.load(path, allow_pickle=False) as file:
            found = {name: file[name] for name in ("frames", "fields") if name in file.files}
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile) as error:
        raise BadRequest(f"{path.name} is damaged or was cut short.", "Save it again.") from error
    if "frames" not in found:
        raise BadRequest(f"{path.name} has no array frames.", "Needed is uint8 (n, 2, side, side).")
    check_frames(found["frames"])
    return found
