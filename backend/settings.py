"""Every setting of the app: one table of name, default and help, read once at start.

``docs/settings.md`` repeats the table; a test compares the two.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from backend.errors import BadRequest

PROJECT: Final = Path(__file__).resolve().parent.parent
DEVICES: Final = ("auto", "cpu", "cuda", "mps")
LOCAL_HOSTS: Final = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True, slots=True)
class Setting:
    """One row of the table: the environment variable, its default, and one sentence of help."""

    env: str
    default: str
    help: str


TABLE: Final[dict[str, Setting]] = {
    "host": Setting(
        "HOST", "127.0.0.1", "Address to listen on; only local addresses until logins are set up."
    ),
    "port": Setting("PORT", "8050", "Port to listen on, 1 to 65535."),
    "threads": Setting("LOUPE_THREADS", "8", "Threads of the web server, 2 to 64."),
    "device": Setting(
        "LOUPE_DEVICE", "auto", "Where models run: auto, cpu, cuda or mps; resolved once at start."
    ),
    "torch_threads": Setting(
        "LOUPE_TORCH_THREADS", "0", "Threads of one forward pass on the CPU; 0 takes all cores."
    ),
    "state_dir": Setting(
        "LOUPE_STATE_DIR", ".loupe", "Folder for the database, results and media of this machine."
    ),
    "database_url": Setting(
        "LOUPE_DATABASE_URL", "", "SQLAlchemy URL; empty means a SQLite file in the state folder."
    ),
    "redis_url": Setting(
        "LOUPE_REDIS_URL", "", "Redis for small results; empty keeps them in memory."
    ),
    "cache_mb": Setting(
        "LOUPE_CACHE_MB", "2048", "Disk budget for results in MB; the least recently used go first."
    ),
    "memory_cache_mb": Setting(
        "LOUPE_MEMORY_CACHE_MB", "256", "Memory budget for small results in MB."
    ),
    "max_request_mb": Setting(
        "LOUPE_MAX_REQUEST_MB", "8", "Largest request the server reads, in MB."
    ),
    "plugins": Setting(
        "LOUPE_PLUGINS",
        "",
        "Modules of your own that register orbits, tasks or models, separated by commas.",
    ),
    "image_roots": Setting(
        "LOUPE_IMAGE_ROOTS",
        "",
        "Folders whose images may be opened, separated by colons; `images` in the state folder is "
        "always one of them.",
    ),
    "roots": Setting(
        "LOUPE_ROOTS",
        "",
        "Folders whose data sets may be registered from the browser, separated by colons; "
        "`data` in the state folder is always one of them.",
    ),
    "upload_mb": Setting(
        "LOUPE_UPLOAD_MB", "2000", "Disk budget for models and arrays sent by browsers, in MB."
    ),
    "image_mb": Setting(
        "LOUPE_IMAGE_MB", "256", "Memory that one large image may take while it is read, in MB."
    ),
    "pyramid_mb": Setting(
        "LOUPE_PYRAMID_MB", "20000", "Disk budget for pyramids and large sets, in MB."
    ),
    "log_level": Setting("LOUPE_LOG", "INFO", "Log level: DEBUG, INFO, WARNING or ERROR."),
}


@dataclass(frozen=True, slots=True)
class Settings:
    """Values of :data:`TABLE`, cast and checked. Sizes are bytes, paths absolute."""

    host: str
    port: int
    threads: int
    device: str
    torch_threads: int
    state_dir: Path
    database_url: str
    redis_url: str
    cache_bytes: int
    memory_cache_bytes: int
    max_request_bytes: int
    plugins: str
    image_roots: tuple[Path, ...]
    roots: tuple[Path, ...]
    upload_bytes: int
    image_bytes: int
    pyramid_bytes: int
    log_level: str

    @classmethod
    def from_env(cls, env: Mapping[str, str] = os.environ) -> Settings:
        """Read, cast and check all settings.

        Raises:
            BadRequest: a value is not usable; names the variable, the value and what is allowed.
        """
        text = {name: env.get(row.env, "").strip() or row.default for name, row in TABLE.items()}
        state_dir = _folder("state_dir", text["state_dir"])
        return cls(
            host=_one_of(
                "host",
                text["host"],
                LOCAL_HOSTS,
                "Other addresses need a login, which is not set up.",
            ),
            port=_whole("port", text["port"], 1, 65535),
            threads=_whole("threads", text["threads"], 2, 64),
            device=_one_of("device", text["device"].lower(), DEVICES),
            torch_threads=_whole("torch_threads", text["torch_threads"], 0, 1024),
            state_dir=state_dir,
            database_url=text["database_url"] or f"sqlite:///{state_dir / 'loupe.db'}",
            redis_url=text["redis_url"],
            cache_bytes=_whole("cache_mb", text["cache_mb"], 16, 10_000_000) * 1_000_000,
            memory_cache_bytes=_whole("memory_cache_mb", text["memory_cache_mb"], 1, 1_000_000)
            * 1_000_000,
            max_request_bytes=_whole("max_request_mb", text["max_request_mb"], 1, 1024) * 1_000_000,
            plugins=text["plugins"],
            image_roots=_folders("image_roots", text["image_roots"], state_dir / "images"),
            roots=_folders("roots", text["roots"], state_dir / "data"),
            upload_bytes=_whole("upload_mb", text["upload_mb"], 1, 100_000_000) * 1_000_000,
            image_bytes=_whole("image_mb", text["image_mb"], 16, 1_000_000) * 1_000_000,
            pyramid_bytes=_whole("pyramid_mb", text["pyramid_mb"], 100, 100_000_000) * 1_000_000,
            log_level=_one_of(
                "log_level", text["log_level"].upper(), ("DEBUG", "INFO", "WARNING", "ERROR")
            ),
        )


def _folder(name: str, text: str) -> Path:
    try:
        return (PROJECT / Path(text).expanduser()).resolve()
    except (RuntimeError, OSError) as error:  # no such user; a link that leads to itself
        raise BadRequest(
            f"{TABLE[name].env}={text!r} is not a folder.", TABLE[name].help
        ) from error


def _folders(name: str, text: str, first: Path) -> tuple[Path, ...]:
    named = [part.strip() for part in text.split(os.pathsep)]
    return (first, *(_folder(name, part) for part in named if part))


def _whole(name: str, text: str, low: int, high: int) -> int:
    try:
        value = int(text)
    except ValueError:
        value = low - 1
    if not low <= value <= high:
        raise BadRequest(
            f"{TABLE[name].env}={text!r} is not a whole number from {low} to {high}.",
            TABLE[name].help,
        )
    return value


def _one_of(name: str, text: str, allowed: tuple[str, ...], why: str = "") -> str:
    if text not in allowed:
        raise BadRequest(
            f"{TABLE[name].env}={text!r} is not one of {', '.join(allowed)}.",
            why or TABLE[name].help,
        )
    return text
