"""Pyramids: an image written once as a tiled TIFF with ever smaller levels, in bounded memory."""

from __future__ import annotations

import contextlib
import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import numpy as np
import pyvips

from backend.errors import BadRequest, Cancelled
from backend.files import PART, evict, refused
from backend.protocols import Progress
from backend.zoom import files
from backend.zoom.files import Header, Held
from backend.zoom.images import as_jpeg, to_rgb

QUALITY: Final = 88
TILE_PX: Final = 256
PREVIEW_PX: Final = 1024
STEPS: Final = 1000


def write_pyramid(
    image: pyvips.Image, path: Path, progress: Progress, budget_bytes: int, quality: int = QUALITY
) -> None:
    """Writes ``image`` as a pyramid to ``path``, whole or not at all, then makes room.

    Every level is the mean over 2 x 2 pixels of the one before; tiles are JPEG.

    Raises:
        Cancelled: by ``progress``. StorageFull: the disk refuses.
        BadRequest: the image turns out to be damaged.
    """
    part = path.with_name(f"{os.getpid()}-{uuid4().hex}{PART}")
    watch = _Watch(progress)
    image.set_progress(True)
    image.signal_connect("eval", watch)
    watch.image = image
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        # libvips tells the format by the name's end unless the saver is called directly.
        image.tiffsave(
            str(part),
            tile=True,
            tile_width=TILE_PX,
            tile_height=TILE_PX,
            pyramid=True,
            compression="jpeg",
            Q=quality,
            bigtiff=True,
            region_shrink="mean",
            strip=True,
        )
        os.replace(part, path)
    except pyvips.Error as error:
        if watch.cancelled:
            raise watch.cancelled from None
        if "write" in str(error).lower() or "space" in str(error).lower():
            raise refused("The pyramid could not be written", OSError()) from error
        raise files.unreadable() from error
    except OSError as error:
        raise refused("The pyramid could not be written", error) from error
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
    evict(path.parent, "*.tif", budget_bytes, keep=path)


class _Watch:
    """Tells how far libvips is, and stops it when the job is cancelled.

    libvips calls from a thread of its own, out of which nothing may be raised.
    """

    def __init__(self, progress: Progress) -> None:
        self.progress = progress
        self.cancelled: Cancelled | None = None
        self.image: Any = None

    def __call__(self, image: Any, told: Any) -> None:
        if self.cancelled:
            return
        try:
            self.progress(min(STEPS - 1, int(told.percent * STEPS / 100)), STEPS)
        except Cancelled as cancelled:
            self.cancelled = cancelled
            self.image.set_kill(True)


def preview(file: Held, header: Header) -> bytes:
    """The image at 1,024 px on its longer side, as a JPEG file, read from start to end.

    Raises:
        BadRequest: it is damaged or was replaced.
    """
    scale = PREVIEW_PX / max(header.width, header.height)
    options: dict[str, Any] = {"access": "sequential"}
    if header.format == "jpeg":  # decoded at an eighth at once
        options["shrink"] = next(s for s in (8, 4, 2, 1) if s * scale <= 1 or s == 1)
    try:
        image = to_rgb(files.load(file, header.format, **options))
        small = image.thumbnail_image(PREVIEW_PX, height=PREVIEW_PX, size="down")
        return as_jpeg(small.numpy())
    except pyvips.Error as error:
        if not file.is_current():
            raise files.replaced() from error
        raise files.unreadable() from error


def build(file: Held, header: Header, path: Path, progress: Progress, budget_bytes: int) -> None:
    """The pyramid of a file, written to ``path``.

    Raises:
        Cancelled, StorageFull, BadRequest: as :func:`write_pyramid`.
    """
    image = to_rgb(files.load(file, header.format, access="sequential"))
    write_pyramid(image, path, progress, budget_bytes)
    if not file.is_current():
        path.unlink(missing_ok=True)
        raise files.replaced()


def streamed(width: int, height: int, rows_at: Callable[[int], bytes]) -> pyvips.Image:
    """An image (RGB) whose rows are made when they are needed, from top to bottom.

    Args:
        rows_at: the bytes of the next rows, from this one on; at least one row, whole rows.

    Raises:
        BadRequest: the image is larger than the format can say.
    """
    if width * height * 3 > 2**40:
        raise BadRequest("The image is too large to be made here.")
    return _Stream(width, height, rows_at).image()


class _Stream:
    """The rows as a PNG file without compression that libvips reads as it needs them."""

    def __init__(self, width: int, height: int, rows_at: Callable[[int], bytes]) -> None:
        self.height, self.row_bytes, self.rows_at = height, width * 3, rows_at
        self.next_row = 0
        self.packer = zlib.compressobj(0)
        head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
        self.waiting = memoryview(b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", head))

    def image(self) -> pyvips.Image:
        source = pyvips.SourceCustom()
        source.on_read(self.read)
        return pyvips.Image.new_from_source(source, "", access="sequential", unlimited=True)

    def read(self, size: int) -> bytes:
        if not self.waiting and self.next_row < self.height:
            self.waiting = memoryview(self._more())
        sent, self.waiting = self.waiting[:size], self.waiting[size:]
        return bytes(sent)

    def _more(self) -> bytes:
        rows = np.frombuffer(self.rows_at(self.next_row), np.uint8).reshape(-1, self.row_bytes)
        self.next_row += len(rows)
        filtered = np.zeros((len(rows), self.row_bytes + 1), np.uint8)  # 0: no filter
        filtered[:, 1:] = rows
        data = self.packer.compress(filtered.data)
        if self.next_row < self.height:
            return _chunk(b"IDAT", data)
        return _chunk(b"IDAT", data + self.packer.flush()) + _chunk(b"IEND", b"")


def _chunk(name: bytes, data: bytes) -> bytes:
    ends = zlib.crc32(data, zlib.crc32(name)).to_bytes(4, "big")
    return len(data).to_bytes(4, "big") + name + data + ends
