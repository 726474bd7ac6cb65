"""Items that a user has opened: files in, a set without known answers out.

A set lies in the store like a result, under the sha256 of what is in it: the page, a shared link
and the workers find it by that name. Nobody has labelled it, so only what needs no truth can be
shown.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from backend import datasets
from backend.cache import ArrayStore
from backend.errors import BadRequest, NotFound
from backend.items import ItemSet, rows_within
from backend.nero import tasks
from backend.protocols import I64, U8, Arrays
from backend.uploads import BadImage, read_image

log = logging.getLogger(__name__)
PREFIX: Final = "own-"
UNKNOWN: Final = -1
MOST_FILES: Final = 64
FILE_BYTES: Final = 6_000_000
SOURCE: Final = "Files opened in this browser; nobody has labelled them."
Files = Sequence[tuple[str, bytes]]
Reader = Callable[[Files, ItemSet], dict[str, NDArray[Any]]]
"""Files and the set they are to be like, to ``pixels`` (what people see) and perhaps ``inputs``."""
_held: dict[str, ArrayStore] = {}  # the stores of this process, by folder


def use(store: ArrayStore) -> None:
    """Let :func:`load` look into a store of this process as well."""
    _held[str(store.root)] = store


@dataclass(frozen=True, slots=True)
class Offer:
    """What files a task takes: in words, and as suffixes for the file dialog."""

    words: str
    suffixes: str
    read: Reader


@dataclass(frozen=True, slots=True, eq=False)
class OwnItems:
    """A set that a user has opened; an ``ItemSet``. ``labels`` are -1: unknown.

    Attributes:
        pixels: ``(n, h, w[, 3])`` uint8, what people see.
        given: what the task acts on, where that is something else.
    """

    key: str
    title: str
    task: Any
    pixels: U8
    names: tuple[str, ...]
    classes: tuple[str, ...]
    fingerprint: str
    given: NDArray[Any] | None = None
    source: str = SOURCE
    licence: str = "the user's own"
    labels: I64 = field(init=False)
    ids: I64 = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "labels", np.full(len(self.pixels), UNKNOWN, np.int64))
        object.__setattr__(self, "ids", np.arange(len(self.pixels), dtype=np.int64))

    def __len__(self) -> int:
        return len(self.pixels)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width and channels of the pictures."""
        return (*self.pixels.shape[1:3], 3 if self.pixels.ndim == 4 else 1)

    @property
    def columns(self) -> Arrays:
        """``label`` and ``source`` as text."""
        own = {"label": np.full(len(self), "", "U1"), "source": np.full(len(self), self.source)}
        return MappingProxyType(own)

    def image(self, row: int) -> U8:
        """One picture, ``(h, w)`` or ``(h, w, 3)``.

        Raises:
            BadItems: there is no such row.
        """
        picture: U8 = self.images([row])[0]
        return picture

    def images(self, rows: Sequence[int] | I64) -> U8:
        """The pictures of some rows, in that order; a copy.

        Raises:
            BadItems: there is no such row.
        """
        return self.pixels[rows_within(rows, self)]

    def inputs(self, rows: Sequence[int] | I64) -> NDArray[Any]:
        """What the task acts on: the pictures unless the files held something else."""
        given = self.pixels if self.given is None else self.given
        return given[rows_within(rows, self)]

    def truth(self, rows: Sequence[int] | I64) -> None:
        """Nobody knows."""
        del rows


def accepted(task: str) -> Offer | None:
    """What files a task takes; None where it takes none."""
    return READERS.get(tasks.find(task).domain)


def put(task: str, files: Files, store: ArrayStore) -> str:
    """The key of the set that the files make up, stored where it was not.

    Raises:
        BadRequest: the task takes no files, there are too many, or one cannot be used; the
            sentence names the file.
        StorageFull: the disk refuses.
    """
    if not 0 < len(files) <= MOST_FILES:
        raise BadRequest(f"{len(files)} files were given.", f"Allowed are 1 to {MOST_FILES}.")
    for name, data in files:
        if len(data) > FILE_BYTES:
            raise BadRequest(
                f"{name[:80]} has {len(data) / 1e6:.1f} MB.",
                f"Allowed are {FILE_BYTES / 1e6:.0f} MB a file.",
            )
    key, arrays = _read(task, files)
    if not store.has(key):
        store.put(key, arrays)
    return PREFIX + key


def opened(task: str, files: Files) -> OwnItems:
    """The set that the files make up, in memory only. Raises as :func:`put`."""
    key, arrays = _read(task, files)
    return _items(PREFIX + key, arrays)


def _read(task: str, files: Files) -> tuple[str, dict[str, NDArray[Any]]]:
    offer = accepted(task)
    if offer is None:
        raise BadRequest(f"{tasks.find(task).title} takes no files of one's own.")
    base = datasets.load(tasks.find(task).item_set)
    arrays = offer.read(files, base)
    names = [str(name)[:80] for name in arrays.pop("names").tolist()]
    text = json.dumps({"base": base.key, "names": names}, ensure_ascii=False)
    arrays["text"] = np.frombuffer(text.encode(), np.uint8)
    return _named(arrays), arrays


def load(key: str) -> OwnItems:
    """The set behind a key of :func:`put`.

    Raises:
        NotFound: it is not stored here (any more).
    """
    return _loaded(key)


@lru_cache(maxsize=8)
def _loaded(key: str) -> OwnItems:
    found = (store.get(key.removeprefix(PREFIX)) for store in _held.values())
    arrays = next((arrays for arrays in found if arrays is not None), None)
    if arrays is None or not {"text", "pixels"} <= arrays.keys():
        raise NotFound("These files are no longer held here.", "Open them again.")
    return _items(key, arrays)


def _items(key: str, arrays: Mapping[str, NDArray[Any]]) -> OwnItems:
    text: Mapping[str, Any] = json.loads(arrays["text"].astype(np.uint8).tobytes())
    base, names = datasets.load(text["base"]), tuple(text["names"])
    first = names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"
    return OwnItems(
        key=key,
        title=f"Your own: {first}",
        task=base.task,
        pixels=arrays["pixels"].astype(np.uint8),
        names=names,
        classes=tuple(base.classes),
        fingerprint=key.removeprefix(PREFIX)[:16],
        given=arrays.get("inputs"),
    )


def _named(arrays: Mapping[str, NDArray[Any]]) -> str:
    digest = hashlib.sha256()
    for name, array in sorted(arrays.items()):
        digest.update(f"{name}{array.dtype.str}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def _pictures(files: Files, base: ItemSet) -> dict[str, NDArray[Any]]:
    """Image files as items like those of the task's own set."""
    pixels = []
    for name, data in files:
        try:
            pixels.append(read_image(data, base.shape))
        except BadImage as error:
            raise BadImage(f"{name[:80]}: {error.message}", error.hint) from error
    return {"pixels": np.stack(pixels), "names": np.array([name for name, _ in files])}


def _pairs(files: Files, base: ItemSet) -> dict[str, NDArray[Any]]:
    from backend.particle_pairs import read_own

    return read_own(files, base)


def _clouds(files: Files, base: ItemSet) -> dict[str, NDArray[Any]]:
    from backend.cloud_files import own_clouds

    found = own_clouds(files, tuple(base.classes))
    rows = np.arange(len(found))
    return {
        "pixels": found.images(rows),
        "inputs": found.inputs(rows),
        "names": np.array(found.names),
    }


PICTURES: Final = ".png,.jpg,.jpeg,.webp,.bmp"
CLOUDS: Final = ".xyz,.csv,.npy,.ply,.obj,.off"
READERS: Final[dict[str, Offer]] = {
    "image": Offer("pictures (PNG, JPEG, WebP, BMP)", PICTURES, _pictures),
    "scene": Offer("photographs (PNG, JPEG, WebP, BMP)", PICTURES, _pictures),
    "frames": Offer("two frames of a pair, or several pairs in order", PICTURES, _pairs),
    "points": Offer("clouds of points (xyz, csv, npy, ply, obj, off)", CLOUDS, _clouds),
}
