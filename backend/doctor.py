"""Is this installation fit to work? Checks for ``python -m backend doctor`` and the start."""

from __future__ import annotations

import importlib
import os
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

from sqlalchemy import Engine, select, text

from backend import migrations
from backend.database import answering, open_engine
from backend.errors import BackendError, StorageFull, WeightsRefused
from backend.files import private_folder
from backend.settings import Settings
from backend.small_cache import open_small_cache
from backend.team.people import ADMIN
from backend.team.tables import USERS
from models.cards import WeightsMismatch, load_cards, verify_weights

LEAST_FREE: Final = 200_000_000  # bytes; below it results are refused soon
LEAST_FILES: Final = 256  # open files that a server with its workers needs
SAFE: Final = {
    "dash": ((4, 4, 1), "callbacks could end processes and read others' results (PR 3902)"),
    "flask": ((3, 1, 3), "answers could be kept for the wrong user (CVE-2026-27205)"),
    "torch": ((2, 6), "weights could run code (CVE-2025-32434)"),
}
"""Oldest versions without a known hole, and the hole."""
NEVER: Final = {
    "dash-uploader": "files could be written anywhere (CVE-2026-38360), without a patch",
    "diskcache": "its files are unpickled (CVE-2025-69872), without a patch",
}


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at; ``told`` says what was found, and what to do if it is bad."""

    name: str
    is_good: bool
    told: str


def everything(settings: Settings) -> Iterator[Check]:
    """All checks, the quick ones first. Reads every weights file: seconds."""
    yield Check("settings", True, f"login: {settings.auth or 'none, this machine only'}")
    yield from serving(settings, None)
    yield _tried("migrations", lambda: _migrations(settings))
    yield _tried("small cache", lambda: _small_cache(settings))
    yield _tried("team", lambda: _team(settings))
    yield from packages()
    yield weights()
    yield _tried("device", _device)
    yield _tried("cluster", lambda: _cluster(settings))


def serving(settings: Settings, engine: Engine | None) -> Iterator[Check]:
    """What must work at every moment: state folder, disk, open files, database."""
    yield _tried("state folder", lambda: _folder(settings.state_dir))
    free = free_bytes(settings.state_dir)
    told = f"{free / 1e9:.1f} GB free" + ("" if free >= LEAST_FREE else ": make room")
    yield Check("disk", free >= LEAST_FREE, told)
    yield _open_files()
    yield _tried("database", lambda: _database(settings, engine))


def packages() -> Iterator[Check]:
    """Installed packages against those with a known hole."""
    for name, (least, why) in SAFE.items():
        found = version(name)
        numbers = tuple(int(part) for part in re.findall(r"\d+", found)[: len(least)])
        is_safe = numbers >= least
        wanted = ".".join(map(str, least))
        yield Check(f"package {name}", is_safe, found if is_safe else f"{found} < {wanted}: {why}")
    for name, why in NEVER.items():
        try:
            yield Check(f"package {name}", False, f"{version(name)} is installed: {why}")
        except PackageNotFoundError:
            continue


def weights() -> Check:
    """Every weights file against the fingerprint of its card."""
    return _tried("weights", _weights)


def free_bytes(path: Path) -> int:
    """Free bytes of the disk that ``path``, or the folder it will be made in, lies on."""
    there = next(one for one in (path, *path.parents) if one.exists())
    return shutil.disk_usage(there).free


def resident_bytes(pid: int | None = None) -> int:
    """Memory of a process that is in RAM; 0 where the system does not say (not Linux, or gone)."""
    try:
        pages = Path(f"/proc/{pid or 'self'}/statm").read_text().split()[1]
    except (OSError, IndexError):
        return 0
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def _tried(name: str, look: Callable[[], str]) -> Check:
    try:
        return Check(name, True, look())
    except (BackendError, WeightsMismatch) as error:
        return Check(name, False, str(error))


def _folder(folder: Path) -> str:
    private_folder(folder)
    probe = folder / f"{os.getpid()}-probe.part"
    try:
        probe.write_bytes(b"x" * 4096)
        probe.unlink()
    except OSError as error:
        reason = (error.strerror or "refused").lower()
        raise StorageFull(f"It cannot be written: {reason}.", "See LOUPE_STATE_DIR.") from error
    return "can be written, for its owner only"


def _open_files() -> Check:
    try:
        import resource
    except ImportError:  # not on Windows
        return Check("open files", True, "not limited")
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    is_enough = soft == resource.RLIM_INFINITY or soft >= LEAST_FILES
    told = f"up to {soft}" + ("" if is_enough else f": raise `ulimit -n` to {LEAST_FILES}")
    return Check("open files", is_enough, told)


def _database(settings: Settings, engine: Engine | None) -> str:
    asked = engine or open_engine(settings.database_url)
    try:
        with answering("It does not answer"), asked.connect() as connection:
            connection.execute(text("SELECT 1"))
        return str(asked.dialect.name)
    finally:
        if engine is None:
            asked.dispose()


def _migrations(settings: Settings) -> str:
    engine = open_engine(settings.database_url)
    try:
        now, newest = migrations.present(engine), migrations.newest()
    finally:
        engine.dispose()
    if now is None:
        return f"the tables are made at the first start ({newest})"
    return f"{now}, the newest" if now == newest else f"{now}; the next start brings {newest}"


def _small_cache(settings: Settings) -> str:
    if not settings.redis_url:
        return f"in memory, up to {settings.memory_cache_bytes // 1_000_000} MB"
    cache = open_small_cache(settings)
    cache.put("doctor", b"here", timeout_s=10)
    if cache.get("doctor") != b"here":
        raise StorageFull("Redis does not answer: pages work, slower.", "See LOUPE_REDIS_URL.")
    return "Redis answers"


def _team(settings: Settings) -> str:
    if not settings.auth:
        return "no login"
    engine = open_engine(settings.database_url)
    try:
        with answering("It cannot be read"), engine.connect() as connection:
            query = select(USERS.c.id).where(USERS.c.role == ADMIN, USERS.c.is_disabled.is_(False))
            admins = len(connection.execute(query).all())
    finally:
        engine.dispose()
    if not admins:
        raise StorageFull("Nobody is admin.", "`python -m backend users add NAME --role admin`.")
    return f"{admins} admin{'' if admins == 1 else 's'}"


def _weights() -> str:
    cards = load_cards()
    bad = []
    for card in cards.values():
        try:
            verify_weights(card)
        except WeightsMismatch:
            bad.append(card.key)
    if bad:
        raise WeightsRefused(f"Not the files of their cards: {', '.join(bad)}.", "Restore them.")
    return f"{len(cards)} models as their cards say"


def _device() -> str:
    from backend import catalog, devices

    return devices.describe(catalog.default_device())


def _cluster(settings: Settings) -> str:
    if not settings.ray_address:
        return "none"
    if importlib.util.find_spec("ray") is None:
        raise StorageFull(
            "LOUPE_RAY_ADDRESS is set, and ray is not installed.",
            "Run `.venv/bin/pip install -r requirements-cluster.txt`.",
        )
    return settings.ray_address
