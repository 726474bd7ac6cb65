"""``loupe.toml``: the models and data sets of a project in one file, registered all at once."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from backend.errors import BackendError, BadRequest
from backend.registry import adding, store
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
    told = _read(path)
    failed: list[str] = []
    for part in ("data", "models"):
        for name, entry in told[part].items():
            where = str(entry["path"])
            if not where.startswith("timm:"):
                where = str((path.parent / where).resolve())
            given = {key: value for key, value in entry.items() if key not in ("path", "data_set")}
            try:
                if part == "data":
                    summary = adding.add_set(where, name, given)
                    tell(f"data {name}: {summary['items']} images")
                else:
                    report = adding.add_model(where, name, given, str(entry.get("data_set", "")))
                    tell(f"model {name}: {report.spec.kind}, takes {report.spec.size}")
            except BackendError as error:
                failed.append(f"{part[:-1] if part == 'models' else part} {name}: {error}")
    return failed


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
    for part in PARTS:
        for name, entry in raw.get(part, {}).items():
            checked_name(name, "model" if part == "models" else "data set")
            if not isinstance(entry, dict) or not isinstance(entry.get("path"), str):
                raise BadRequest(f"[{part}.{name}] names no path.", 'Add path = "…".')
    return {part: raw.get(part, {}) for part in PARTS}


def written(relative_to: Path) -> str:
    """A ``loupe.toml`` of everything that is registered, with paths from a folder."""
    import json

    lines: list[str] = []
    rows: list[tuple[str, str, Mapping[str, Any]]] = [
        ("data", name, held.spec.to_json()) for name, held in store.sets().items()
    ]
    rows += [
        ("models", name, held.spec.to_json())
        for name, held in store.models().items()
        if held.spec.kind != "callable"
    ]
    for part, name, told in rows:
        lines.append(f"[{part}.{name}]")
        for key, value in told.items():
            if key in ("name", "kind") or not value:
                continue
            shown = _relative(str(value), told, relative_to) if key == "path" else value
            lines.append(f"{key} = {json.dumps(shown, ensure_ascii=False)}")
        lines.append("")
    return "\n".join(lines)


def _relative(path: str, told: Mapping[str, Any], folder: Path) -> str:
    if told["kind"] == "timm":
        return f"timm:{path}"
    place = Path(path)
    root = folder.resolve()
    return place.relative_to(root).as_posix() if place.is_relative_to(root) else path
