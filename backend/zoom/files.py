"""Files that may be opened as images: below the allowed folders, and what their headers say.

Nothing is decoded here. A path is resolved first and judged by where it really lies, so that
neither ``..`` nor a link leads out of the folders.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final, Literal

import pyvips

from backend.errors import BadRequest, NotFound

Format = Literal["tiff", "jpeg", "png", "webp"]
MIN_SIDE_PX: Final = 8
MAX_SIDE_PX: Final = 2_000_000
MOST_PX_PER_BYTE: Final = 2_000
"""A file that claims more pixels for its size is no photograph but a trap. An empty white slide
has about 130 to 350."""
BLOCKS: Final = 64
BLOCK_BYTES: Final = 65_536
SUFFIXES: Final = (".tif", ".tiff", ".svs", ".jpg", ".jpeg", ".png", ".webp")
COLOURS: Final = ("srgb", "rgb", "b-w")

pyvips.cache_set_max(0)  # a file that was replaced must not be answered from memory


@dataclass(frozen=True, slots=True)
class Held:
    """One state of a file: what must stay equal while it is open."""

    path: Path
    device: int
    inode: int
    size_bytes: int
    changed_ns: int

    def is_current(self) -> bool:
        """Whether the file is still the one that was opened."""
        try:
            return held(self.path) == self
        except NotFound:
            return False


@dataclass(frozen=True, slots=True)
class Header:
    """What a file says of itself.

    Attributes:
        levels: width and height of each resolution, the full one first.
        pages: the number within the file of each of them.
        needs_bytes: memory that reading it from start to end takes, beyond a few lines.
    """

    format: Format
    levels: tuple[tuple[int, int], ...]
    pages: tuple[int, ...]
    has_alpha: bool
    is_tiled: bool
    needs_bytes: int

    @property
    def width(self) -> int:
        return self.levels[0][0]

    @property
    def height(self) -> int:
        return self.levels[0][1]


def allowed(path: str | Path, roots: Sequence[Path]) -> Path:
    """Where ``path`` really lies, if that is an ordinary file below one of ``roots``.

    A relative path is tried below each of the roots.

    Raises:
        NotFound: it is not there, or it lies elsewhere; the two are not told apart.
    """
    text = os.fspath(path)
    if 0 < len(text) <= 4096 and "\0" not in text:
        for root in roots:
            try:
                real = (root / text).resolve(strict=True)
                base = root.resolve(strict=True)
                if real.is_relative_to(base) and real.is_file():
                    return real
            except (OSError, RuntimeError):  # not there, no permission, links in a circle
                continue
    raise NotFound(
        "There is no such image in the allowed folders.",
        "Put it into the folder images of the state folder, or name its folder in "
        "LOUPE_IMAGE_ROOTS.",
    )


def held(path: Path) -> Held:
    """The present state of a file.

    Raises:
        NotFound: it is not an ordinary file (any more).
    """
    try:
        found = path.lstat()
    except OSError as error:
        raise NotFound("The image file is gone.", "Choose it again.") from error
    if not stat.S_ISREG(found.st_mode):
        raise NotFound("The image is not an ordinary file.", "Links and devices are not opened.")
    return Held(path, found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)


def fingerprint(file: Held) -> str:
    """16 hex digits from the file's size, time of change and 64 blocks spread over it.

    Raises:
        BadRequest: it cannot be read.
    """
    digest = hashlib.sha256(f"{file.size_bytes} {file.changed_ns}".encode())
    last = max(0, file.size_bytes - BLOCK_BYTES)
    try:
        with open_same(file) as data:
            for start in sorted({last * i // (BLOCKS - 1) for i in range(BLOCKS)}):
                data.seek(start)
                digest.update(data.read(BLOCK_BYTES))
    except OSError as error:
        raise unreadable() from error
    return digest.hexdigest()[:16]


def open_same(file: Held) -> BinaryIO:
    """The file, opened for reading, if it is still the same.

    Raises:
        BadRequest: it was replaced or changed.
    """
    try:
        descriptor = os.open(file.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise replaced() from error
    opened = os.fdopen(descriptor, "rb")
    found = os.fstat(descriptor)
    same = (file.device, file.inode, file.size_bytes, file.changed_ns)
    if (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns) != same:
        opened.close()
        raise replaced()
    return opened


def format_of(start: bytes) -> Format:
    """The format by the first 16 bytes of a file, never by its name.

    Raises:
        BadRequest: it is none that can be read here.
    """
    if start[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        return "tiff"
    if start[:3] == b"\xff\xd8\xff":
        return "jpeg"
    if start[:8] == b"\x89PNG\r\n\x1a\n":
        return "png"
    if start[:4] == b"RIFF" and start[8:12] == b"WEBP":
        return "webp"
    raise BadRequest(
        "The file is not an image that can be read here.", "Use TIFF, JPEG, PNG or WebP."
    )


def load(file: Held, kind: Format, page: int = 0, **options: Any) -> pyvips.Image:
    """The image in a file, not decoded yet.

    Raises:
        BadRequest: the file was replaced, or is no image of that format.
    """
    loader = getattr(pyvips.Image, f"{kind}load_source")
    if kind == "tiff":
        options = {**options, "page": page}
    try:
        with open_same(file) as data:  # libvips keeps a descriptor of its own
            source = pyvips.Source.new_from_descriptor(data.fileno())
            image: pyvips.Image = loader(source, fail_on="truncated", **options)
    except pyvips.Error as error:
        raise unreadable() from error
    return image


def read_header(file: Held) -> Header:
    """What the file says of itself, checked before anything is decoded.

    Raises:
        BadRequest: not an image, too small or too large, a trap, CMYK, more than 8 bits a channel,
            more channels than colour and transparency, or animated.
    """
    with open_same(file) as data:
        kind = format_of(data.read(16))
    image = load(file, kind)
    _check_size(image, file)
    _check_colour(image)
    is_interlaced = "interlaced" in image.get_fields() and bool(image.get("interlaced"))
    count = image.get("n-pages") if "n-pages" in image.get_fields() else 1
    if kind != "tiff" and count > 1:
        raise BadRequest("The image is animated.", "Choose a single picture.")
    pages = _levels(file, image, int(count)) if kind == "tiff" else {0: (image.width, image.height)}
    whole = kind == "webp" or is_interlaced
    bytes_per_pixel = 6 if kind == "jpeg" else 4  # a progressive JPEG is kept as 16-bit numbers
    return Header(
        kind,
        tuple(pages.values()),
        tuple(pages),
        bool(image.hasalpha()),
        "tile-width" in image.get_fields() or len(pages) > 1,
        image.width * image.height * bytes_per_pixel if whole else 0,
    )


def _levels(file: Held, image: pyvips.Image, count: int) -> dict[int, tuple[int, int]]:
    """Page number to width and height: those pages that are the first one made smaller."""
    found = {0: (image.width, image.height)}
    for page in range(1, min(count, 32)):
        try:
            smaller = load(file, "tiff", page)
        except BadRequest:  # a damaged page: the finer ones serve
            continue
        last_width, last_height = list(found.values())[-1]
        ratio = image.width / smaller.width
        same_shape = abs(image.height / ratio - smaller.height) <= 1 + image.height / image.width
        is_smaller = smaller.width < last_width and smaller.height <= last_height
        if is_smaller and same_shape and smaller.bands == image.bands:
            found[page] = (smaller.width, smaller.height)
    return found


def _check_size(image: pyvips.Image, file: Held) -> None:
    width, height = image.width, image.height
    limits = f"Allowed are {MIN_SIDE_PX} to {MAX_SIDE_PX} px on each side."
    if min(width, height) < MIN_SIDE_PX or max(width, height) > MAX_SIDE_PX:
        raise BadRequest(f"The image has {width} x {height} pixels.", limits)
    if width * height > MOST_PX_PER_BYTE * max(file.size_bytes, 1024):
        raise BadRequest(
            f"The file claims {width} x {height} pixels in {file.size_bytes / 1000:.0f} kB, which "
            "no picture has.",
            "It is damaged, or made to fill the memory; it was not opened.",
        )


def _check_colour(image: pyvips.Image) -> None:
    if image.format != "uchar":
        raise BadRequest(
            f"The image has {_depth(image.format)} per channel.", "Save it with 8 bits per channel."
        )
    if image.interpretation == "cmyk":
        raise BadRequest("The image has the colours of printing (CMYK).", "Save it as RGB.")
    colours = image.bands - int(image.hasalpha())
    if image.interpretation not in COLOURS or colours not in (1, 3):
        raise BadRequest(
            f"The image has {image.bands} channels ({image.interpretation}).",
            "Save it as RGB or grey.",
        )


def _depth(kind: str) -> str:
    names = {"ushort": "16 bits", "short": "16 bits", "uint": "32 bits", "float": "32 bits"}
    return names.get(kind, f"numbers of the kind {kind}")


def replaced() -> BadRequest:
    return BadRequest("The image file was replaced or changed while it was open.", "Open it again.")


def unreadable() -> BadRequest:
    return BadRequest(
        "The image file is damaged or was cut short.", "Save or copy it again, then open it anew."
    )
