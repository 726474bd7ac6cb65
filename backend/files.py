"""Writing files so that nobody ever reads half of one, and keeping a folder within its budget."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

from backend.errors import StorageFull

PART = ".part"
CLAIM = "loupe.lock"


def private_folder(path: Path) -> Path:
    """``path`` as an existing folder that only its owner can read (0700).

    Raises:
        StorageFull: the folder cannot be made.
    """
    try:
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        if path.stat().st_mode & 0o077 and os.access(path, os.W_OK):
            path.chmod(0o700)
    except OSError as error:
        raise refused("The state folder cannot be written", error) from error
    return path


def claim(folder: Path) -> BinaryIO | None:
    """A hold on ``folder`` that no second server gets until it is closed; ``None`` if taken.

    The system lets go of it when the process ends, however it ends.

    Raises:
        StorageFull: the folder cannot be written.
    """
    private_folder(folder)
    try:
        file = (folder / CLAIM).open("ab")
    except OSError as error:
        raise refused("The state folder cannot be written", error) from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        return None
    return file


def sweep(root: Path, pid: int | None = None) -> None:
    """Remove files that were never finished: those of process ``pid``, which is dead, or all."""
    for part in root.rglob(f"{pid}-*{PART}" if pid else f"*{PART}"):
        with contextlib.suppress(OSError):
            part.unlink()


def write_atomic(path: Path, write: Callable[[BinaryIO], object]) -> int:
    """Let ``write`` fill a file beside ``path``, then rename it; returns its size in bytes.

    Readers see the old file or the whole new one. A failed write leaves nothing behind. A device or
    pipe (``/dev/null``, ``/dev/stdout``) is written to, never replaced by a file.

    Raises:
        StorageFull: the disk is full, read-only or refuses for another reason.
    """
    if path.exists() and not path.is_file() and not path.is_dir():
        return _write_through(path, write)
    part = path.with_name(f"{os.getpid()}-{uuid4().hex}{PART}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with part.open("wb") as out:
            write(out)
            size = out.tell()
        os.replace(part, path)
    except OSError as error:
        raise refused("The result could not be stored", error) from error
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
    return size


def _write_through(device: Path, write: Callable[[BinaryIO], object]) -> int:
    """Write to what cannot be renamed over; writers seek, pipes cannot, so all is held first."""
    held = BytesIO()
    write(held)
    try:
        with device.open("wb") as out:
            out.write(held.getbuffer())
    except OSError as error:
        raise refused("The result could not be stored", error) from error
    return held.tell()


def refused(what: str, error: OSError) -> StorageFull:
    """The sentence for a write that the disk refused; names the reason, never the path."""
    reason = (os.strerror(error.errno) if error.errno else "unknown reason").lower()
    return StorageFull(
        f"{what}: {reason}.",
        "Free some space, or point LOUPE_STATE_DIR at a folder that can be written.",
    )


def evict(root: Path, pattern: str, budget_bytes: int, keep: Path) -> list[Path]:
    """Remove the least recently used files under ``root`` until they fit; returns those removed.

    Files that vanish meanwhile (another process evicts too) are simply gone. ``keep`` stays.
    """
    held: list[tuple[float, int, Path]] = []
    for path in root.glob(pattern):
        with contextlib.suppress(OSError):
            stat = path.stat()
            held.append((stat.st_mtime, stat.st_size, path))
    excess = sum(size for _, size, _ in held) - budget_bytes
    gone: list[Path] = []
    for _, size, path in sorted(held):
        if excess <= 0:
            break
        if path != keep:
            with contextlib.suppress(OSError):
                path.unlink()
                gone.append(path)
                excess -= size
    return gone
