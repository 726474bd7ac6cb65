"""Every image that can be looked at, by key, and opening one.

Keys: ``needle:7`` (row of the needle set), ``large:4096`` and ``large:20000`` (built on first use),
``set:<name>/<path>`` of a registered set, ``file:<path>`` below the allowed folders,
``upload:<name>`` of a finished upload. A browser only ever sends keys. No torch.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, get_args

import numpy as np

from backend.errors import BadRequest, NotFound
from backend.files import private_folder
from backend.protocols import U8
from backend.settings import Settings
from backend.zoom import files, images, needles
from backend.zoom.images import PyramidSource
from backend.zoom.source import ArraySource, ImageSource, resized
from models.needle_scenes import CLASSES, EVAL_PX

Kind = Literal["needle", "large", "set", "file", "upload"]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
State = Literal["ready", "build", "pyramid", "bad"]
MOST_FILES: Final = 500
MOST_OPEN: Final = 8
MASK_PX: Final = 1024


@dataclass(frozen=True, slots=True)
class ImageInfo:
    """What a list shows of one image; width and height are 0 where they are not known yet.

    Attributes:
        label: index into ``classes``, or ``None`` where nobody knows.
        state: ``build`` and ``pyramid``: a job is needed first (zoom.build, zoom.pyramid); with
            ``pyramid`` the image can be seen at low resolution meanwhile. ``bad``: see ``note``.
    """

    key: str
    title: str
    kind: Kind
    width: int
    height: int
    label: int | None
    classes: tuple[str, ...]
    state: State
    fingerprint: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Truth:
    """Where the thing to be found is: boxes x, y, width, height in pixels."""

    label: int
    boxes: tuple[tuple[int, int, int, int], ...]


class Coarse(BadRequest):
    """Only a low resolution of this image is there until its pyramid is built."""


class Library:
    """The images of one installation. Safe for threads; holds the last few opened."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.folder = settings.state_dir / "zoom"
        self.pyramids = self.folder / "pyramids"
        self.uploads = self.folder / "uploads"
        self._open: OrderedDict[str, ImageSource] = OrderedDict()
        self._lock = threading.Lock()

    @property
    def roots(self) -> tuple[Path, ...]:
        """The allowed folders; the app's own is made when it is missing."""
        private_folder(self.settings.state_dir / "images")
        return self.settings.image_roots

    def listing(self, needles_shown: int = 40) -> list[ImageInfo]:
        """The bundled images, uploads, registered sets, then files below the allowed folders."""
        found = [self.info(f"needle:{row}") for row in range(needles_shown)]
        found += [self.info(f"large:{side}") for side in needles.LARGE_SIDES]
        found += [self.info(f"upload:{path.name}") for path in sorted(self.uploads.glob("*.*"))]
        found += [self.info(key) for key in self._of_sets()]
        return found + [self.info(f"file:{path}") for path in self._files()]

    def _of_sets(self) -> Iterator[str]:
        """Keys of the images of registered sets."""
        for name, folder in _registered().items():
            for path in sorted(p for p in folder.rglob("*") if p.suffix.lower() in files.SUFFIXES):
                yield f"set:{name}/{path.relative_to(folder).as_posix()}"

    def _files(self) -> Iterator[Path]:
        """Image files below the allowed folders, as paths relative to theirs."""
        count = 0
        for root in self.roots:
            for path in sorted(root.rglob("*")):
                if path.suffix.lower() in files.SUFFIXES and count < MOST_FILES:
                    count += 1
                    yield path.relative_to(root)

    def info(self, key: str) -> ImageInfo:
        """What is known of one image, read from its header only.

        Raises:
            NotFound: there is no such image; files that cannot be used are told as ``bad``.
        """
        kind, name = self.split(key)
        if kind == "needle":
            row = _whole(name)
            label = needles.ITEMS.scene(row).label
            title = f"Needle #{row} (simulated)"
            side = EVAL_PX
            return ImageInfo(
                key, title, kind, side, side, label, CLASSES, "ready",
                self._needle_fingerprint(row),
            )  # fmt: skip
        if kind == "large":
            side = _whole(name)
            mark = needles.large_fingerprint(side)
            state: State = "ready" if self.large_path(side).is_file() else "build"
            title = f"Needle in {side:,} × {side:,} (simulated)"
            return ImageInfo(key, title, kind, side, side, 1, CLASSES, state, mark)
        return self._file_info(key, kind, name)

    def _file_info(self, key: str, kind: Kind, name: str) -> ImageInfo:
        path = self.path(key)
        try:
            _, header, mark = images.open_file(path, self.settings.image_bytes)
        except BadRequest as error:
            told = f"{error.message} {error.hint}".strip()
            return ImageInfo(key, path.name, kind, 0, 0, None, (), "bad", "", told)
        state: State = "ready" if self._is_ready(header, mark) else "pyramid"
        return ImageInfo(key, path.name, kind, header.width, header.height, None, (), state, mark)

    def _is_ready(self, header: files.Header, mark: str) -> bool:
        return (
            len(header.levels) > 1
            or images.is_small(header, self.settings.image_bytes)
            or self.pyramid_path(mark).is_file()
        )

    def open(self, key: str) -> ImageSource:
        """The image, ready to be read.

        Raises:
            NotFound: there is no such image, or a large set is not built.
            Coarse: its pyramid has to be built first.
            BadRequest: the file cannot be used; says why.
        """
        with self._lock:
            held = self._open.get(key)
        if held is not None and (not isinstance(held, PyramidSource) or held.file.is_current()):
            return held
        source = self._opened(key)
        # Small images are held too, but never a file that may change under the same name.
        if isinstance(source, PyramidSource) or key.startswith("needle:"):
            with self._lock:
                self._open[key] = source
                while len(self._open) > MOST_OPEN:
                    self._open.popitem(last=False)
        return source

    def _opened(self, key: str) -> ImageSource:
        kind, name = self.split(key)
        if kind == "needle":
            source = ArraySource(needles.ITEMS.image(_whole(name)))
            source.fingerprint = self._needle_fingerprint(_whole(name))
            return source
        if kind == "large":
            side = _whole(name)
            mark = needles.large_fingerprint(side)
            path = self.large_path(side)
            if not path.is_file():
                raise NotFound(
                    f"The needle image of {side:,} px is not built yet.", "Build it first."
                )
            return self._pyramid(path, mark)
        file, header, mark = images.open_file(self.path(key), self.settings.image_bytes)
        built = self.pyramid_path(mark)
        if len(header.levels) > 1:
            return PyramidSource(file, header, mark)
        if built.is_file():
            return self._pyramid(built, mark)
        if images.is_small(header, self.settings.image_bytes):
            return images.read_whole(file, header, mark)
        raise Coarse(
            f"{file.path.name} has {header.width} x {header.height} pixels and no pyramid.",
            "Build its pyramid first; until then it can be seen at low resolution.",
        )

    def _pyramid(self, path: Path, mark: str) -> PyramidSource:
        file, header, _ = images.open_file(path, self.settings.image_bytes)
        return PyramidSource(file, header, mark)

    def truth(self, key: str) -> Truth | None:
        """Where the needle is; ``None`` for images of which nobody knows."""
        kind, name = self.split(key)
        if kind == "needle":
            scene = needles.ITEMS.scene(_whole(name))
            boxes = [item.box for item in scene.items if item.is_needle]
            return Truth(scene.label, tuple((x, y, side, side) for x, y, side in boxes))
        if kind == "large":
            boxes_of = needles.large_scene(_whole(name)).boxes()
            return Truth(int(bool(boxes_of)), tuple(boxes_of))
        return None

    def mask(self, key: str) -> U8 | None:
        """The needle's strokes, ``(1024, 1024)`` uint8 0 or 255; ``None`` for other images."""
        kind, name = self.split(key)
        if kind != "needle":
            return None
        return needles.ITEMS.mask(_whole(name)).astype(np.uint8) * np.uint8(255)

    def split(self, key: str) -> tuple[Kind, str]:
        """Kind and name of a key. Raises ``NotFound``."""
        kind, _, name = key.partition(":")
        for known in KINDS:
            if kind == known and name:
                return known, name
        raise NotFound(f"There is no image {key[:80]!r}.", "Choose one from the list.")

    def path(self, key: str) -> Path:
        """The file behind ``file:``, ``set:`` and ``upload:``, where it really lies.

        Raises:
            NotFound: it is not there, or not below an allowed folder.
        """
        kind, name = self.split(key)
        if kind == "upload":
            return files.allowed(Path(name).name, [self.uploads])
        if kind == "set":
            folder = _registered().get(name.partition("/")[0])
            return files.allowed(name.partition("/")[2], [folder] if folder else [])
        return files.allowed(name, self.roots)

    def large_path(self, side_px: int) -> Path:
        """Where a large set lies once built. Raises ``NotFound`` for other sides."""
        return self.pyramids / f"needle-{side_px}-{needles.large_fingerprint(side_px)}.tif"

    def pyramid_path(self, mark: str) -> Path:
        """Where the pyramid of a file with this fingerprint lies once built."""
        return self.pyramids / f"{mark}.tif"

    def preview_path(self, mark: str) -> Path:
        """Where the low resolution of a file without a pyramid lies."""
        return self.folder / "previews" / f"{mark}.jpg"

    def _needle_fingerprint(self, row: int) -> str:
        return f"{needles.ITEMS.fingerprint[:12]}{row:04x}"


def _registered() -> dict[str, Path]:
    """The folders of registered sets of large images, by name."""
    from backend.registry import store
    from backend.registry.sets.large import folder_of

    held = store.listed().sets.values()
    return {one.spec.name: folder_of(one.spec) for one in held if one.spec.kind == "large"}


def thumbnail(source: ImageSource, longest_px: int) -> U8:
    """The whole image, no side longer than ``longest_px``, ``(h, w, 3)``."""
    scale = min(1.0, longest_px / max(source.width, source.height))
    width, height = max(1, round(source.width * scale)), max(1, round(source.height * scale))
    return source.read(0, 0, source.width, source.height, width, height)


def preview_of(library: Library, key: str, longest_px: int) -> U8:
    """As :func:`thumbnail`, from the stored low resolution where there is no pyramid yet.

    Raises:
        Coarse: not even that is there; the job zoom.pyramid makes it first.
        NotFound, BadRequest: as :meth:`Library.open`.
    """
    try:
        return thumbnail(library.open(key), longest_px)
    except Coarse:
        path = library.preview_path(library.info(key).fingerprint)
        if not path.is_file():
            raise
        file, header, mark = images.open_file(path, library.settings.image_bytes)
        pixels = images.read_whole(file, header, mark).pixels
        scale = min(1.0, longest_px / max(pixels.shape[:2]))
        size = [max(1, round(side * scale)) for side in pixels.shape[:2]]
        return resized(pixels, size[1], size[0])


def _whole(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 8):
        raise NotFound(f"There is no image number {text[:40]!r}.", "Choose one from the list.")
    return int(text)


_SEEN: dict[Path, Library] = {}
_MAKING = threading.Lock()


def library(settings: Settings | None = None) -> Library:
    """The library of the settings; the same one at every call of this process.

    Raises:
        BackendError: a setting is not usable.
    """
    found = settings or Settings.from_env()
    with _MAKING:
        held = _SEEN.get(found.state_dir)
        if held is None or held.settings != found:
            held = _SEEN[found.state_dir] = Library(found)
        return held
