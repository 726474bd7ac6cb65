"""Paired embeddings of the user's own: one file or two, with captions, labels and thumbnails."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from backend.errors import BadRequest
from backend.gap.pairs import Pairs, check

IMAGES: Final = ("image_emb", "images", "image_embeddings", "image_features")
TEXTS: Final = ("text_emb", "texts", "text_embeddings", "text_features")
MOST_BYTES: Final = 16 * 2**30
THUMB_PX: Final = 512


@dataclass(frozen=True, slots=True)
class Imported:
    """What a file held.

    Attributes:
        pairs: the embeddings, checked.
        captions: (n,) texts, or None.
        labels: (n,) class or group of each pair, as text, or None.
        thumbs: (n, h, w, 3) uint8 pictures, or None.
    """

    pairs: Pairs
    captions: tuple[str, ...] | None = None
    labels: tuple[str, ...] | None = None
    thumbs: NDArray[np.uint8] | None = None


def read(
    path: Path, texts: Path | None = None, captions: Path | None = None, normalise: bool = False
) -> Imported:
    """Pairs from an ``.npz``, from one ``.npy`` (2, n, d), or from two ``.npy`` (n, d).

    Args:
        path: the file with both, or with the images where ``texts`` names the other.
        captions: a text file with a caption a line, or a table (.csv) with a column ``caption``.
        normalise: rows may have any length but 0.

    Raises:
        BadRequest: a file is not usable; says which and why.
    """
    held: Mapping[str, NDArray[Any]] = {}
    if texts is not None:
        arrays = _plain(path), _plain(texts)
    elif path.suffix == ".npz":
        held = _archive(path)
        arrays = _named(held, IMAGES, path), _named(held, TEXTS, path)
    else:
        arrays = read_both(path)
    pairs = check(*arrays, normalise)
    words = read_captions(captions) if captions else _words(held, "captions", len(pairs))
    if words is not None and len(words) != len(pairs):
        raise BadRequest(f"There are {len(words):,} captions for {len(pairs):,} pairs.")
    return Imported(pairs, words, _words(held, "labels", len(pairs)), _thumbs(held, len(pairs)))


def read_both(path: Path) -> tuple[NDArray[Any], NDArray[Any]]:
    """Images and texts of one file: ``.npy`` of shape (2, n, d), or ``.npz`` with two arrays.

    Raises:
        BadRequest: the file does not hold that.
    """
    if path.suffix == ".npz":
        held = _archive(path)
        return _named(held, IMAGES, path), _named(held, TEXTS, path)
    both = _plain(path)
    if both.ndim != 3 or len(both) != 2:
        raise BadRequest(
            f"{path.name} has the shape {both.shape}.",
            "One file with both must be (2, n, d): images first, then texts.",
        )
    return both[0], both[1]


def read_captions(path: Path) -> tuple[str, ...]:
    """A caption for each pair, in order.

    Raises:
        BadRequest: the file cannot be read, or a table lacks the column ``caption``.
    """
    import pandas as pd

    try:
        if path.suffix != ".csv":
            return tuple(path.read_text(encoding="utf-8").splitlines())
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
    except (OSError, UnicodeDecodeError, ValueError) as error:
        raise BadRequest(f"{path.name} cannot be read as captions in UTF-8.") from error
    if "caption" not in table:
        raise BadRequest(
            f"{path.name} has the columns {', '.join(map(str, table.columns))}.",
            "Captions must be in a column named caption.",
        )
    return tuple(table["caption"])


def _plain(path: Path) -> NDArray[Any]:
    try:
        with path.open("rb") as file:
            if path.stat().st_size > MOST_BYTES:
                raise BadRequest(f"{path.name} is larger than 16 GB.", "Give a sample of it.")
            return np.asarray(np.lib.format.read_array(file, allow_pickle=False))
    except OSError as error:
        raise BadRequest(f"{path.name} cannot be read ({error.strerror}).") from error
    except (ValueError, EOFError, MemoryError, SyntaxError, KeyError) as error:
        raise BadRequest(
            f"{path.name} is not a plain .npy array.", "Write it with numpy.save."
        ) from error


def _archive(path: Path) -> dict[str, NDArray[Any]]:
    try:
        with zipfile.ZipFile(path) as packed:
            if sum(entry.file_size for entry in packed.infolist()) > MOST_BYTES:
                raise BadRequest(f"{path.name} unpacks to more than 16 GB.", "Give a sample of it.")
        with np.load(path, allow_pickle=False) as held:
            return {name: held[name] for name in held.files}
    except OSError as error:
        raise BadRequest(f"{path.name} cannot be read ({error.strerror}).") from error
    except (ValueError, EOFError, MemoryError, KeyError, zipfile.BadZipFile) as error:
        raise BadRequest(
            f"{path.name} is not an archive of plain arrays.", "Write it with numpy.savez."
        ) from error


def _named(held: Mapping[str, NDArray[Any]], names: tuple[str, ...], path: Path) -> NDArray[Any]:
    for name in names:
        if name in held:
            return held[name]
    raise BadRequest(
        f"{path.name} has the arrays {', '.join(sorted(held)) or 'none'}.",
        f"One must be named {' or '.join(names)}.",
    )


def _words(held: Mapping[str, NDArray[Any]], name: str, n: int) -> tuple[str, ...] | None:
    if name not in held:
        return None
    words = held[name]
    if words.shape != (n,) or words.dtype.kind not in "Uiu":
        raise BadRequest(
            f"The array {name} has shape {words.shape} and type {words.dtype}.",
            f"It must be {n:,} texts or whole numbers, one a pair.",
        )
    return tuple(str(word) for word in words)


def _thumbs(held: Mapping[str, NDArray[Any]], n: int) -> NDArray[np.uint8] | None:
    if "thumbs" not in held:
        return None
    thumbs = held["thumbs"]
    is_rgb = thumbs.ndim == 4 and len(thumbs) == n and thumbs.shape[3] == 3
    if thumbs.dtype != np.uint8 or not is_rgb or max(thumbs.shape[1:3]) > THUMB_PX:
        raise BadRequest(
            f"The thumbnails have shape {thumbs.shape} and type {thumbs.dtype}.",
            f"They must be ({n}, h, w, 3) bytes, at most {THUMB_PX} px a side.",
        )
    return thumbs
