"""What the last index of a set knew, found by the files behind each item.

Every kind of set asks here first: an item whose files lie where they lay, as large and as old as
they were, keeps its hash, its thumbnail, its look and its row of each array, and none of it is
read again.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from backend.protocols import I64, Arrays
from backend.registry.data_spec import SetSpec
from backend.registry.gathered import Index, Seen

VERSION: Final = 1  # of what is made of a file: raise it, and everything is read again
STAMPS: Final = "stamps"  # of the arrays that are kept: they fit the index with the same ones


def stamp_of(kind: str, files: Iterable[Path], *told: str) -> int:
    """64 bits of where an item's files lie, of their sizes and times of change, and of what else it
    is made from; never 0.

    Args:
        kind: of the set: another kind makes something else of the same file.
        told: such as the caption of an image, which a table says.
    """
    digest = hashlib.blake2b(f"{VERSION} {kind}".encode(), digest_size=8)
    for path in files:
        try:
            found = path.stat()
            state = f"\0{found.st_mtime_ns} {found.st_size}\0"
        except OSError:
            state = "\0gone\0"
        digest.update(os.fsencode(path) + state.encode())
    for text in told:
        digest.update(f"\0{len(text)} {text}".encode("utf-8", "surrogatepass"))
    return int.from_bytes(digest.digest()) or 1


def whole(spec: SetSpec) -> int:
    """The stamp of a set that is read as one: arrays, embeddings, a table of contents with the
    images that it names. 0 where items have files of their own.

    Raises:
        BadRequest: a table of contents cannot be read.
    """
    path = Path(spec.path)
    if spec.kind == "contents":
        from backend.registry.sets import contents

        return stamp_of(spec.kind, contents.files(spec))
    if spec.kind == "arrays":
        return stamp_of(spec.kind, [path, Path(spec.labels)] if spec.labels else [path])
    is_one = spec.kind == "embeddings" or (spec.kind in ("clouds", "frames") and path.is_file())
    # The mark: files of clouds that an earlier version indexed are read again for their classes.
    told = ["own classes"] if spec.kind == "clouds" else []
    return stamp_of(spec.kind, [path], *told) if is_one else 0


class Earlier:
    """What is known of items by their stamps; nothing unless an index is given.

    Args:
        index: of the same set.
        arrays: what was kept with it, a row for each of its items.
    """

    def __init__(self, index: Index | None = None, arrays: Arrays | None = None) -> None:
        self.index, self.arrays = index, arrays or {}
        stamps = index.stamps.tolist() if index else []
        self._rows = {stamp: row for row, stamp in enumerate(stamps) if stamp}

    def __contains__(self, stamp: int) -> bool:
        return stamp in self._rows

    def seen(self, stamp: int) -> Seen | None:
        """An item's hash, size, look and thumbnail; None where it is not known."""
        row = self._rows.get(stamp)
        return None if row is None or self.index is None else self.index.seen(row)

    def name(self, stamp: int) -> str:
        """What a known item was called."""
        return "" if self.index is None else str(self.index.names[self._rows[stamp]])

    def kept(self, stamp: int, key: str) -> Any:
        """An item's row of an array; None where it is not known. Do not write into it."""
        row = self._rows.get(stamp)
        return None if row is None or key not in self.arrays else np.asarray(self.arrays[key][row])

    def completed(
        self, keys: Sequence[str], stamps: Sequence[int], make: Callable[[I64], Arrays]
    ) -> dict[str, NDArray[Any]]:
        """Arrays of numbers with a row for each stamp: known rows as they were, the others made.

        Args:
            make: the same arrays of some places among the stamps, in that order; not asked where
                everything is known.
        """
        is_kept = all(key in self.arrays for key in keys)
        rows = [self._rows.get(stamp, -1) if is_kept else -1 for stamp in stamps]
        before = np.array(rows, np.int64)
        fresh = np.flatnonzero(before < 0)
        made = make(fresh) if len(fresh) else {}
        if len(fresh) == len(before):
            return dict(made)
        found = {key: np.array(self.arrays[key][np.maximum(before, 0)]) for key in keys}
        for key, rows_made in made.items():
            found[key][fresh] = rows_made
        return found


NOTHING: Final = Earlier()
