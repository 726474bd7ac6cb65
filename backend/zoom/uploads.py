"""Large uploads: in parts, into a file that counts only when it is whole and an image."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path
from typing import Final
from uuid import uuid4

from backend.errors import BadRequest, NotFound
from backend.files import PART, private_folder, refused
from backend.zoom import images
from backend.zoom.library import Library

TICKET: Final = re.compile(r"[0-9a-f]{32}\Z")
LARGEST_BYTES: Final = 20_000_000_000
ENDS: Final = {"tiff": ".tif", "jpeg": ".jpg", "png": ".png", "webp": ".webp"}


class Uploads:
    """Uploads of one library; each is known by a ticket of 32 hex digits until it is finished."""

    def __init__(self, library: Library) -> None:
        self.library = library

    def begin(self) -> str:
        """A ticket for a new upload."""
        private_folder(self.library.uploads)
        ticket = uuid4().hex
        self._path(ticket).touch()
        return ticket

    def append(self, ticket: str, start: int, data: bytes) -> int:
        """Bytes held after adding ``data`` at ``start``, which must be where the last part ended.

        Raises:
            NotFound: no such ticket. BadRequest: a gap, or more than 20 GB.
            StorageFull: the disk refuses.
        """
        path = self._path(ticket)
        try:
            held = path.stat().st_size
            if start != held or held + len(data) > LARGEST_BYTES:
                raise BadRequest(
                    f"This part starts at byte {start}; {held} are here.",
                    f"Send the parts in order, at most {LARGEST_BYTES // 10**9} GB in all.",
                )
            with path.open("ab") as out:
                out.write(data)
        except FileNotFoundError as error:
            raise NotFound("There is no such upload.", "Begin it again.") from error
        except OSError as error:
            raise refused("The upload could not be stored", error) from error
        return held + len(data)

    def finish(self, ticket: str, name: str = "") -> str:
        """The key of the uploaded image.

        Raises:
            NotFound: no such ticket. BadRequest: it is not a usable image; it is removed then.
        """
        path = self._path(ticket)
        try:
            _, header, mark = images.open_file(path, self.library.settings.image_bytes)
        except BadRequest:
            with contextlib.suppress(OSError):
                path.unlink()
            raise
        stem = re.sub(r"[^A-Za-z0-9_-]+", "-", Path(name).stem)[:40].strip("-") or "image"
        final = self.library.uploads / f"{stem}-{mark}{ENDS[header.format]}"
        path.replace(final)
        return f"upload:{final.name}"

    def _path(self, ticket: str) -> Path:
        if not TICKET.match(ticket):
            raise NotFound("There is no such upload.", "Begin it again.")
        return self.library.uploads / f"{ticket}{PART}"


def store_upload(library: Library, data: bytes, name: str = "") -> str:
    """The key of an image that came in one piece.

    Raises:
        BadRequest: not a usable image. StorageFull: the disk refuses.
    """
    uploads = Uploads(library)
    ticket = uploads.begin()
    uploads.append(ticket, 0, data)
    return uploads.finish(ticket, name)
