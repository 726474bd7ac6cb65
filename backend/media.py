"""Images on disk by the sha256 of their file, so that a URL never changes its meaning."""

from __future__ import annotations

import hashlib
import io
import logging
import re
from pathlib import Path
from typing import Final, Literal

import numpy as np
from PIL import Image

from backend.errors import BadRequest, NotFound, StorageFull
from backend.files import evict, private_folder, write_atomic
from backend.protocols import U8

log = logging.getLogger(__name__)
Suffix = Literal["webp", "png"]
LOST: Final = ("There is no such image.", "Reload the page to make it again.")
SHA256: Final = re.compile(r"[0-9a-f]{64}\Z")
SPARE_BYTES: Final = 64_000_000
MODES: Final = {1: "L", 3: "RGB", 4: "RGBA"}


class MediaStore:
    """Images in ``root`` within ``budget_bytes``; the least recently written go first.

    What a full disk refuses is kept in memory, so that pages still have their pictures.
    """

    def __init__(self, root: Path, budget_bytes: int = 1_000_000_000) -> None:
        self.root = private_folder(root)
        self.budget_bytes = budget_bytes
        self._spare: dict[str, bytes] = {}  # by file name, the oldest first

    def put_image(self, image: U8 | bytes, lossless: bool = True, suffix: Suffix = "webp") -> str:
        """sha256 of the stored file, which is its name.

        Args:
            image: pixels ``(h, w)``, ``(h, w, 3)`` or ``(h, w, 4)`` uint8, or the bytes of a
                finished WebP or PNG file, which are kept as they are.

        Raises:
            BadRequest: it is neither.
            StorageFull: the disk refuses, and it is too large for the memory kept for that.
        """
        if isinstance(image, bytes):
            data, suffix = image, _suffix_of(image)
        else:
            data = encoded(image, lossless=lossless, suffix=suffix)
        sha256 = hashlib.sha256(data).hexdigest()
        path = self._place(sha256, suffix)
        if not path.is_file():
            try:
                write_atomic(path, lambda out: bool(out.write(data)))
            except StorageFull as refused:
                self._keep(path.name, data, refused)
            else:
                evict(self.root, "*/*.*", self.budget_bytes, keep=path)
        return sha256

    def read(self, sha256: str, suffix: str = "webp") -> bytes:
        """The file of an image.

        Raises:
            NotFound: there is none, or the name cannot be one.
        """
        spare = self._spare.get(f"{sha256}.{suffix}")
        if spare is not None:
            return spare
        try:
            return self.path(sha256, suffix).read_bytes()
        except OSError as error:  # evicted this moment, or the disk is broken
            raise NotFound(*LOST) from error

    def _keep(self, name: str, data: bytes, refused: StorageFull) -> None:
        if len(data) > SPARE_BYTES:
            raise refused
        if name not in self._spare:
            log.warning("an image is kept in memory only: %s", refused.message)
        self._spare[name] = data
        while sum(map(len, self._spare.values())) > SPARE_BYTES:
            self._spare.pop(next(iter(self._spare)), None)

    def path(self, sha256: str, suffix: str = "webp") -> Path:
        """Where an image lies on disk.

        Raises:
            NotFound: it does not, or the name cannot be one.
        """
        if SHA256.match(sha256) and suffix in ("webp", "png"):
            path = self._place(sha256, suffix)
            if path.is_file():
                return path
        raise NotFound(*LOST)

    def _place(self, sha256: str, suffix: str) -> Path:
        return self.root / sha256[:2] / f"{sha256}.{suffix}"


def encoded(image: U8, *, lossless: bool = True, suffix: Suffix = "webp") -> bytes:
    """``image`` as the bytes of a WebP or PNG file; equal pixels give equal bytes.

    Raises:
        BadRequest: not uint8, or not ``(h, w)``, ``(h, w, 3)`` or ``(h, w, 4)``, or empty.
    """
    channels = image.shape[2] if image.ndim == 3 else 1
    if (
        image.dtype != np.uint8
        or image.ndim not in (2, 3)
        or channels not in MODES
        or not image.size
    ):
        raise BadRequest(
            f"An image of shape {image.shape} and type {image.dtype} cannot be shown.",
            "It must be (h, w), (h, w, 3) or (h, w, 4) of uint8.",
        )
    pixels = image[:, :, 0] if image.ndim == 3 and channels == 1 else image
    out = io.BytesIO()
    picture = Image.fromarray(np.ascontiguousarray(pixels))
    if suffix == "webp":
        picture.save(out, "WEBP", lossless=lossless, quality=80, method=4, exact=True)
    else:
        picture.save(out, "PNG")
    return out.getvalue()


def _suffix_of(data: bytes) -> Suffix:
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "webp"
    if data[:8] == b"\x89PNG\r\n\x1a\n":
        return "png"
    raise BadRequest("The file is neither WebP nor PNG.", "Convert it first.")
