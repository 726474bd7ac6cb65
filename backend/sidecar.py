"""Arrays as files for another Loupe: an ``.npz`` and a JSON beside it that says what they are.

The JSON has ``schema``, ``version``, what the schema adds, each array's type and shape, and the
sha256 of the ``.npz``. Nothing is unpickled.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from backend.errors import BadRequest
from backend.files import write_atomic
from backend.registry.kinds import members

NEEDED: Final = ("schema", "version", "arrays", "sha256")


def write(
    path: Path, schema: str, version: int, about: Mapping[str, Any], arrays: Mapping[str, Any]
) -> Path:
    """Writes ``path`` (.npz) and the JSON beside it, whose path comes back.

    Raises:
        BadRequest: the name does not end in .npz, or its folder does not exist.
    """
    if path.suffix != ".npz" or not path.resolve().parent.is_dir():
        raise BadRequest(f"{path} is not usable.", "Name an .npz in a folder that exists.")
    out = io.BytesIO()
    np.savez(out, allow_pickle=False, **dict(arrays))
    data = out.getvalue()
    told = {
        "schema": schema,
        "version": version,
        **about,
        "arrays": _described(arrays),
        "sha256": hashlib.sha256(data).hexdigest(),
    }
    text = json.dumps(told, indent=1, sort_keys=True, ensure_ascii=False).encode()
    beside = path.with_suffix(".json")
    write_atomic(path, lambda file: file.write(data))
    write_atomic(beside, lambda file: file.write(text))
    return beside


def read(
    path: Path, schema: str, version: int, objects: Sequence[str] = ()
) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """What the JSON says, and the arrays, of files that :func:`write` made.

    Args:
        objects: further keys that must be there, each an object.

    Raises:
        BadRequest: a file is missing, damaged, or of another schema or version.
    """
    told = _told(path.with_suffix(".json"), schema, version, objects)
    if not path.is_file():
        raise BadRequest(f"There is no file {path.name}.", "Check the path.")
    members(path)
    data = path.read_bytes()
    if hashlib.sha256(data).hexdigest() != told["sha256"]:
        raise BadRequest(
            f"{path.name} is not the file that {path.stem}.json describes.", "Export both again."
        )
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile) as error:
        raise BadRequest(f"{path.name} is damaged.", "Export it again.") from error
    found = _described(arrays)
    if found != told["arrays"]:
        odd = next(iter(sorted(set(found) ^ set(told["arrays"]))), None) or next(
            name for name in sorted(found) if found[name] != told["arrays"][name]
        )
        raise BadRequest(f"The array {odd!r} in {path.name} is not as described.", "Export again.")
    return told, arrays


def schema_of(path: Path) -> str:
    """The schema that the JSON beside an ``.npz`` names; "" where nothing can be read."""
    try:
        told: Any = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return ""
    return str(told.get("schema", "")) if isinstance(told, dict) else ""


def _described(arrays: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: {"dtype": np.asarray(array).dtype.str, "shape": list(np.shape(array))}
        for name, array in sorted(arrays.items())
    }


def _told(path: Path, schema: str, version: int, objects: Sequence[str]) -> dict[str, Any]:
    try:
        told: Any = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadRequest(
            f"There is no {path.name} beside the arrays.", "Keep both files together."
        ) from error
    except (ValueError, RecursionError) as error:
        raise BadRequest(f"{path.name} is not JSON.", "Export the result again.") from error
    missing = [
        name for name in (*NEEDED, *objects) if not isinstance(told, dict) or name not in told
    ]
    if missing:
        raise BadRequest(f"{path.name} says no {missing[0]}.", "Export the result again.")
    if told["schema"] != schema or told["version"] != version:
        raise BadRequest(
            f"{path.name} is {str(told['schema'])[:40]} version {str(told['version'])[:20]}.",
            f"This Loupe reads {schema} version {version}.",
        )
    if not all(isinstance(told[name], dict) for name in ("arrays", *objects)):
        raise BadRequest(f"{path.name} is not as it should be.", "Export the result again.")
    found: dict[str, Any] = told
    return found
