"""Sets of contents of the user's own, kept in the state folder and known by a key.

A set is copied when it is imported: its table into one npz, its images, shrunk, into one npy, and
last ``about.json``, without which nothing is there. So a broken import leaves no set behind.
"""

from __future__ import annotations

import io
import json
import re
import shutil
import threading
import time
import zipfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from backend.crayon.library import inside, settings
from backend.errors import BadRequest, NotFound
from backend.files import private_folder, write_atomic
from backend.insights.contents import Choice, Contents
from backend.insights.importer import Given, Upload, read
from backend.insights.pictures import KeptPictures
from backend.protocols import Progress

PREFIX: Final = "own-"
KEY: Final = re.compile(r"own-[a-z0-9-]{1,60}\Z")
MOST_SETS: Final = 200
MOST_HELD: Final = 8
LONGEST_TITLE: Final = 60
ABOUT, TABLE, PICTURES = "about.json", "table.npz", "pictures.npy"
COLUMNS: Final = (
    "domain", "experiment", "is_control", "impressions", "clicks", "success", "split",
)  # fmt: skip
TEXTS: Final = ("ids", "fields", "parts", "domains", "experiments", "notes")
SAID: Final = ("key", "title", "source", "licence", "fingerprint")
_held: dict[tuple[str, int], Contents] = {}
_loading = threading.Lock()


def folder() -> Path:
    """Where the sets and the models fitted to them lie."""
    return settings().state_dir / "insights"


def titles() -> dict[str, str]:
    """Titles of the user's sets by key, by title; those that cannot be read are left out."""
    found = {}
    for path in sorted((folder() / "sets").glob(f"own-*/{ABOUT}"))[:MOST_SETS]:
        with suppress(NotFound):
            found[path.parent.name] = str(_about(path.parent.name)["title"])
    return dict(sorted(found.items(), key=lambda one: one[1]))


def add(
    upload: Upload, given: Given = "", title: str = "", report: Progress | None = None
) -> Contents:
    """Checks a table and its images, and keeps a copy of both.

    Raises:
        BadRequest: the title, the table, a row or an image cannot be used; names the row.
        StorageFull: it cannot be written down.
    """
    name = title.strip() or Path(upload.name).stem
    slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:40] or "contents"
    if len(name) > LONGEST_TITLE:
        raise BadRequest(
            f"The title has {len(name)} characters.", f"Use up to {LONGEST_TITLE} characters."
        )
    made = read(upload, given, name, report=report)
    key = f"{PREFIX}{slug}-{made.fingerprint[:8]}"
    _write(key, made)
    return load(key)


def add_path(table: str, images: str = "", given: Given = "", title: str = "") -> Contents:
    """As :func:`add`, from files below the allowed folders.

    Raises:
        NotFound: they are not there, or not below an allowed folder.
    """
    cover = inside(images) if images else None
    return add(Upload.of(inside(table), cover), given, title)


def load(key: str) -> Contents:
    """A set of the user's, read once and kept.

    Raises:
        NotFound: there is none of that key, or its files are broken.
    """
    said = _about(key)
    stamp = (folder() / "sets" / key / ABOUT).stat().st_mtime_ns
    with _loading:
        if (key, stamp) not in _held:
            while len(_held) >= MOST_HELD:
                _held.pop(next(iter(_held)))
            _held[key, stamp] = _read(key, said)
        return _held[key, stamp]


def remove(key: str) -> None:
    """Forgets a set; models and drafts of it stay where they are.

    Raises:
        NotFound: there is none of that key.
    """
    _about(key)
    place = folder() / "sets" / key
    (place / ABOUT).unlink(missing_ok=True)  # first, so that nobody reads half of it
    shutil.rmtree(place, ignore_errors=True)


def _about(key: str) -> dict[str, Any]:
    try:
        if not KEY.match(key):
            raise ValueError(key)
        said = json.loads((folder() / "sets" / key / ABOUT).read_text(encoding="utf-8"))
        return {**said, "title": str(said["title"])}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise NotFound(
            f"There is no set of contents {key[:80]!r}.", "Import it, or choose another."
        ) from error


def _write(key: str, made: Contents) -> None:
    place = private_folder(folder() / "sets" / key)
    arrays = {name: np.asarray(getattr(made, name)) for name in COLUMNS}
    arrays["days"] = made.dates.astype(np.int64)
    arrays |= {f"number {name}": values for name, values in made.numbers.items()}
    arrays |= {f"choice {name}": choice.codes for name, choice in made.choices.items()}
    pictures = made.pictures
    if isinstance(pictures, KeptPictures):
        table = (pictures.starts, pictures.ends, pictures.source_pixels)
        arrays["pictures"] = np.column_stack(table)
        data = np.ascontiguousarray(pictures.data)
        write_atomic(place / PICTURES, lambda out: np.save(out, data, allow_pickle=False))
    texts = {name: getattr(made, name) for name in TEXTS}
    texts["values"] = {name: choice.values for name, choice in made.choices.items()}
    arrays["texts"] = np.frombuffer(json.dumps(texts).encode(), np.uint8)
    out = io.BytesIO()
    np.savez_compressed(out, allow_pickle=False, **arrays)
    write_atomic(place / TABLE, lambda file: file.write(out.getvalue()))
    said = {name: getattr(made, name) for name in SAID} | {"key": key}
    said |= {"held_out": sorted(made.held_out), "added_at": time.time(), "count": len(made)}
    content = json.dumps(said).encode()
    write_atomic(place / ABOUT, lambda file: file.write(content))


def _read(key: str, said: Mapping[str, Any]) -> Contents:
    place = folder() / "sets" / key
    try:
        with np.load(place / TABLE, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        return _made(place, said, arrays)
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise NotFound(f"The files of {said['title'][:60]} are broken.", "Import again.") from error


def _made(place: Path, said: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Contents:
    texts = json.loads(arrays["texts"].tobytes())
    named: dict[str, Any] = {name: tuple(texts[name]) for name in TEXTS}
    named |= {name: arrays[name] for name in COLUMNS}
    named |= {name: str(said[name]) for name in SAID}
    named["parts"] = tuple(tuple(parts) for parts in texts["parts"])
    choices = {
        name: Choice(tuple(values), arrays[f"choice {name}"])
        for name, values in texts["values"].items()
    }
    numbers = {
        name.removeprefix("number "): values
        for name, values in arrays.items()
        if name.startswith("number ")
    }
    pictures = None
    if "pictures" in arrays:
        starts, ends, pixels = np.ascontiguousarray(arrays["pictures"].T)
        data = np.load(place / PICTURES, mmap_mode="r", allow_pickle=False)
        pictures = KeptPictures(data, starts, ends, pixels)
    return Contents(
        **named,
        simulated=False,
        held_out=frozenset(said["held_out"]),
        dates=arrays["days"].astype("datetime64[D]"),
        numbers=numbers,
        choices=choices,
        pictures=pictures,
    )
