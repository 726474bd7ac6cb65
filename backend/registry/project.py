"""``loupe.toml``: the models and data sets of a project in one file, registered all at once."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from backend.errors import BackendError, BadRequest
from backend.registry import adding, store
from backend.registry.named import LIBRARIES, is_named
from backend.registry.sets import KINDS
from backend.registry.spec import checked_name

FILE: Final = "loupe.toml"
PARTS: Final = ("models", "data")
Tell = Callable[[str], None]


def load(place: Path, tell: Tell) -> list[str]:
    """Registers what a ``loupe.toml`` (or the folder it lies in) names; data sets first.

    Returns:
        A sentence for each entry that could not be registered; the others are.

    Raises:
        BadRequest: the file cannot be read or names something unknown.
    """
    path = place / FILE if place.is_dir() else place
    return register(_read(path), path.parent, tell)


def register(told: Mapping[str, Mapping[str, Any]], folder: Path, tell: Tell) -> list[str]:
    """Registers the entries of ``data`` and ``models`` by name, with paths from ``folder``.

    Returns:
        A sentence for each entry that could not be registered; the others are.
    """
    failed: list[str] = []
    for part in ("data", "models"):
        for name, entry in told[part].items():
            where = str(entry["path"])
            if not is_named(where):
                where = str((folder / where).resolve())
            given = {key: value for key, value in entry.items() if key not in ("path", "data_set")}
            try:
                if part == "data":
                    summary = adding.add_set(where, name, given)
                    tell(f"data {name}: {summary['items']:,} {_noun(name)}")
                else:
                    report = adding.add_model(where, name, given, str(entry.get("data_set", "")))
                    tell(f"model {name}: {report.spec.kind}, takes {report.spec.size}")
            except BackendError as error:
                failed.append(f"{part[:-1] if part == 'models' else part} {name}: {error}")
    return failed


def _noun(name: str) -> str:
    kind = KINDS.get(store.required().set(name).spec.kind)
    return kind.noun if kind else "images"


def _read(path: Path) -> dict[str, dict[str, Mapping[str, Any]]]:
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadRequest(
            f"There is no {path.name} to be read.", "It lies in the project's folder."
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadRequest(f"{path.name} is not valid TOML: {error}.") from error
    unknown = sorted(raw.keys() - set(PARTS))
    if unknown:
        raise BadRequest(
            f"{path.name} has a part [{unknown[0]}].", "Parts are [models.NAME] and [data.NAME]."
        )
    return checked(raw)


def checked(raw: Mapping[str, Any]) -> dict[str, dict[str, Mapping[str, Any]]]:
    """The entries of both parts.

    Raises:
        BadRequest: a name cannot be one, or an entry names no path.
    """
    for part in PARTS:
        entries = raw.get(part, {})
        if not isinstance(entries, dict):
            raise BadRequest(f"{part} is no table of names.", f"Write [{part}.NAME].")
        for name, entry in entries.items():
            checked_name(name, "model" if part == "models" else "data set")
            if not isinstance(entry, dict) or not isinstance(entry.get("path"), str):
                raise BadRequest(f"[{part}.{name}] names no path.", 'Add path = "…".')
    return {part: raw.get(part, {}) for part in PARTS}


def entries(relative_to: Path | None) -> dict[str, dict[str, dict[str, Any]]]:
    """Everything that is registered as :func:`checked` takes it, with paths from a folder.

    Functions that are served from a script are left out: they end with it.
    """
    held: dict[str, Mapping[str, Any]] = {
        "data": {name: one.spec.to_json() for name, one in store.sets().items()},
        "models": {
            name: one.spec.to_json()
            for name, one in store.models().items()
            if one.spec.kind != "callable"
        },
    }
    return {
        part: {name: _entry(told, part, relative_to) for name, told in held[part].items()}
        for part in held
    }


def _entry(told: Mapping[str, Any], part: str, folder: Path | None) -> dict[str, Any]:
    """A spec without what is empty; the kind only where the path does not tell it."""
    given = {key: value for key, value in told.items() if key != "name" and value}
    given["path"] = _relative(str(told["path"]), told, folder)
    if part == "models" or told["kind"] not in ("frames", "large"):
        del given["kind"]
    return given


def written(relative_to: Path) -> str:
    """A ``loupe.toml`` of everything that is registered, with paths from a folder."""
    lines: list[str] = []
    for part, held in entries(relative_to).items():
        for name, told in held.items():
            lines.append(f"[{part}.{name}]")
            lines += [
                f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in told.items()
            ]
            lines.append("")
    return "\n".join(lines)


def _relative(path: str, told: Mapping[str, Any], folder: Path | None) -> str:
    if told["kind"] in LIBRARIES:
        return f"{told['kind']}:{path}"
    place, root = Path(path), folder.resolve() if folder else None
    return place.relative_to(root).as_posix() if root and place.is_relative_to(root) else path
