"""Files from the browser: only kinds that run no code, into a folder with a quota."""

from __future__ import annotations

import hashlib
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
ALONE: Final = (*TABLES, *LARGE)
INSIDE: Final = (
    *(*IMAGES, *LARGE, *CLOUDS, *TABLES),
    *(".npy", ".txt", ".json", ".yaml"),
)
"""What is unpacked of an archive."""
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
    where = private_folder(folder())
    sha = hashlib.sha256(data).hexdigest()[:24]
    # What reads files beside itself must not find those of other uploads.
    path = (
        private_folder(where / sha) / f"data{suffix}"
        if suffix in ALONE
        else where / f"{sha}{suffix}"
    )
    quota = store.settings().upload_bytes
    held = sum(other.stat().st_size for other in where.rglob("*") if other.is_file())
    if not path.exists() and held + len(data) > quota:
        raise _full(held, quota)
    if not path.exists():
        write_atomic(path, lambda out: out.write(data))
    if suffix in (".npz", ".zip"):
        members(path)
    return _unpacked(path, quota - held) if suffix == ".zip" else path


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
        if sum(info.file_size for info in usable) > left:
            raise _full(0, left)
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
