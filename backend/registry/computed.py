"""Numbers about a registered set that were computed before: predictions, attributions, scores,
embeddings.

They travel as :mod:`backend.sidecar` writes them (``schema`` ``loupe.computed``, ``version`` 1,
``kind``, ``data`` with name and fingerprint, ``model`` with its title) and are refused for other
data. Rows that a file says nothing about are NaN.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from backend import sidecar
from backend.errors import BadRequest, NotFound
from backend.files import private_folder
from backend.protocols import F32, I64
from backend.registry import index, store

SCHEMA: Final = "loupe.computed"
VERSION: Final = 1
KINDS: Final = {"predictions": 2, "attributions": 3, "scores": 1, "embeddings": 2}
"""Kinds, and the number of axes of their arrays; the first runs over ``rows``."""
NAMED: Final = {
    "predictions": "probabilities",
    "attributions": "maps",
    "embeddings": "embeddings",
}
"""The array of a kind; scores may be called anything."""
COLUMN: Final = re.compile(r"[A-Za-z][\w -]{0,39}\Z")
KEY: Final = re.compile(r"[a-z]+-[0-9a-f]{12}\Z")


@dataclass(frozen=True, slots=True)
class Computed:
    """One import.

    Attributes:
        key: its name in links; kind: one of KINDS; model: what made it, for people.
        rows: (m,) rows of the set that it says something about, each once.
        arrays: by name, (m, ...) each.
    """

    key: str
    kind: str
    data: str
    model: str
    rows: I64
    arrays: Mapping[str, NDArray[Any]]

    @property
    def columns(self) -> dict[str, NDArray[Any]]:
        """What a row can be ordered by, ``(m,)`` each: of predictions the answer's confidence and
        the share of the true class; of attributions how much lies in a tenth of the pixels.
        """
        if self.kind == "scores":
            return dict(self.arrays)
        if self.kind == "predictions":
            shares = self.arrays["probabilities"]
            labels = index.load(self.data).labels[self.rows]
            true = shares[np.arange(len(shares)), np.maximum(labels, 0)].astype(np.float32)
            true[labels < 0] = np.nan
            return {"confidence": shares.max(axis=1), "share of the true class": true}
        if self.kind == "attributions":
            flat = np.abs(self.arrays["maps"].reshape(len(self.rows), -1))
            most = np.sort(flat, axis=1)[:, -max(1, flat.shape[1] // 10) :]
            return {"in a tenth of the pixels": most.sum(1) / np.maximum(flat.sum(1), 1e-12)}
        return {}

    @property
    def answers(self) -> I64 | None:
        """Places of the predicted classes, ``(m,)``; None for other kinds."""
        if self.kind != "predictions":
            return None
        found: I64 = self.arrays["probabilities"].argmax(axis=1).astype(np.int64)
        return found


def write(
    path: Path, kind: str, data: str, model: str, rows: I64, arrays: Mapping[str, Any]
) -> Path:
    """Writes numbers about some rows of a registered set as files; the JSON's path comes back.

    Raises:
        NotFound: there is no such set. BadRequest: the arrays are not of this kind.
    """
    held = store.required().set(data)
    whole = {"rows": rows, **arrays}
    _checked(path.name, kind, whole, int(held.summary["items"]), len(held.spec.classes))
    about = {
        "kind": kind,
        "data": {"name": data, "fingerprint": held.fingerprint},
        "model": {"title": model},
    }
    return sidecar.write(path, SCHEMA, VERSION, about, whole)


def take_in(path: Path) -> Computed:
    """Checks files and keeps a copy beside the index of their set.

    Raises:
        NotFound: the set is not registered.
        BadRequest: they are damaged, of other data, or not of their kind.
    """
    told, arrays = sidecar.read(path, SCHEMA, VERSION, ("data", "model"))
    data, kind = str(told["data"].get("name")), str(told.get("kind"))
    held = store.required().set(data)
    if held.fingerprint != told["data"].get("fingerprint"):
        raise BadRequest(
            f"{path.name} is about other contents of {data} than those here.",
            "Compute it again, or register the same data.",
        )
    _checked(path.name, kind, arrays, int(held.summary["items"]), len(held.spec.classes))
    key = f"{kind}-{told['sha256'][:12]}"
    model = str(told["model"].get("title", ""))[:80]
    place = private_folder(_folder(data)) / f"{key}.npz"
    about = {name: told[name] for name in ("kind", "data", "model")}
    sidecar.write(place, SCHEMA, VERSION, about, arrays)
    rows = arrays.pop("rows").astype(np.int64)
    return Computed(key, kind, data, model, rows, arrays)


def listed(data: str) -> dict[str, dict[str, str]]:
    """``{key: {kind, model}}`` of everything about the present contents of a set."""
    held, found = store.required().set(data), {}
    for path in sorted(_folder(data).glob("*.json")):
        try:
            told = json.loads(path.read_text(encoding="utf-8"))
            is_of = told["data"]["fingerprint"] == held.fingerprint
        except (OSError, ValueError, KeyError, TypeError):
            continue
        if is_of:
            found[path.stem] = {"kind": str(told["kind"]), "model": str(told["model"]["title"])}
    return found


def load(data: str, key: str) -> Computed:
    """One import of a set, read once and kept.

    Raises:
        NotFound: it is not there (any more).
    """
    if not KEY.match(key) or key not in listed(data):
        raise NotFound(f"There is nothing {key[:40]!r} about {data}.", "Import it again.")
    return _loaded(data, key)


@lru_cache(maxsize=4)
def _loaded(data: str, key: str) -> Computed:
    told, arrays = sidecar.read(_folder(data) / f"{key}.npz", SCHEMA, VERSION, ("data", "model"))
    rows = arrays.pop("rows").astype(np.int64)
    return Computed(key, str(told["kind"]), data, str(told["model"]["title"]), rows, arrays)


def spread(found: Computed, values: NDArray[Any], count: int) -> F32:
    """Values of the rows of an import, over all rows of its set, ``(count,)``; NaN elsewhere."""
    whole = np.full(count, np.nan, np.float32)
    whole[found.rows] = values
    return whole


def _folder(data: str) -> Path:
    return index.folder(data) / "computed"


def _checked(
    name: str, kind: str, arrays: Mapping[str, NDArray[Any]], count: int, classes: int
) -> None:
    """Returns if arrays are what a kind needs.

    Raises:
        BadRequest: they are not; says which and why.
    """
    if kind not in KINDS:
        raise BadRequest(f"{name} holds {kind[:40]!r}.", f"Kinds are {', '.join(KINDS)}.")
    rows = arrays.get("rows")
    if rows is None or rows.ndim != 1 or rows.dtype.kind not in "iu" or not len(rows):
        raise BadRequest(f"{name} has no array rows of whole numbers.", "Which rows of the set?")
    if len(np.unique(rows)) != len(rows) or rows.min() < 0 or rows.max() >= count:
        raise BadRequest(f"rows in {name} repeat or leave the set of {count:,}.")
    rest = {key: array for key, array in arrays.items() if key != "rows"}
    wanted = NAMED.get(kind)
    if not rest or (wanted and set(rest) != {wanted}):
        raise BadRequest(f"{name} has {', '.join(rest) or 'no arrays'}.", f"Needed: {wanted}.")
    for key, array in rest.items():
        if not COLUMN.match(key):
            raise BadRequest(f"{name} calls a column {key[:40]!r}.", "Letters, digits, - and _.")
        if array.dtype.kind not in "fiu" or array.ndim != KINDS[kind] or len(array) != len(rows):
            raise BadRequest(
                f"{key} in {name} has the shape {array.shape} and the type {array.dtype}.",
                f"Needed are numbers of {KINDS[kind]} axes, the first over {len(rows)} rows.",
            )
    if kind == "predictions" and arrays["probabilities"].shape[1] != classes:
        raise BadRequest(
            f"{name} has {arrays['probabilities'].shape[1]} classes and the data {classes}."
        )
