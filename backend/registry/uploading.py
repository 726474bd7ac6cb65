"""Files from the browser: only kinds that run no code, into a folder with a quota."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import time
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from backend.errors import BadRequest, StorageFull
from backend.files import private_folder, write_atomic
from backend.registry import store
from backend.registry.data_spec import CLOUDS, IMAGES, LARGE, TABLES
from backend.registry.kinds import members

MODELS: Final = (".onnx", ".safetensors")
DATA: Final = (".npz", ".npy", ".zip", *TABLES, ".tif", ".tiff")
INSIDE: Final = (
    *(*IMAGES, *LARGE, *CLOUDS, *TABLES),
    *(".npy", ".txt", ".json", ".yaml"),
)
"""What is unpacked of an archive."""
UNUSED_S: Final = 3600.0
"""An upload that nothing registered refers to may still be checked by a job for so long."""
LONGEST_NAME: Final = 60
OWNER_ONLY: Final = (
    "Opening it could run code, so only this machine's owner may add it, by command:"
)


def folder() -> Path:
    """Where uploaded files lie."""
    return store.home() / "uploads"


def keep(name: str, data: bytes, allowed: tuple[str, ...]) -> Path:
    """Writes an upload down and returns where it lies.

    Raises:
        BadRequest: its kind is only for the command line, or not known.
        StorageFull: the quota or the disk is full.
    """
    suffix = Path(name).suffix.lower()
    if suffix not in allowed:
        shown = Path(name).name[:60]
        if suffix in (".pt2", ".pt", ".pth", ".ts", ".ckpt", ".bin"):
            raise BadRequest(
                f"{shown} is not taken from the browser.",
                f"{OWNER_ONLY} python -m backend models add {shown} --name NAME",
            )
        raise BadRequest(f"{shown} is not taken here.", f"Taken are {', '.join(allowed)}.")
    if not data:
        raise BadRequest(f"{Path(name).name[:60]} is empty.", "Choose the file again.")
    # A folder of its own: messages say the name its owner knows, and what reads files beside itself
    # does not find those of other uploads.
    own = folder() / hashlib.sha256(data).hexdigest()[:24]
    path = own / _plain(name)
    left = _left(0 if path.exists() else len(data), own)
    private_folder(own)
    os.utime(own)  # it is wanted now, also where it was sent before
    if not path.exists():
        write_atomic(path, lambda out: out.write(data))
    if suffix in (".npz", ".zip"):
        members(path)
    return _unpacked(path, left) if suffix == ".zip" else path


def _plain(name: str) -> str:
    """A file's name without what only some file systems or shells take."""
    path = Path(name.replace("\\", "/"))
    stem = re.sub(r"[^\w.-]+", "_", path.stem).lstrip(".-")[:LONGEST_NAME]
    return f"{stem or 'data'}{path.suffix.lower()}"


def _left(size: int, own: Path) -> int:
    """Bytes of the quota that are left once ``size`` more lie in ``own``.

    Raises:
        StorageFull: it does not fit, even without the uploads that came to nothing.
    """
    quota = store.settings().upload_bytes
    held = _held()
    if held + size > quota:
        _forget_unused(own)
        held = _held()
    if size and held + size > quota:
        raise _full(held, quota)
    return quota - held - size


def _held() -> int:
    return sum(file.stat().st_size for file in folder().rglob("*") if file.is_file())


def _forget_unused(own: Path) -> None:
    """Deletes uploads that were refused, or whose model or set was added again from another file:
    nobody could remove those on the Library page.
    """
    registry = store.required()
    models, sets = registry.models(now=True).values(), registry.sets(now=True).values()
    texts = [one.spec.path for one in models]
    texts += [text for one in sets for text in (one.spec.path, one.spec.labels, one.spec.images)]
    used = [Path(text).resolve() for text in texts if text]
    where = folder().resolve()  # paths are registered without links on their way
    for place in where.iterdir() if where.is_dir() else ():
        is_used = place.name == own.name or any(path.is_relative_to(place) for path in used)
        if is_used or time.time() - place.stat().st_mtime < UNUSED_S:
            continue
        if place.is_dir():
            shutil.rmtree(place, ignore_errors=True)
        else:
            place.unlink(missing_ok=True)


def _full(held: int, quota: int) -> StorageFull:
    return StorageFull(
        f"The uploads fill {held / 1e6:.0f} of {quota / 1e6:.0f} MB.",
        "Remove models or data sets that were uploaded, or raise LOUPE_UPLOAD_MB.",
    )


def _unpacked(path: Path, left: int) -> Path:
    """What can be used of an archive in a folder of its own, which takes the archive's place; the
    table, where one lies at its top.

    Raises:
        BadRequest: a name leads out of it, it is no archive, or nothing in it can be used.
        StorageFull: it does not fit into the quota.
    """
    members(path)
    target = path.with_suffix("")
    with zipfile.ZipFile(path) as archive:
        usable = [
            info
            for info in archive.infolist()
            if Path(info.filename).suffix.lower() in INSIDE and "__MACOSX" not in info.filename
        ]
        needed = sum(info.file_size for info in usable)
        if needed > left:
            raise StorageFull(
                f"Unpacked, {path.name} takes {needed / 1e6:.0f} MB, and for uploads "
                f"{max(0, left) / 1e6:.0f} MB are left.",
                "Remove models or data sets that were uploaded, or raise LOUPE_UPLOAD_MB.",
            )
        for info in usable:
            place = target / info.filename.replace("\\", "/")
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(archive.read(info))
    path.unlink()
    if not usable:
        raise BadRequest("The archive holds no data.", f"Taken are {', '.join(INSIDE)}.")
    inside = list(target.iterdir())
    is_wrapped = len(inside) == 1 and inside[0].is_dir() and not _is_class(inside[0])
    root = inside[0] if is_wrapped else target  # an archive of one folder is that folder
    tables = [path for path in root.iterdir() if path.suffix.lower() in TABLES]
    return tables[0] if len(tables) == 1 else root


def _is_class(path: Path) -> bool:
    """Whether a folder holds nothing but images, so that its name may be their class."""
    return all(entry.suffix.lower() in IMAGES for entry in path.iterdir())


def below_roots(text: str, roots: Sequence[Path]) -> Path:
    """A path of this machine that the browser may name, resolved.

    Raises:
        BadRequest: it is not below one of the allowed folders, or not there.
    """
    path = Path(text.strip())
    candidates = [path] if path.is_absolute() else [root / path for root in roots]
    resolved = [candidate.resolve() for candidate in candidates]
    allowed = [p for p in resolved if any(p.is_relative_to(root.resolve()) for root in roots)]
    if not text.strip() or not allowed:
        raise BadRequest(
            f"{text[:80]!r} is not below a folder that may be read.",
            "Name the folders in LOUPE_ROOTS, or use: python -m backend data add FOLDER --name N",
        )
    found = next((place for place in allowed if place.exists()), None)
    if found is None:
        raise BadRequest(f"There is no {text[:80]!r}.", "Check the spelling.")
    return found
