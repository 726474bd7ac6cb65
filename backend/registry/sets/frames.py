"""Pairs of particle images: a folder of frames in order, or arrays, perhaps with their fields."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backend.errors import BadRequest
from backend.particle_pairs import (
    ParticlePairs,
    check_contrast,
    check_frames,
    middle,
    recorded,
    side_by_side,
)
from backend.protocols import Arrays, Progress
from backend.registry.data_spec import SetSpec
from backend.registry.earlier import NOTHING, Earlier, stamp_of
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


def content(spec: SetSpec, progress: Progress, earlier: Earlier) -> Content:
    """All pairs, each checked; a pair that cannot be used is a problem of its row."""
    listing = listed(spec)
    if Path(spec.path).is_file():
        arrays = _arrays(Path(spec.path))
        frames, kept, stamps = arrays["frames"], list(range(len(listing.names))), list[int]()
    else:
        pairs, problems = _read_all(listing, progress, earlier)
        kept = [pair.row for pair in pairs]
        frames = np.stack([p.frames for p in pairs]) if pairs else np.empty((0, 2, 1, 1), np.uint8)
        stamps = [_stamp(listing, row, frames.shape[-1]) for row in kept]
        arrays = {"sides": np.array([pair.side for pair in pairs], np.int64)}
        listing.problems += problems
    sides, truth = side_by_side(frames), arrays.get("fields", np.zeros((len(frames), 0)))
    return Content(
        [listing.names[row] for row in kept],
        lambda row: sides[row],
        lambda row: sha_of(frames[row], truth[row]),
        stamps=stamps,
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


@dataclass(frozen=True, slots=True)
class _Pair:
    """A pair that can be used: its place in the listing, the largest square in its middle, and its
    frames ``(2, side, side)``, of that square or of the one that all pairs had before.
    """

    row: int
    side: int
    frames: NDArray[np.uint8]


def _read_all(
    listing: Listing, progress: Progress, earlier: Earlier
) -> tuple[list[_Pair], list[tuple[int, str]]]:
    """The pairs that can be used, and what is wrong with the others."""
    before = earlier.arrays["frames"].shape[-1] if "frames" in earlier.arrays else 0
    pairs: list[_Pair] = []
    problems: list[tuple[int, str]] = []
    is_kept = False
    for row in range(len(listing.names)):
        progress(row, len(listing.names))
        stamp = _stamp(listing, row, before)
        if stamp in earlier:
            side, frames = int(earlier.kept(stamp, "sides")), earlier.kept(stamp, "frames")
            pairs.append(_Pair(row, side, frames))
            is_kept = True
            continue
        try:
            frames = recorded([(p.name, p.read_bytes()) for p in _files(listing, row)])[0][0]
            pairs.append(_Pair(row, frames.shape[-1], frames))
        except (BadRequest, OSError) as error:
            told = error.message if isinstance(error, BadRequest) else "it cannot be read"
            problems.append((row + 1, told.rstrip(".")))
    side = min((pair.side for pair in pairs), default=before)
    if is_kept and side != before:  # all are cut to another square now: all are other pictures
        return _read_all(listing, progress, NOTHING)
    return _cut(listing, pairs, side, problems), problems


def _cut(
    listing: Listing, pairs: list[_Pair], side: int, problems: list[tuple[int, str]]
) -> list[_Pair]:
    """All pairs at one size; where nothing is left to be seen of one, that is a problem."""
    kept = []
    for pair in pairs:
        frames = middle(pair.frames, side)
        try:
            for path, frame in zip(_files(listing, pair.row), frames, strict=True):
                check_contrast(frame, path.name[:80])
        except BadRequest as error:
            problems.append((pair.row + 1, error.message.rstrip(".")))
            continue
        kept.append(replace(pair, frames=frames))
    return kept


def _files(listing: Listing, row: int) -> list[Path]:
    return listing.paths[2 * row : 2 * row + 2]


def _stamp(listing: Listing, row: int, side: int) -> int:
    return stamp_of("frames", _files(listing, row), str(side))


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
