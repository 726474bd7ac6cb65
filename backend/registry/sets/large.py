"""Images of many megapixels: files that Zoom-In reads in parts, where they lie."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
import pyvips

from backend.errors import BadRequest
from backend.protocols import U8, Progress
from backend.registry import store
from backend.registry.data_spec import SetSpec
from backend.registry.earlier import Earlier, stamp_of
from backend.registry.reading import Listing, files_below
from backend.registry.sets import Content
from backend.zoom import files, images

THUMB_PX: Final = 96
MOST: Final = 500


def listed(spec: SetSpec) -> Listing:
    """Every image whose header can be read; what is wrong with the others."""
    found, root = Listing(), folder_of(spec)
    for row, path in enumerate(_paths(spec), start=1):
        try:
            _, header, _ = images.open_file(path, store.settings().image_bytes)
        except BadRequest as error:
            found.problems.append((row, _problem(path, error)))
            continue
        found.rows.append(row)
        found.paths.append(path)
        found.names.append(path.relative_to(root).as_posix())
        found.labels.append(f"{header.width} × {header.height}")
        found.splits.append("")
    return found


def content(spec: SetSpec, progress: Progress, earlier: Earlier) -> Content:
    """A small picture of each; a file is known by its size and time of change, not read whole."""
    paths, root = _paths(spec), folder_of(spec)
    names: list[str] = []
    stamps: list[int] = []
    read: dict[int, tuple[U8, str]] = {}
    problems: list[tuple[int, str]] = []
    for row, path in enumerate(paths):
        progress(row, len(paths))
        stamp = stamp_of(spec.kind, [path])
        try:
            if stamp not in earlier:
                read[len(names)] = _read(path)
        except BadRequest as error:
            problems.append((row + 1, _problem(path, error)))
            continue
        names.append(path.relative_to(root).as_posix())
        stamps.append(stamp)
    return Content(
        names,
        lambda row: read[row][0],
        lambda row: read[row][1],
        stamps=stamps,
        problems=problems,
        opens={"first": f"set:{spec.name}/{names[0]}" if names else ""},
    )


def _paths(spec: SetSpec) -> list[Path]:
    path = Path(spec.path)
    return ([path] if path.is_file() else files_below(path, files.SUFFIXES))[:MOST]


def _problem(path: Path, error: BadRequest) -> str:
    return f"{path.name[:60]}: {error.message}".rstrip(".")


def folder_of(spec: SetSpec) -> Path:
    """Below which folder the images of a set lie."""
    path = Path(spec.path)
    return path if path.is_dir() else path.parent


def _read(path: Path) -> tuple[U8, str]:
    """A small picture of a file, and 16 hex digits that stand for what is in it."""
    _, _, fingerprint = images.open_file(path, store.settings().image_bytes)
    try:
        small = pyvips.Image.thumbnail(
            str(path), THUMB_PX, height=THUMB_PX, size="both", fail_on="truncated"
        )
        flat = small.flatten(background=0) if small.hasalpha() else small
        pixels: U8 = np.ascontiguousarray(flat.colourspace("srgb").numpy()[..., :3])
    except pyvips.Error as error:
        raise BadRequest("It cannot be read whole.", "Is the file complete?") from error
    return pixels, fingerprint
