"""Results on disk: arrays in a file named by everything that went into them.

A result is found again by its key, so the browser, the history and the workers exchange keys and
never arrays. Nothing is ever unpickled, and a damaged file counts as absent.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import logging
import os
import re
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from backend.errors import BadRequest, NotFound, StorageFull
from backend.files import evict, private_folder, sweep, write_atomic
from backend.protocols import JSON, Arrays

log = logging.getLogger(__name__)
LENGTHS: Final = 26  # bytes of a local zip header before the lengths of its name and its extra
KEY: Final = re.compile(r"[0-9a-f]{64}\Z")
# What a damaged or foreign file can raise while it is read; each means: a miss.
DAMAGED: Final = (
    OSError,
    ValueError,
    EOFError,
    KeyError,
    RuntimeError,  # zipfile: a flipped flag bit that says "encrypted"; also NotImplementedError
    OverflowError,
    zipfile.BadZipFile,
)


def key_of(name: str, version: int, /, **inputs: JSON) -> str:
    """sha256 of a method's name, version and inputs: 64 lower-case hex digits.

    ``version`` is bumped by hand when the method's maths changes.

    Raises:
        BadRequest: an input is not JSON, or is NaN or infinite.
    """
    try:
        text = json.dumps([name, version, inputs], sort_keys=True, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise BadRequest(
            f"The inputs of {name} cannot be named: {error}.",
            "Only finite numbers, text, lists and objects are allowed.",
        ) from error
    return hashlib.sha256(text.encode()).hexdigest()


def checked_key(key: str) -> str:
    """``key`` itself, if it has the form of a key.

    Raises:
        NotFound: it has not, so nothing can be stored under it.
    """
    if not KEY.match(key):
        raise NotFound("There is no result under this name.", "A name is 64 hex digits.")
    return key


class ArrayStore:
    """Arrays by key in ``root``, within ``budget_bytes``; ``bundled`` folders are read second.

    The least recently used results go first. Safe for several threads and processes: files are
    renamed into place and read whole.
    """

    def __init__(self, root: Path, budget_bytes: int, bundled: Sequence[Path] = ()) -> None:
        self.root = private_folder(root)
        self.budget_bytes = budget_bytes
        self.bundled = tuple(bundled)
        self._whole: dict[Path, tuple[int, int]] = {}  # inode and size of what was read whole

    def path(self, key: str) -> Path:
        """Where the result of ``key`` is or would be written."""
        return self.root / checked_key(key)[:2] / f"{key}.npz"

    def has(self, key: str) -> bool:
        """Whether a whole result is held under ``key``. Each file is read once to know."""
        own, *bundled = self._places(key)
        return self._is_whole(own, True) or any(self._is_whole(path, False) for path in bundled)

    def get(self, key: str) -> dict[str, NDArray[np.generic]] | None:
        """The arrays of ``key``, read-only; ``None`` if absent. A damaged file is removed."""
        own, *bundled = self._places(key)
        arrays = self._read(own, is_ours=True)
        if arrays is not None:
            with contextlib.suppress(OSError):
                os.utime(own)  # access times of the file system are often off
            return arrays
        for path in bundled:
            arrays = self._read(path, is_ours=False)
            if arrays is not None:
                return arrays
        return None

    def mapped(self, key: str) -> dict[str, NDArray[np.generic]] | None:
        """The arrays of ``key`` as maps of its file, for those too large to be held by each
        process; ``None`` if absent or damaged. The file is read whole once to know.
        """
        own, *bundled = self._places(key)
        for path, is_ours in ((own, True), *((path, False) for path in bundled)):
            if self._is_whole(path, is_ours):
                with contextlib.suppress(OSError):
                    os.utime(path)
                    return map_npz(path)
        return None

    def remove(self, key: str) -> None:
        """Forget ``key``; what maps it keeps its pages."""
        self.path(key).unlink(missing_ok=True)

    def put(self, key: str, arrays: Arrays) -> None:
        """Store ``arrays`` under ``key``, then make room within the budget.

        Raises:
            StorageFull: the disk refuses, or the result alone is larger than the budget.
        """
        size = sum(np.asarray(array).nbytes for array in arrays.values())
        if size > self.budget_bytes:
            raise StorageFull(
                f"The result has {size / 1e6:.0f} MB and the budget for results is "
                f"{self.budget_bytes / 1e6:.0f} MB.",
                "Raise LOUPE_CACHE_MB, or ask for fewer items.",
            )
        path = self.path(key)
        write_atomic(
            path,
            lambda out: np.savez(out, allow_pickle=False, **dict(arrays)),
        )
        for gone in evict(self.root, "*/*.npz", self.budget_bytes, keep=path):
            log.info("result %s evicted", gone.stem[:12])

    def sweep(self, pid: int | None = None) -> None:
        """Remove what process ``pid``, which is dead, left unfinished; or all such files."""
        sweep(self.root, pid)

    def _is_whole(self, path: Path, is_ours: bool) -> bool:
        try:
            stat = path.stat()
        except OSError:
            return False
        known = self._whole.get(path) == (stat.st_ino, stat.st_size)
        return known or self._read(path, is_ours=is_ours) is not None

    def _places(self, key: str) -> list[Path]:
        own = self.path(key)
        return [own, *(folder / f"{key}.npz" for folder in self.bundled)]

    def _read(self, path: Path, *, is_ours: bool) -> dict[str, NDArray[np.generic]] | None:
        try:
            stat = path.stat()
            arrays = read_npz(path)
        except FileNotFoundError:
            return None
        except DAMAGED as error:
            log.warning("result %s is damaged and counts as absent: %s", path.stem[:12], error)
            self._whole.pop(path, None)
            if is_ours:
                with contextlib.suppress(OSError):
                    path.unlink()
            return None
        self._whole[path] = (stat.st_ino, stat.st_size)
        return arrays


def read_npz(path: Path) -> dict[str, NDArray[np.generic]]:
    """All arrays of an uncompressed npz file, read-only.

    Every member is read whole, which makes zipfile check its CRC-32, before its header is
    believed; the size in the header must be that of the data. So neither a flipped byte nor a
    header that claims a terabyte gets further than this.

    Raises:
        OSError, ValueError, zipfile.BadZipFile, ...: see :data:`DAMAGED`.
    """
    size = path.stat().st_size
    arrays: dict[str, NDArray[np.generic]] = {}
    with zipfile.ZipFile(path) as archive:
        if len(archive.infolist()) != _count(path):
            raise zipfile.BadZipFile("an array is missing")
        for info in archive.infolist():
            if info.compress_type != zipfile.ZIP_STORED or info.file_size > size:
                raise zipfile.BadZipFile("not written by this store")
            arrays[info.filename.removesuffix(".npy")] = _npy(archive.read(info))
    return arrays


def map_npz(path: Path) -> dict[str, NDArray[np.generic]]:
    """All arrays of an uncompressed npz file that was found whole, as maps of it.

    Raises:
        OSError: the file is gone.
    """
    arrays: dict[str, NDArray[np.generic]] = {}
    with path.open("rb") as file, zipfile.ZipFile(file) as archive:
        for info in archive.infolist():
            file.seek(info.header_offset + LENGTHS)
            name, extra = (int.from_bytes(file.read(2), "little") for _ in range(2))
            file.seek(name + extra, os.SEEK_CUR)
            np.lib.format.read_magic(file)
            shape, is_fortran, dtype = np.lib.format.read_array_header_1_0(file)
            key = info.filename.removesuffix(".npy")
            if 0 in shape:  # there is nothing to map
                arrays[key] = np.zeros(shape, dtype)
            else:  # a plain array over the map, which compiled code takes too
                held = np.memmap(path, dtype, "r", file.tell(), shape, "F" if is_fortran else "C")
                arrays[key] = np.asarray(held)
    return arrays


def _count(path: Path) -> int:
    """How many arrays the end record of a zip file without comment promises."""
    with path.open("rb") as file:
        file.seek(-22, os.SEEK_END)
        return int.from_bytes(file.read(22)[10:12], "little")


def _npy(data: bytes) -> NDArray[np.generic]:
    """The array of one npy file, as a read-only view on ``data``."""
    head = io.BytesIO(data)
    if np.lib.format.read_magic(head) != (1, 0):
        raise ValueError("unknown npy version")
    shape, is_fortran, dtype = np.lib.format.read_array_header_1_0(head)
    if dtype.hasobject:
        raise ValueError("arrays of objects are never read")
    # Python integers: a shape that multiplies past 64 bits must not wrap around to a match.
    count = 1
    for length in shape:
        count *= int(length)
    if head.tell() + count * dtype.itemsize != len(data):
        raise ValueError("the header does not fit the data")
    flat = np.frombuffer(data, dtype=dtype, count=count, offset=head.tell())
    return flat.reshape(shape, order="F" if is_fortran else "C")
