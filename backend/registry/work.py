"""The works of the registry, run by the worker processes: adding, checking, indexing, previews."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import orjson

from backend.errors import BadRequest
from backend.protocols import JSON, Arrays
from backend.registry import adding, arrays, reading, sets, telling
from backend.registry.data_spec import PICTURES, SetSpec

FIRST: int = 5
SHOWN_PROBLEMS: int = 20


class Ticket(Protocol):
    """What a work function is handed: progress with cancel."""

    def __call__(self, done: int, total: int) -> None: ...


def model(params: Mapping[str, JSON], ticket: Ticket) -> Arrays:
    """``registry.model``: adds a model, or edits one where ``path`` is empty; ``text`` is JSON."""
    ticket(0, 2)
    given, name = _given(params), str(params.get("name", ""))
    path = str(params.get("path", ""))
    made = adding.add_model(path, name, given) if path else adding.edit_model(name, given)
    ticket(2, 2)
    return _told(made.to_json())


def data(params: Mapping[str, JSON], ticket: Ticket) -> Arrays:
    """``registry.set``: adds and indexes a data set, or one again where ``path`` is empty."""
    name, path = str(params.get("name", "")), str(params.get("path", ""))
    if path:
        return _told(adding.add_set(path, name, _given(params), ticket))
    return _told(adding.index_again(name, ticket))


def preview(params: Mapping[str, JSON], ticket: Ticket) -> Arrays:
    """``registry.preview``: what a path holds, before it is added; ``text`` is JSON."""
    del ticket
    path = Path(str(params.get("path", "")))
    spec = telling.spec_of("preview", path, _given(params))
    if spec.kind == "arrays":
        pixels, labels = arrays.read(spec)
        return _told(_preview(spec, len(pixels), labels, [], [], _size(pixels.shape)))
    found = reading.listed(spec) if spec.kind in PICTURES else sets.listed(spec)
    second = found.captions if spec.kind == "pairs" else found.labels
    rows = [
        list(row)
        for row in zip(found.names[:FIRST], second[:FIRST], found.splits[:FIRST], strict=True)
    ]
    problems = [list(problem) for problem in found.problems]
    told = _preview(spec, len(found.names), found.labels, rows, problems, "")
    mapping = {
        part: reading.column_of(getattr(spec, part), part, found.columns) or ""
        for part in reading.GUESSES
    }
    return _told({**told, "columns": found.columns, "mapping": mapping if found.columns else {}})


def _preview(
    spec: SetSpec, count: int, labels: list[str], rows: list[Any], problems: list[Any], size: str
) -> dict[str, Any]:
    kind = sets.KINDS.get(spec.kind)
    classes = () if kind else reading.classes_of(spec, labels)
    return {
        "kind": spec.kind,
        "noun": kind.noun if kind else "images",
        "headings": kind.columns if kind else ("Image", "Label", "Split"),
        "items": count,
        "classes": list(classes[:100]),
        "n_classes": len(classes),
        "unlabelled": 0 if kind else sum(not label for label in labels),
        "rows": rows,
        "problems": problems[:SHOWN_PROBLEMS],
        "n_problems": len(problems),
        "size": size,
        "columns": [],
        "mapping": {},
    }


def _size(shape: tuple[int, ...]) -> str:
    return f"{shape[2]} × {shape[1]} px, {'colour' if len(shape) == 4 else 'grey'}"


def _given(params: Mapping[str, JSON]) -> dict[str, Any]:
    given = params.get("given", {})
    if not isinstance(given, Mapping):
        raise BadRequest("The fields of the form are no table.", "Reload the page.")
    return {str(name): value for name, value in given.items()}


def _told(value: Mapping[str, Any]) -> Arrays:
    return {"text": np.frombuffer(orjson.dumps(dict(value)), np.uint8)}
