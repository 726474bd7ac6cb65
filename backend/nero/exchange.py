"""Orbit results as files: an ``.npz`` and a JSON beside it that says what they are.

Computed on one machine, looked at on another: a result is taken in under the name that the page
asks for, so nothing is computed again. It must be of the very weights and data that are here.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np
from numpy.typing import NDArray

from backend.cache import ArrayStore
from backend.errors import BadRequest
from backend.files import write_atomic
from backend.jobs import key_for
from backend.nero.evaluation import evaluate
from backend.nero.requests import OrbitRequest
from backend.nero.result import OrbitResult
from backend.protocols import Progress
from backend.registry.kinds import members
from backend.work import WORK

SCHEMA: Final = "loupe.orbit"
VERSION: Final = 1
NEEDED: Final = ("schema", "version", "request", "arrays", "sha256")


def result_of(request: OrbitRequest, store: ArrayStore, progress: Progress) -> dict[str, Any]:
    """The stored result of a request; computed and stored first where it is missing."""
    key = key_for(request.job(), WORK)
    held = store.get(key)
    if held is not None:
        return dict(held)
    made = evaluate(
        request.model,
        request.task,
        request.elements,
        _rows(request),
        progress=progress,
        control=request.control,
    ).arrays()
    store.put(key, made)
    return made


def _rows(request: OrbitRequest) -> Any:
    from backend import datasets

    return datasets.load(request.dataset) if request.items == "all" else list(request.items)


def write(request: OrbitRequest, arrays: Mapping[str, NDArray[Any]], path: Path) -> Path:
    """Writes ``path`` (.npz) and the JSON beside it, whose path comes back."""
    out = io.BytesIO()
    np.savez(out, allow_pickle=False, **dict(arrays))
    data = out.getvalue()
    told = {
        "schema": SCHEMA,
        "version": VERSION,
        "request": request.params(),
        "arrays": {
            name: {"dtype": array.dtype.str, "shape": list(array.shape)}
            for name, array in sorted(arrays.items())
        },
        "sha256": _sha(data),
    }
    write_atomic(path, lambda file: _send(file, data))
    beside = path.with_suffix(".json")
    text = json.dumps(told, indent=1, sort_keys=True, ensure_ascii=False).encode()
    write_atomic(beside, lambda file: _send(file, text))
    return beside


def read(path: Path) -> tuple[OrbitRequest, dict[str, NDArray[Any]]]:
    """The request and the arrays of files that :func:`write` made.

    Raises:
        NotFound: the model, the data or the orbit is not here.
        BadRequest: a file is missing, damaged, of another version, or of other weights or data.
    """
    told = _sidecar(path.with_suffix(".json"))
    members(path)
    data = path.read_bytes()
    if _sha(data) != told["sha256"]:
        raise BadRequest(
            f"{path.name} is not the file that {path.stem}.json describes.", "Export both again."
        )
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile) as error:
        raise BadRequest(f"{path.name} is damaged.", "Export it again.") from error
    request = OrbitRequest.from_params(told["request"])
    _check_arrays(path, request, told["arrays"], arrays)
    return request, arrays


def take_in(path: Path, store: ArrayStore) -> OrbitRequest:
    """Stores the result of a file under the name that the page asks for. Raises as :func:`read`."""
    request, arrays = read(path)
    store.put(key_for(request.job(), WORK), arrays)
    return request


def _sidecar(path: Path) -> dict[str, Any]:
    try:
        told: Any = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadRequest(
            f"There is no {path.name} beside the arrays.", "Keep both files together."
        ) from error
    except (ValueError, RecursionError) as error:
        raise BadRequest(f"{path.name} is not JSON.", "Export the result again.") from error
    missing = [name for name in NEEDED if not isinstance(told, dict) or name not in told]
    if missing:
        raise BadRequest(f"{path.name} says no {missing[0]}.", "Export the result again.")
    if told["schema"] != SCHEMA or told["version"] != VERSION:
        raise BadRequest(
            f"{path.name} is {str(told['schema'])[:40]} version {str(told['version'])[:20]}.",
            f"This Loupe reads {SCHEMA} version {VERSION}.",
        )
    if not isinstance(told["request"], dict) or not isinstance(told["arrays"], dict):
        raise BadRequest(f"{path.name} is not as it should be.", "Export the result again.")
    found: dict[str, Any] = told
    return found


def _check_arrays(
    path: Path,
    request: OrbitRequest,
    described: Mapping[str, Any],
    arrays: Mapping[str, NDArray[Any]],
) -> None:
    found = {n: {"dtype": a.dtype.str, "shape": list(a.shape)} for n, a in arrays.items()}
    if found != described:
        odd = next(iter(sorted(set(found) ^ set(described))), None) or next(
            name for name in sorted(found) if found[name] != described[name]
        )
        raise BadRequest(f"The array {odd!r} in {path.name} is not as described.", "Export again.")
    result = OrbitResult.from_arrays(arrays)
    wanted = request.elements.size
    if result.metric.ndim != 2 or result.metric.shape[1] != wanted:
        raise BadRequest(
            f"{path.name} has {result.metric.shape[-1]} elements and the orbit {wanted}.",
            "Export it again with this version.",
        )


def _sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _send(file: BinaryIO, data: bytes) -> None:
    file.write(data)
