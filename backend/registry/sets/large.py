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
from backend.registry.reading import Listing, files_below
from backend.registry.sets import Content
from backend.zoom import files, images

THUMB_PX: Final = 96
MOST: Final = 500


def listed(spec: SetSpec) -> Listing:
    """Every image whose header can be read; what is wrong with the others."""
    found, root = Listing(), folder_of(spec)
    paths = [Path(spec.path)] if Path(spec.path).is_file() else files_below(root, files.SUFFIXES)
    for row, path in enumerate(paths[:MOST], start=1):
        try:
            _, header, _ = images.open_file(path, store.settings().image_bytes)
        except BadRequest as error:
            found.problems.append((row, f"{path.name[:60]}: {error.message}".rstrip(".")))
            continue
        found.rows.append(row)
        found.paths.append(path)
        found.names.append(path.relative_to(root).as_posix())
        found.labels.append(f"{header.width} × {header.height}")
        found.splits.append("")
    return found


def content(spec: SetSpec, progress: Progress) -> Content:
    """A small picture of each; a file is known by its size and time of change, not read whole."""
    listing = listed(spec)
    shown: list[U8] = []
    marks: list[str] = []
    for row, path in enumerate(listing.paths):
        progress(row, len(listing.paths))
        marks.append(images.open_file(path, store.settings().image_bytes)[2])
        shown.append(_small(path))
    first = f"set:{spec.name}/{listing.names[0]}" if listing.names else ""
    return Content(
        listing.names,
        lambda row: shown[row],
        marks,
        problems=listing.problems,
        opens={"first": first},
    )


def folder_of(spec: SetSpec) -> Path:
    """Below which folder the images of a set lie."""
    path = Path(spec.path)
    return path if path.is_dir() else path.parent


def _small(path: Path) -> U8:
    try:
        small = pyvips.Image.thumbnail(str(path), THUMB_PX, height=THUMB_PX, size="both")
        flat = small.flatten(background=0) if small.hasalpha() else small
        pixels: U8 = np.ascontiguousarray(flat.colourspace("srgb").numpy()[..., :3])
    except pyvips.Error as error:
        raise BadRequest(f"{path.name} cannot be read whole.", "Is the file complete?") from error
    return pixels
