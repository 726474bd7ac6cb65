"""Which success models there are: bundled ones, and those that were fitted here. No torch."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from safetensors import SafetensorError, safe_open

from backend.errors import BadRequest, NotFound, WeightsRefused
from backend.files import private_folder
from backend.settings import Settings
from models.cards import WEIGHTS

NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,59}\Z")
BUNDLED: Final = "insights-"
LIMITS: Final = (
    "It tells what went with success in these experiments, not what causes it. A change of several "
    "things at once cannot be taken apart."
)
_known: dict[tuple[str, int, int], ModelInfo] = {}


@dataclass(frozen=True, slots=True, eq=False)
class ModelInfo:
    """What a model's file says.

    Attributes:
        key: its name; title, set_key, encoder, loss, seed: of the fit.
        fingerprint: first 16 hex digits of the file's sha256.
        metrics: measured numbers by name; told: everything in the header.
    """

    key: str
    title: str
    set_key: str
    fingerprint: str
    encoder: str
    loss: str
    seed: int
    metrics: Mapping[str, float]
    told: Mapping[str, Any]
    path: Path

    @property
    def limits(self) -> str:
        """What it cannot do."""
        return LIMITS


def folder() -> Path:
    """Where fitted models lie."""
    return private_folder(Settings.from_env().state_dir / "insights" / "models")


def checked_name(name: str) -> str:
    """The name itself.

    Raises:
        BadRequest: it cannot name a model.
    """
    if not NAME.match(name):
        raise BadRequest(
            f"{name[:60]!r} cannot name a model.", "Use a-z, 0-9 and -, at most 60 characters."
        )
    return name


def info(path: Path) -> ModelInfo:
    """What one file says of itself, read once.

    Raises:
        WeightsRefused: it is no model of this kind.
    """
    stat = path.stat()
    mark = (path.as_posix(), stat.st_mtime_ns, stat.st_size)
    if mark not in _known:
        try:
            with safe_open(path, framework="numpy") as file:
                told = json.loads((file.metadata() or {})["insights"])
        except (SafetensorError, OSError, KeyError, ValueError) as error:
            raise WeightsRefused(
                f"{path.name} is no model of contents.", "Fit it again."
            ) from error
        with path.open("rb") as data:
            sha = hashlib.file_digest(data, "sha256").hexdigest()
        names = ("title", "encoder", "loss", "seed", "metrics")
        _known[mark] = ModelInfo(
            key=path.stem,
            set_key=str(told["set"]),
            fingerprint=sha[:16],
            told=told,
            path=path,
            **{name: told[name] for name in names},
        )
    return _known[mark]


def known(set_key: str) -> list[ModelInfo]:
    """The models fitted on a set: own ones, the newest first, then the bundled one."""
    own = sorted(folder().glob("*.safetensors"), key=lambda p: p.stat().st_mtime, reverse=True)
    bundled = WEIGHTS / f"{BUNDLED}{set_key}.safetensors"
    paths = [*own, *([bundled] if bundled.is_file() else [])]
    return [one for one in map(info, paths) if one.set_key == set_key]


def find(set_key: str, key: str = "") -> ModelInfo:
    """A model by name, or the one a set opens with: the bundled one, else the newest.

    Raises:
        NotFound: there is none.
    """
    found = known(set_key)
    if key:
        path = folder() / f"{checked_name(key)}.safetensors"
        named = [one for one in found if one.key == key]
        if named or path.is_file():
            return named[0] if named else info(path)
        raise NotFound(f"There is no model {key!r}.", "Fit one, or choose another.")
    if not found:
        raise NotFound("No model has been fitted on these contents yet.", "Fit one first.")
    return found[-1] if found[-1].key.startswith(BUNDLED) else found[0]
