"""Every setting of the app: one table of name, default and help, read once at start.

``docs/settings.md`` repeats the table; a test compares the two.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from backend.errors import BadRequest

PROJECT: Final = Path(__file__).resolve().parent.parent
DEVICES: Final = ("auto", "cpu", "cuda", "mps")
AUTH: Final = ("password", "oidc", "proxy")
LOCAL_HOSTS: Final = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True, slots=True)
class Setting:
    """One row of the table: the environment variable, its default, and one sentence of help."""

    env: str
    default: str
    help: str


TABLE: Final[dict[str, Setting]] = {
    "host": Setting(
        "HOST", "127.0.0.1", "Address to listen on; other than local ones need LOUPE_AUTH."
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
    "auth": Setting(
        "LOUPE_AUTH", "", "Login: password, oidc or proxy; empty means none, on this machine only."
    ),
    "names": Setting(
        "LOUPE_NAMES",
        "",
        "Names under which browsers reach the app (`loupe.example.org`), separated by commas.",
    ),
    "secret_key": Setting(
        "LOUPE_SECRET_KEY",
        "",
        "Signs cookies, at least 32 characters; empty makes one and keeps it in the state folder.",
    ),
    "cookies": Setting(
        "LOUPE_COOKIES",
        "https",
        "https: login cookies travel encrypted only; http: also plain, for a private network.",
    ),
    "proxies": Setting(
        "LOUPE_PROXIES",
        "127.0.0.1,::1",
        "Addresses of the proxies in front, separated by commas; only their headers are believed.",
    ),
    "proxy_header": Setting(
        "LOUPE_PROXY_HEADER", "X-Forwarded-User", "Header in which a proxy names who logged in."
    ),
    "oidc_url": Setting("LOUPE_OIDC_URL", "", "Issuer of an OpenID Connect login."),
    "oidc_client": Setting("LOUPE_OIDC_CLIENT", "", "Client id at that issuer."),
    "oidc_secret": Setting("LOUPE_OIDC_SECRET", "", "Client secret at that issuer."),
    "new_role": Setting(
        "LOUPE_NEW_ROLE",
        "",
        "Role of people whom a proxy or an issuer knows and this app does not; empty lets in none.",
    ),
    "metrics_token": Setting(
        "LOUPE_METRICS_TOKEN", "", "Lets whoever sends it as bearer token read /metrics."
    ),
    "ray_address": Setting(
        "LOUPE_RAY_ADDRESS",
        "",
        "Ray cluster for sharded jobs: its address; `local` starts one.",
    ),
    "log_format": Setting("LOUPE_LOG_FORMAT", "text", "text, or json: one object a line."),
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
    database_url: str = field(repr=False)
    redis_url: str = field(repr=False)
    cache_bytes: int
    memory_cache_bytes: int
    max_request_bytes: int
    plugins: str
    image_roots: tuple[Path, ...]
    roots: tuple[Path, ...]
    upload_bytes: int
    image_bytes: int
    pyramid_bytes: int
    auth: str
    names: tuple[str, ...]
    secret_key: str = field(repr=False)
    cookies: str
    proxies: tuple[str, ...]
    proxy_header: str
    oidc_url: str
    oidc_client: str
    oidc_secret: str = field(repr=False)
    new_role: str
    metrics_token: str = field(repr=False)
    ray_address: str
    log_format: str
    log_level: str

    @classmethod
    def from_env(cls, env: Mapping[str, str] = os.environ) -> Settings:
        """Read, cast and check all settings.

        Raises:
            BadRequest: a value is not usable; names the variable, the value and what is allowed.
        """
        text = {name: env.get(row.env, "").strip() or row.default for name, row in TABLE.items()}
        state_dir = _folder("state_dir", text["state_dir"])
        check_team(text)
        return cls(
            host=text["host"],
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
            auth=text["auth"],
            names=listed(text["names"].lower()),
            secret_key=text["secret_key"],
            cookies=_one_of("cookies", text["cookies"], ("https", "http")),
            proxies=listed(text["proxies"]),
            proxy_header=text["proxy_header"],
            oidc_url=text["oidc_url"],
            oidc_client=text["oidc_client"],
            oidc_secret=text["oidc_secret"],
            new_role=text["new_role"],
            metrics_token=text["metrics_token"],
            ray_address=text["ray_address"],
            log_format=_one_of("log_format", text["log_format"], ("text", "json")),
            log_level=_one_of(
                "log_level", text["log_level"].upper(), ("DEBUG", "INFO", "WARNING", "ERROR")
            ),
        )


def check_team(text: Mapping[str, str]) -> None:
    """Refuse to be reachable without a login, and logins that cannot work.

    Raises:
        BadRequest: names the variable, its value and what is allowed.
    """
    public = [name for name in listed(text["names"].lower()) if name not in LOCAL_HOSTS]
    if not text["auth"] and text["host"] not in LOCAL_HOSTS:
        raise BadRequest(
            f"HOST={text['host']!r} can be reached from other machines, and no login is set up.",
            f"Set LOUPE_AUTH to {', '.join(AUTH)}, or HOST to {', '.join(LOCAL_HOSTS)}.",
        )
    if not text["auth"] and public:
        raise BadRequest(
            f"LOUPE_NAMES={text['names']!r} opens the app to others, and no login is set up.",
            f"Set LOUPE_AUTH to {', '.join(AUTH)}.",
        )
    if text["auth"]:
        _one_of("auth", text["auth"], AUTH)
        _check_login(text, public)


def _check_login(text: Mapping[str, str], public: Sequence[str]) -> None:
    if text["host"] not in LOCAL_HOSTS and not public and text["host"] in ("0.0.0.0", "::"):
        raise BadRequest(
            f"HOST={text['host']!r} takes every name, and LOUPE_NAMES={text['names']!r} holds none "
            "that other machines use.",
            "Set LOUPE_NAMES to what stands in the browser's address, without the port.",
        )
    if text["secret_key"] and (len(text["secret_key"]) < 32 or len(set(text["secret_key"])) < 10):
        raise BadRequest(
            "LOUPE_SECRET_KEY='…' is easy to guess: whoever does is logged in as anybody.",
            "Use the output of `openssl rand -hex 32`, or leave it empty.",
        )
    if text["new_role"]:
        _one_of("new_role", text["new_role"], ("viewer", "annotator", "analyst"))
    missing = [name for name in ("oidc_url", "oidc_client", "oidc_secret") if not text[name]]
    if text["auth"] == "oidc" and missing:
        variable = TABLE[missing[0]].env
        raise BadRequest(f"LOUPE_AUTH='oidc' needs {variable}.", TABLE[missing[0]].help)


def listed(text: str) -> tuple[str, ...]:
    """The parts of a list separated by commas."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


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
