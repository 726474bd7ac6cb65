"""Orbit results as files: an ``.npz`` and a JSON beside it that says what they are.

Computed on one machine, looked at on another: a result is taken in under the name that the page
asks for, so nothing is computed again. It must be of the very weights and data that are here.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from numpy.typing import NDArray

from backend import sidecar
from backend.cache import ArrayStore
from backend.errors import BadRequest
from backend.jobs import key_for
from backend.nero.evaluation import evaluate
from backend.nero.requests import OrbitRequest
from backend.nero.result import OrbitResult
from backend.protocols import Progress
from backend.work import WORK

SCHEMA: Final = "loupe.orbit"
VERSION: Final = 1


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
    """Writes ``path`` (.npz) and the JSON beside it, whose path comes back. Raises BadRequest."""
    return sidecar.write(path, SCHEMA, VERSION, {"request": request.params()}, arrays)


def read(path: Path) -> tuple[OrbitRequest, dict[str, NDArray[Any]]]:
    """The request and the arrays of files that :func:`write` made.

    Raises:
        NotFound: the model, the data or the orbit is not here.
        BadRequest: a file is missing, damaged, of another version, or of other weights or data.
    """
    told, arrays = sidecar.read(path, SCHEMA, VERSION, ("request",))
    request = OrbitRequest.from_params(told["request"])
    result = OrbitResult.from_arrays(arrays)
    wanted = request.elements.size
    if result.metric.ndim != 2 or result.metric.shape[1] != wanted:
        raise BadRequest(
            f"{path.name} has {result.metric.shape[-1]} elements and the orbit {wanted}.",
            "Export it again with this version.",
        )
    return request, arrays


def take_in(path: Path, store: ArrayStore) -> OrbitRequest:
    """Stores the result of a file under the name that the page asks for. Raises as :func:`read`."""
    request, arrays = read(path)
    store.put(key_for(request.job(), WORK), arrays)
    return request
