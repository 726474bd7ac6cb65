"""A registered data set as the views take it: labelled images, all of one size.

A view asks for the set at the size of a model: ``flowers--3x224x224``. Of a large set it gets a
drawn part, the same one every time; ids are the rows of the whole set.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from backend.errors import BackendError, BadRequest, NotFound
from backend.files import private_folder, write_atomic
from backend.items import rows_within, seal, told_columns
from backend.protocols import I64, U8, Arrays
from backend.registry import arrays, index, reading, store
from backend.registry.answers import CLASSIFICATION
from backend.registry.data_spec import PICTURES
from backend.registry.gathered import Index
from backend.registry.spec import parse_input
from backend.registry.store import OwnSet
from backend.uploads import read_image

KEY: Final = re.compile(r"([a-z0-9-]+?)--([13]x\d{1,4}x\d{1,4})\Z")
SEED: Final = 0
MOST_SMALL, MOST_LARGE, SMALL_PX = 500, 100, 64  # items of a view, by the side of its images
Size = tuple[int, int, int]


@dataclass(frozen=True, slots=True, eq=False)
class RegisteredItems:
    """An ``ItemSet`` of a registered data set at one size.

    Attributes:
        pixels: ``(n, h, w)`` grey or ``(n, h, w, 3)`` RGB, uint8.
        ids: (n,) rows of the whole set.
        total: how many images the whole set has.
        extra: further columns for tables.
    """

    key: str
    title: str
    pixels: U8
    labels: I64
    ids: I64
    names: tuple[str, ...]
    classes: tuple[str, ...]
    source: str
    licence: str
    total: int
    extra: Arrays
    task: Any = CLASSIFICATION
    fingerprint: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "fingerprint", seal(self, "pixels", "labels", "ids"))

    def __len__(self) -> int:
        return len(self.pixels)

    @property
    def shape(self) -> Size:
        """Height, width and channels of every image."""
        return (*self.pixels.shape[1:3], 3 if self.pixels.ndim == 4 else 1)

    @property
    def columns(self) -> Arrays:
        """``label`` and ``source`` as text, and the set's own columns."""
        return told_columns(self, self.extra)

    def image(self, row: int) -> U8:
        """One image. Raises BadItems where there is no such row."""
        picture: U8 = self.images([row])[0]
        return picture

    def images(self, rows: Sequence[int] | I64) -> U8:
        """The images of some rows, in that order; a copy. Raises BadItems."""
        return self.pixels[rows_within(rows, self)]


def key_of(name: str, size: Size) -> str:
    """The key of a registered set at a size ``(channels, height, width)``."""
    return f"{name}--{'x'.join(map(str, size))}"


def split_key(key: str) -> tuple[str, Size] | None:
    """Name and size of a key of :func:`key_of`; None where it is none."""
    found = KEY.match(key)
    return (found[1], parse_input(found[2])) if found else None


def load(key: str) -> RegisteredItems:
    """The set behind a key, read once and kept.

    Raises:
        NotFound: it is not registered.
        BadRequest: its index or its files are gone, or it holds something else than images.
    """
    parts = split_key(key)
    if parts is None:
        raise NotFound(f"There is no data set {key[:80]!r}.")
    held = store.required().set(parts[0])
    if held.spec.kind not in PICTURES:
        raise BadRequest(
            f"{held.spec.told} is a set of {held.spec.kind}, not of labelled images.",
            "Choose a folder, a table or arrays of images.",
        )
    return _loaded(key, held.fingerprint)


def drawn(labels: I64, size: Size) -> I64:
    """Rows of the whole set that a view gets: all of a small one, else equally many of each class.

    Drawn with seed 0, in the set's order.
    """
    most = MOST_SMALL if max(size[1:]) <= SMALL_PX else MOST_LARGE
    if len(labels) <= most:
        return np.arange(len(labels), dtype=np.int64)
    shuffled = np.random.default_rng(SEED).permutation(len(labels))
    place = np.empty(len(labels), np.int64)  # how many of its class come before an item
    for label in np.unique(labels):
        rows = shuffled[labels[shuffled] == label]
        place[rows] = np.arange(len(rows))
    first = shuffled[np.argsort(place[shuffled], kind="stable")][:most]
    return np.sort(first).astype(np.int64)


def prepare(name: str, size: Size) -> str:
    """Decodes what views need of a set at a size, so that a page need not; returns its key."""
    key = key_of(name, size)
    load(key)
    return key


@lru_cache(maxsize=8)
def _loaded(key: str, fingerprint: str) -> RegisteredItems:
    name, size = split_key(key) or ("", (1, 1, 1))
    held = store.required().set(name)
    known = index.load(name)
    rows = drawn(known.labels, size)
    path = index.folder(name) / f"{'x'.join(map(str, size))}-{fingerprint[:16]}.npz"
    found = _stored(path)
    if found is None:
        found = _decoded(held, known, rows, size)
        private_folder(path.parent)
        write_atomic(path, partial(_save, found))
    rows, pixels = found["rows"], found["pixels"]
    n, total = len(rows), len(known.names)
    part = f"{n} of {total}, seed {SEED}: " if n < total else ""
    return RegisteredItems(
        key=key,
        title=held.spec.told,
        pixels=pixels,
        labels=known.labels[rows],
        ids=rows,
        names=tuple(str(text) for text in known.names[rows]),
        classes=held.spec.classes,
        source=part + (held.spec.source or f"Your own {held.spec.kind}, {held.spec.name}."),
        licence=held.spec.licence or "not said",
        total=len(known.names),
        extra=_columns(known, rows),
    )


def _save(found_: dict[str, NDArray[Any]], out: BinaryIO) -> None:
    np.savez(out, allow_pickle=False, rows=found_["rows"], pixels=found_["pixels"])


def _columns(known: Index, rows: I64) -> dict[str, NDArray[Any]]:
    found: dict[str, NDArray[Any]] = {
        "width_px": known.sizes[rows, 0],
        "height_px": known.sizes[rows, 1],
        "sha256": known.hashes[rows],
    }
    if known.splits.any():
        found["split"] = known.splits[rows]
    return found


def _stored(path: Path) -> dict[str, NDArray[Any]] | None:
    try:
        with np.load(path, allow_pickle=False) as file:
            return {"rows": file["rows"], "pixels": file["pixels"]}
    except (OSError, ValueError, KeyError, EOFError):
        return None


def _decoded(held: OwnSet, known: Index, rows: I64, size: Size) -> dict[str, NDArray[Any]]:
    """The rows at a size: cut to its aspect about the centre and scaled; unreadable ones left out.

    Raises:
        NotFound: none of the files is there any more.
    """
    channels, height, width = size
    shape = (height, width, channels)
    if held.spec.kind == "arrays":
        whole, _ = arrays.read(held.spec)
        if len(whole) != len(known.names):
            raise NotFound(f"{held.spec.told} has changed.", "Index it again.")
        return {"rows": rows, "pixels": np.stack([_fitted(whole[row], shape) for row in rows])}
    places = _places(held)
    kept, pixels = [], []
    for row in rows.tolist():
        path = places.get(str(known.names[row]))
        try:
            pixels.append(read_image(path.read_bytes(), shape) if path else None)
        except (OSError, BackendError):
            pixels.append(None)
        kept.append(row)
    good = [i for i, picture in enumerate(pixels) if picture is not None]
    if not good:
        raise NotFound(
            f"The files of {held.spec.told} are gone.", "Put them back, or remove the data set."
        )
    return {
        "rows": np.array([kept[i] for i in good], np.int64),
        "pixels": np.stack([picture for picture in pixels if picture is not None]),
    }


def _places(held: OwnSet) -> Mapping[str, Path]:
    root = Path(held.spec.path)
    if held.spec.kind == "table":
        listing = reading.listed(held.spec)
        return dict(zip(listing.names, listing.paths, strict=True))
    return {str(path.relative_to(root)): path for path in reading.listed(held.spec).paths}


def _fitted(pixels: U8, shape: tuple[int, int, int]) -> U8:
    """One image of an array in a model's size and channels."""
    height, width, channels = shape
    picture = Image.fromarray(pixels).convert("L" if channels == 1 else "RGB")
    if picture.size != (width, height):
        picture = ImageOps.fit(picture, (width, height), Image.Resampling.LANCZOS)
    return np.array(picture, np.uint8)


__all__ = ["RegisteredItems", "drawn", "key_of", "load", "prepare", "split_key"]
