"""Files from the browser: only kinds that run no code, into a folder with a quota."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Final

from backend.errors import BadRequest, StorageFull
from backend.files import private_folder, write_atomic
from backend.registry.kinds import members
from backend.settings import Settings

MODELS: Final = (".onnx", ".safetensors")
DATA: Final = (".npz", ".npy")
OWNER_ONLY: Final = (
    "Opening it could run code, so only this machine's owner may add it, by command:"
)


def folder() -> Path:
    """Where uploaded files lie."""
    return Settings.from_env().state_dir / "registry" / "uploads"


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
    path = where / f"{hashlib.sha256(data).hexdigest()[:24]}{suffix}"
    quota = Settings.from_env().upload_bytes
    held = sum(other.stat().st_size for other in where.iterdir() if other.is_file())
    if not path.exists() and held + len(data) > quota:
        raise StorageFull(
            f"The uploads fill {held / 1e6:.0f} of {quota / 1e6:.0f} MB.",
            "Remove models or data sets that were uploaded, or raise LOUPE_UPLOAD_MB.",
        )
    if not path.exists():
        write_atomic(path, lambda out: out.write(data))
    if suffix == ".npz":
        members(path)
    return path
