"""Images on disk, read by the rectangle: from the levels of a pyramid where there is one."""

from __future__ import annotations

import io
import math
import threading
from pathlib import Path
from typing import Final

import numpy as np
import pyvips
from PIL import Image

from backend.errors import BadRequest
from backend.protocols import U8
from backend.zoom import files
from backend.zoom.files import Header, Held
from backend.zoom.source import ArraySource, check_read, inside, resized

SLACK: Final = 1.001
LARGEST_FETCH_PX: Final = 48_000_000  # of a level, for one answer


class PyramidSource:
    """A tiled TIFF file, most often with smaller levels; an ``ImageSource``. Safe for threads.

    Raises:
        BadRequest: on construction, if the file was replaced meanwhile.
    """

    def __init__(self, file: Held, header: Header, fingerprint: str) -> None:
        self.file, self.header, self.fingerprint = file, header, fingerprint
        self._images: dict[int, pyvips.Image] = {}
        self._opening = threading.Lock()

    @property
    def width(self) -> int:
        return self.header.width

    @property
    def height(self) -> int:
        return self.header.height

    def read(self, x: int, y: int, width: int, height: int, out_width: int, out_height: int) -> U8:
        check_read(width, height, out_width, out_height)
        if not self.file.is_current():
            raise files.replaced()
        left, top, right, bottom = inside(self, x, y, width, height)
        if right <= left or bottom <= top:
            return np.zeros((out_height, out_width, 3), np.uint8)
        level = self._level(width / out_width, height / out_height)
        across, down = self._factors(level)
        columns, rows = self.header.levels[level]
        u, v = min(int(left / across), columns - 1), min(int(top / down), rows - 1)
        w = min(columns, max(u + 1, math.ceil(right / across - 1e-9))) - u
        h = min(rows, max(v + 1, math.ceil(bottom / down - 1e-9))) - v
        piece = self._fetch(level, u, v, w, h)
        if (left, top, right, bottom) == (x, y, x + width, y + height):
            return resized(piece, out_width, out_height)
        canvas = np.zeros(
            (max(h, round(height / down)), max(w, round(width / across)), 3), np.uint8
        )
        dy, dx = round((top - y) / down), round((left - x) / across)
        dy, dx = min(dy, canvas.shape[0] - h), min(dx, canvas.shape[1] - w)
        canvas[dy : dy + h, dx : dx + w] = piece
        return resized(canvas, out_width, out_height)

    def _level(self, across: float, down: float) -> int:
        """The smallest level that is not coarser than what is asked for."""
        chosen = 0
        for level in range(len(self.header.levels)):
            if max(self._factors(level)) <= max(1.0, min(across, down)) * SLACK:
                chosen = level
        return chosen

    def _factors(self, level: int) -> tuple[float, float]:
        """Pixels of the image per pixel of a level: a power of two where it is near one, since the
        sizes of levels are rounded."""
        width, height = self.header.levels[level]
        across, down = self.width / width, self.height / height
        power = float(2 ** round(math.log2(max(across, 1))))
        is_halved = abs(self.width / power - width) <= 1 and abs(self.height / power - height) <= 1
        return (power, power) if is_halved else (across, down)

    def _fetch(self, level: int, x: int, y: int, width: int, height: int) -> U8:
        if width * height > LARGEST_FETCH_PX:
            raise BadRequest(
                "The image has no smaller level to show this much of it from.",
                "Build its pyramid first.",
            )
        try:
            image = self._image(level)
            # A region and not a pipeline: no threads are started for a read of milliseconds.
            data = pyvips.Region.new(image).fetch(x, y, width, height)
        except pyvips.Error as error:
            if not self.file.is_current():
                raise files.replaced() from error
            raise files.unreadable() from error
        return np.frombuffer(data, np.uint8).reshape(height, width, 3)

    def _image(self, level: int) -> pyvips.Image:
        with self._opening:
            if level not in self._images:
                page = self.header.pages[level]
                self._images[level] = to_rgb(files.load(self.file, "tiff", page))
            return self._images[level]


def to_rgb(image: pyvips.Image) -> pyvips.Image:
    """The image with three channels of 8 bits: transparent parts over black, grey repeated."""
    if image.hasalpha():
        image = image.flatten(background=0)
    if image.bands == 1:
        image = image.bandjoin([image, image])
    return image.cast("uchar")


def open_file(path: Path, memory_bytes: int) -> tuple[Held, Header, str]:
    """A file's state, header and fingerprint.

    Raises:
        NotFound: it is gone. BadRequest: see :func:`backend.zoom.files.read_header`; also when
            reading it needs more than ``memory_bytes``.
    """
    file = files.held(path)
    header = files.read_header(file)
    if header.needs_bytes > memory_bytes:
        raise BadRequest(
            f"Reading this {header.format.upper()} file takes {header.needs_bytes / 1e6:.0f} MB of "
            f"memory; {memory_bytes / 1e6:.0f} MB are allowed (LOUPE_IMAGE_MB).",
            "Save it as a tiled TIFF, or without interlacing (progressive off).",
        )
    return file, header, files.fingerprint(file)


def is_small(header: Header, memory_bytes: int) -> bool:
    """Whether an image without levels can simply be held in memory."""
    return header.width * header.height * 6 <= memory_bytes


def read_whole(file: Held, header: Header, fingerprint: str) -> ArraySource:
    """A small image in memory.

    Raises:
        BadRequest: it is damaged or was replaced.
    """
    try:
        image = to_rgb(files.load(file, header.format, access="sequential"))
        pixels = np.frombuffer(image.write_to_memory(), np.uint8)
    except pyvips.Error as error:
        raise files.unreadable() from error
    source = ArraySource(pixels.reshape(header.height, header.width, 3))
    source.fingerprint = fingerprint
    return source


def as_jpeg(pixels: U8, quality: int = 85) -> bytes:
    """``(h, w, 3)`` uint8 as a JPEG file."""
    out = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(out, "JPEG", quality=quality)
    return out.getvalue()
