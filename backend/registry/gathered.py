"""What is known of a data set's images while they are read one after the other.

Thumbnails are most of it, so they go to a file as they come: memory stays flat in their number.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np
from numpy.typing import NDArray

from backend.files import private_folder, refused, write_atomic

LOOK: Final = (9, 8)  # columns and rows of what near-duplicates are compared by
COPIED_BYTES: Final = 1 << 20


@dataclass(slots=True)
class Rows:
    """What is known of every image but its thumbnail, in the set's order.

    Attributes:
        names: (n,) text. labels: (n,) places among the classes, -1 unknown. splits: (n,) text.
        hashes: (n,) 16 hex digits of each content's sha256.
        sizes: (n, 2) width and height in px.
        looks: (n, 72) each picture in grey on 9 × 8 px, by which near-duplicates are found.
        stamps: (n,) uint64 of the files behind each item, by which a change is noticed; see
            :mod:`backend.registry.earlier`. 0 where an item has none of its own.
        starts: (n + 1,) where each thumbnail begins among the bytes of all.
        marks: (n,) doubles, leaks and conflicts as bits of :mod:`backend.registry.duplicates`.
    """

    names: NDArray[Any]
    labels: NDArray[np.int64]
    splits: NDArray[Any]
    hashes: NDArray[Any]
    sizes: NDArray[np.int32]
    looks: NDArray[np.uint8]
    stamps: NDArray[np.uint64]
    starts: NDArray[np.int64]
    marks: NDArray[np.uint8]


FIELDS: Final = tuple(Rows.__slots__)


@dataclass(frozen=True, slots=True)
class Seen:
    """One image: 16 hex digits of its sha256, width and height in px, look (72,), and WebP."""

    sha: str
    size: tuple[int, int]
    look: NDArray[np.uint8]
    thumb: bytes


@dataclass(slots=True)
class Index(Rows):
    """What is known of every image.

    Attributes:
        thumbs: WebP bytes one after the other, read from disk as they are used.
    """

    thumbs: NDArray[np.uint8]

    def thumb(self, row: int) -> bytes:
        """The thumbnail of a row as WebP."""
        return self.thumbs[self.starts[row] : self.starts[row + 1]].tobytes()

    def seen(self, row: int) -> Seen:
        """What was seen of a row, thumbnail and all."""
        width, height = self.sizes[row].tolist()
        return Seen(str(self.hashes[row]), (width, height), self.looks[row], self.thumb(row))


class Gathered:
    """Images in the order of :meth:`add`; their thumbnails in an unnamed file of ``folder``, which
    is gone once it is closed.

    Raises:
        StorageFull: the disk refuses.
    """

    def __init__(self, folder: Path) -> None:
        private_folder(folder)
        try:
            self._thumbs = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 (see close)
        except OSError as error:
            raise refused("The thumbnails could not be stored", error) from error
        self._starts = [0]
        self._shas: list[str] = []
        self._sizes: list[tuple[int, int]] = []
        self._looks = bytearray()

    def add(self, one: Seen) -> None:
        """Takes the next image, and keeps nothing of its thumbnail in memory."""
        try:
            self._thumbs.write(one.thumb)
        except OSError as error:
            raise refused("The thumbnails could not be stored", error) from error
        self._starts.append(self._starts[-1] + len(one.thumb))
        self._shas.append(one.sha)
        self._sizes.append(one.size)
        self._looks += one.look.tobytes()

    def rows(self, names: Sequence[str], splits: Sequence[str], stamps: Sequence[int]) -> Rows:
        """What was gathered, without labels and marks as yet."""
        n = len(self._shas)
        return Rows(
            names=np.array(names, np.str_),
            labels=np.full(n, -1, np.int64),
            splits=np.array(splits, np.str_),
            hashes=np.array(self._shas, np.str_),
            sizes=np.array(self._sizes, np.int32).reshape(-1, 2),
            looks=np.frombuffer(self._looks, np.uint8).reshape(n, LOOK[0] * LOOK[1]),
            stamps=np.array(stamps, np.uint64),
            starts=np.array(self._starts, np.int64),
            marks=np.zeros(n, np.uint8),
        )

    def store(self, path: Path) -> None:
        """Writes the thumbnails to ``path`` as one ``.npy`` of bytes."""
        write_atomic(path, partial(_copied, self._thumbs, self._starts[-1]))

    def close(self) -> None:
        """Gives the file back to the disk."""
        with suppress(OSError):  # what a full disk did not take is not wanted any more
            self._thumbs.close()


def _copied(thumbs: BinaryIO, length: int, out: BinaryIO) -> None:
    header = {"descr": "|u1", "fortran_order": False, "shape": (length,)}
    np.lib.format.write_array_header_1_0(out, header)
    thumbs.seek(0)
    shutil.copyfileobj(thumbs, out, COPIED_BYTES)
