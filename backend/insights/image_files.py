"""The image files that come with a table: a folder or a zip archive, read one at a time."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from PIL import Image

from backend.errors import BadRequest
from backend.uploads import decoded

MOST_BYTES: Final = 60_000_000  # of one file
KEPT_PX: Final = 512  # the longer side of what is kept
QUALITY: Final = 85


class ImageFiles(Protocol):
    """Files by name."""

    def __len__(self) -> int: ...
    def has(self, name: str) -> bool:
        """Whether there is such a file."""
        ...

    def read(self, name: str) -> bytes:
        """A file's bytes.

        Raises:
            BadRequest: it is too large or cannot be read.
        """
        ...


class NoImages:
    """No files at all."""

    def __len__(self) -> int:
        return 0

    def has(self, name: str) -> bool:
        """Never."""
        return False

    def read(self, name: str) -> bytes:
        """Never."""
        raise BadRequest(f"There is no image {name[:60]!r}.")


class Folder:
    """Files below a folder; names that lead out of it are not there."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self._count = sum(1 for path in self.root.rglob("*") if path.is_file())

    def __len__(self) -> int:
        return self._count

    def has(self, name: str) -> bool:
        """Whether there is such a file in the folder."""
        return self._path(name) is not None

    def read(self, name: str) -> bytes:
        """A file's bytes. Raises BadRequest as the protocol says."""
        path = self._path(name)
        try:
            if path is None:
                raise BadRequest(f"there is no image {name[:60]!r}")
            if path.stat().st_size > MOST_BYTES:
                raise BadRequest(f"{name[:60]} has more than {MOST_BYTES // 1_000_000} MB")
            return path.read_bytes()
        except OSError as error:
            raise BadRequest(f"{name[:60]} cannot be read") from error

    def _path(self, name: str) -> Path | None:
        if not name or "\0" in name or len(name) > 1000:
            return None
        try:
            path = (self.root / name).resolve()
            return path if path.is_relative_to(self.root) and path.is_file() else None
        except (OSError, RuntimeError):  # a name that no file can have; links in a circle
            return None


class Archive:
    """Members of an open zip, by their full name, or by their last part where that is one's own."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        members = [info for info in archive.infolist() if not info.is_dir()]
        last: dict[str, list[zipfile.ZipInfo]] = {}
        for info in members:
            last.setdefault(info.filename.rpartition("/")[2], []).append(info)
        self._members = {name: found[0] for name, found in last.items() if len(found) == 1}
        self._members |= {info.filename: info for info in members}
        self._count = len(members)

    def __len__(self) -> int:
        return self._count

    def has(self, name: str) -> bool:
        """Whether there is such a member."""
        return name in self._members

    def read(self, name: str) -> bytes:
        """A member's bytes. Raises BadRequest as the protocol says."""
        info = self._members[name]
        if info.file_size > MOST_BYTES:
            raise BadRequest(f"{name[:60]} has more than {MOST_BYTES // 1_000_000} MB")
        try:
            with self._archive.open(info) as file:
                data = file.read(MOST_BYTES + 1)
        except (
            RuntimeError,
            OSError,
            zipfile.BadZipFile,
            NotImplementedError,
            zlib.error,
        ) as error:
            raise BadRequest(f"{name[:60]} cannot be unpacked") from error
        if len(data) > MOST_BYTES:  # the archive's directory did not tell the truth
            raise BadRequest(f"{name[:60]} has more than {MOST_BYTES // 1_000_000} MB")
        return data


@contextmanager
def opened(source: Path | bytes | None) -> Iterator[ImageFiles]:
    """The files of a folder, of a zip on disk or of a zip's bytes; none for None.

    Raises:
        BadRequest: it is neither.
    """
    if source is None:
        yield NoImages()
        return
    if isinstance(source, Path) and source.is_dir():
        yield Folder(source)
        return
    try:
        archive = zipfile.ZipFile(io.BytesIO(source) if isinstance(source, bytes) else source)
    except (OSError, zipfile.BadZipFile, ValueError) as error:
        raise BadRequest(
            "The images are neither a folder nor a zip archive.", "Give one of them."
        ) from error
    with archive:
        yield Archive(archive)


@dataclass(frozen=True, slots=True)
class KeptImage:
    """A WebP file of at most KEPT_PX, and how many pixels the original had."""

    data: bytes
    source_pixels: int


def kept(data: bytes) -> KeptImage:
    """An uploaded image, shrunk.

    Raises:
        BadImage: it cannot be used; see :func:`backend.uploads.decoded`.
    """
    picture = decoded(data, "RGB")
    pixels = picture.width * picture.height
    picture.thumbnail((KEPT_PX, KEPT_PX), Image.Resampling.LANCZOS)
    out = io.BytesIO()
    picture.save(out, "WEBP", quality=QUALITY, method=3)
    return KeptImage(out.getvalue(), pixels)
