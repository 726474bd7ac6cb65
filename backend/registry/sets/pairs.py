"""Images paired with texts: a folder of pictures with a ``.txt`` each, or a table with captions.

They are put into the spaces of the bundled dual encoders when they are indexed.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import ImageOps

from backend.errors import BadRequest
from backend.protocols import I64, U8, Arrays, Progress
from backend.registry.data_spec import SetSpec
from backend.registry.earlier import Earlier, stamp_of
from backend.registry.reading import Listing, files_below, listed_table
from backend.registry.sets import Content, sha_of
from backend.uploads import decoded
from models.cards import CARDS, read_card

SIDE_PX: Final = 128  # of the square on white that a model is given, and people see
MOST: Final = 5_000
LONGEST: Final = 400  # characters of a caption that are read
ENCODERS: Final = ("pairs-rankclip", "pairs-clip")
PLACED: Final = [f"{half}-{key}" for key in ENCODERS for half in ("images", "texts")]


def listed(spec: SetSpec) -> Listing:
    """Every picture that has a text."""
    path = Path(spec.path)
    found = _folder(path) if path.is_dir() else listed_table(spec)
    if not path.is_dir() and not any(found.captions):
        raise BadRequest(
            f"{path.name} has no column of captions.",
            f"Say which: --caption COLUMN. It has {', '.join(found.columns)[:200]}.",
        )
    found.problems += [
        (row, f"{name[:60]} has no text")
        for row, name, caption in zip(found.rows, found.names, found.captions, strict=True)
        if not caption
    ]
    return found


def content(spec: SetSpec, progress: Progress, earlier: Earlier) -> Content:
    """The pairs, at most 5,000, and where both bundled encoders put them."""
    listing = listed(spec)
    asked = [row for row, caption in enumerate(listing.captions) if caption]
    kept, stamps, pictures = _read_all(spec, listing, asked[:MOST], progress, earlier)
    captions = [listing.captions[row] for row in kept]
    thumbs = np.stack(pictures) if pictures else np.empty((0, SIDE_PX, SIDE_PX, 3), np.uint8)
    labels = [listing.labels[row] for row in kept]
    keys = [f"{spec.name}--{key}" for key in ENCODERS]

    def embed(rows: I64) -> Arrays:
        return _embedded(thumbs[rows], [captions[row] for row in rows], progress)

    is_cut = len(asked) > MOST
    return Content(
        [listing.names[row] for row in kept],
        lambda row: thumbs[row],
        lambda row: sha_of(thumbs[row], captions[row]),
        labels if any(labels) else [],
        stamps,
        problems=sorted(listing.problems),
        notes=[f"The first {MOST:,} of {len(asked):,} pairs are taken."] if is_cut else [],
        arrays={
            "thumbs": thumbs,
            "captions": np.array(captions),
            "labels": np.array(labels),
            **earlier.completed(PLACED, stamps, embed),
        },
        opens={"spaces": ",".join(keys), "focus": keys[0]},
    )


def _read_all(
    spec: SetSpec, listing: Listing, rows: list[int], progress: Progress, earlier: Earlier
) -> tuple[list[int], list[int], list[U8]]:
    """The rows whose picture can be used, their stamps and their pictures."""
    # Other weights of an encoder put every pair elsewhere.
    weights = [read_card(CARDS / f"{key}.toml").fingerprint for key in ENCODERS]
    kept: list[int] = []
    stamps: list[int] = []
    pictures: list[U8] = []
    for done, row in enumerate(rows):
        progress(done, 2 * len(rows))
        path = listing.paths[row]
        stamp = stamp_of(spec.kind, [path], listing.captions[row], *weights)
        try:
            pictures.append(
                earlier.kept(stamp, "thumbs") if stamp in earlier else square(path.read_bytes())
            )
        except (BadRequest, OSError) as error:
            told = error.message if isinstance(error, BadRequest) else "it cannot be read"
            problem = f"{listing.names[row][:60]}: {told}".rstrip(".")
            listing.problems.append((listing.rows[row], problem))
            continue
        kept.append(row)
        stamps.append(stamp)
    return kept, stamps, pictures


def square(data: bytes) -> U8:
    """A picture on white as ``(128, 128, 3)``. Raises BadRequest."""
    padded = ImageOps.pad(decoded(data, "RGB"), (SIDE_PX, SIDE_PX), color="white")
    return np.asarray(padded, np.uint8)


def _folder(root: Path) -> Listing:
    found = Listing()
    for row, path in enumerate(files_below(root), start=1):
        beside = path.with_suffix(".txt")
        is_inside = beside.resolve().is_relative_to(root.resolve())  # no link that leads out
        try:
            text = beside.read_text(encoding="utf-8") if is_inside and beside.is_file() else ""
        except (OSError, UnicodeDecodeError):
            found.problems.append((row, f"{beside.name[:60]} is no text in UTF-8"))
            continue
        parts = path.relative_to(root).parts
        found.rows.append(row)
        found.paths.append(path)
        found.names.append("/".join(parts))
        found.labels.append(parts[0] if len(parts) > 1 else "")
        found.splits.append("")
        found.captions.append(" ".join(text.split())[:LONGEST])
    return found


def _embedded(
    pictures: U8, captions: list[str], progress: Progress
) -> dict[str, NDArray[np.float32]]:
    """``images-KEY`` and ``texts-KEY`` (n, 128) of each encoder; the towers run once."""
    from backend.gap import heads, towers  # torch

    given = []
    for start in range(0, len(pictures), towers.BATCH):
        progress(len(pictures) + start, 2 * len(pictures))
        given.append(towers.of_images(pictures[start : start + towers.BATCH]))
    texts, images = towers.of_texts(captions), np.concatenate(given)
    progress(2 * len(pictures), 2 * len(pictures))
    found = {}
    for key in ENCODERS:
        found[f"images-{key}"], found[f"texts-{key}"] = heads.placed(key, images, texts)
    return found
