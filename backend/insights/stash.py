"""Tables that wait to be imported: kept between the preview and the confirmation, under a token."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import numpy as np

from backend.crayon.library import inside
from backend.errors import BadRequest, NotFound
from backend.files import private_folder, write_atomic
from backend.insights import library
from backend.insights.importer import Upload
from backend.jobs import JobRequest
from backend.protocols import JSON, Arrays, Progress

TOKEN: Final = re.compile(r"[0-9a-f]{32}\Z")
MOST: Final = 10
ABOUT, TABLE, IMAGES = "about.json", "table", "images.zip"


def put(data: bytes, name: str, images: bytes | None = None) -> str:
    """Keeps an uploaded table and its zip of images; returns the token.

    Raises:
        StorageFull: the disk refuses.
    """
    token = uuid4().hex
    place = private_folder(_folder() / token)
    write_atomic(place / TABLE, lambda out: out.write(data))
    if images:
        write_atomic(place / IMAGES, lambda out: out.write(images))
    _write(place, {"name": name[-120:]})
    return token


def put_path(table: str, images: str = "") -> str:
    """Remembers a table, and a folder or zip of images, below the allowed folders.

    Raises:
        NotFound: they are not there.
    """
    inside(table)
    if images:
        inside(images)
    token = uuid4().hex
    _write(private_folder(_folder() / token), {"path": table, "images": images})
    return token


def get(token: str) -> Upload:
    """What waits under a token.

    Raises:
        NotFound: nothing does (any more).
    """
    place = _folder() / token
    try:
        if not TOKEN.match(token):
            raise ValueError(token)
        said = json.loads((place / ABOUT).read_text(encoding="utf-8"))
        if "path" in said:
            images = inside(said["images"]) if said["images"] else None
            return Upload.of(inside(said["path"]), images)
        images = place / IMAGES
        data = (place / TABLE).read_bytes()
        return Upload(data, said["name"], images if images.exists() else None)
    except (OSError, ValueError, KeyError) as error:
        raise NotFound("This table is no longer held here.", "Open it again.") from error


def drop(token: str) -> None:
    """Forgets what waits under a token."""
    if TOKEN.match(token):
        shutil.rmtree(_folder() / token, ignore_errors=True)


def job(token: str, mapping: Mapping[str, JSON], title: str) -> JobRequest:
    """``insights.import``: for tables whose images take long."""
    params: dict[str, JSON] = {"token": token, "mapping": dict(mapping), "title": title}
    return JobRequest("insights.import", params, f"Import of {title or get(token).name}")


def work(params: Mapping[str, JSON], ticket: Progress) -> Arrays:
    """``insights.import``: imports what waits under a token, all of it or nothing.

    Returns:
        set ``(b,)`` uint8: the key of the set, UTF-8.

    Raises:
        BadRequest, NotFound, StorageFull, Cancelled: nothing is imported then.
    """
    token, mapping = str(params["token"]), params["mapping"]
    if not isinstance(mapping, Mapping):
        raise BadRequest("The map of columns is not usable.", "Reload the page.")
    made = library.add(get(token), mapping, str(params["title"]), ticket)
    drop(token)
    return {"set": np.frombuffer(made.key.encode(), np.uint8)}


def _folder() -> Path:
    return library.folder() / "waiting"


def _write(place: Path, said: Mapping[str, Any]) -> None:
    content = json.dumps(said).encode()
    write_atomic(place / ABOUT, lambda out: out.write(content))
    waiting = [path for path in _folder().iterdir() if path.is_dir() and path != place]
    for old in sorted(waiting, key=lambda path: path.stat().st_mtime)[: -MOST + 1]:
        shutil.rmtree(old, ignore_errors=True)
