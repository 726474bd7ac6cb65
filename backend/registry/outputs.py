"""Whatever a network returns (tensors, dicts, tuples of them) as arrays by name.

Needs numpy only: a function of a script answers through here too, in its own process.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any, TypeAlias

import numpy as np

from backend.errors import BadRequest
from backend.protocols import F32

Named: TypeAlias = dict[str, F32]
"""Arrays by name in the order of the answer; parts without a name are called by their place."""
ONLY = "output"  # the name of an answer that is one array


def arrays_in(answer: Any) -> Named:
    """The arrays in an answer; a dict for each item becomes one array of all for each name, with
    NaN below what an item has less; a row of scores for each item becomes one array.

    Raises:
        BadRequest: there is no array in it, or the dicts of items do not fit together.
    """
    parts = _by_field(answer)
    if isinstance(answer, tuple | list) and parts is None:
        items = [_by_field(one) for one in answer]
        if items and None not in items:
            return _of_items(items)
    if parts is not None:
        pairs: Iterable[tuple[Any, Any]] = parts.items()
    elif _are_rows(answer):
        pairs = [(ONLY, [_array(row) for row in answer])]
    elif isinstance(answer, tuple | list) and any(_is_array(part) for part in answer):
        pairs = enumerate(answer)
    else:
        pairs = [(ONLY, answer)]
    found = {str(name): array for name, part in pairs if (array := _array(part)) is not None}
    if not found:
        raise BadRequest(
            f"The model answers with {type(answer).__name__}, in which there is no array of "
            "numbers.",
            "Return a tensor or an array, or a dict or tuple of such.",
        )
    return found


def first(named: Named, *names: str) -> F32:
    """The array of the first of some names that there is, else the first array."""
    return next((named[name] for name in names if name in named), next(iter(named.values())))


def stacked(parts: Sequence[F32]) -> F32:
    """One array of arrays that may differ in their first axis, with NaN below the shorter ones.

    Raises:
        BadRequest: they differ in another axis, or have none.
    """
    if len({part.shape[1:] for part in parts}) > 1 or not all(part.ndim for part in parts):
        raise BadRequest(
            f"Parts of the model's answer have the shapes {[part.shape for part in parts][:4]}.",
            "They may differ in the first axis only: one row for each box.",
        )
    out = np.full((len(parts), max(map(len, parts)), *parts[0].shape[1:]), np.nan, np.float32)
    for row, part in zip(out, parts, strict=True):
        row[: len(part)] = part
    return out


def _by_field(answer: Any) -> Mapping[Any, Any] | None:
    """The parts of an answer that names them: a dict, a named tuple or a dataclass."""
    if isinstance(answer, Mapping):
        return answer
    if is_dataclass(answer) and not isinstance(answer, type):
        return {field.name: getattr(answer, field.name) for field in fields(answer)}
    if isinstance(answer, tuple) and hasattr(answer, "_fields"):
        return dict(zip(answer._fields, answer, strict=True))
    return None


def _are_rows(answer: Any) -> bool:
    """Whether an answer is a list with one row of equally many numbers for each item."""
    if not isinstance(answer, tuple | list) or not all(_is_array(part) for part in answer):
        return False
    shapes = {tuple(part.shape) for part in answer}
    return len(shapes) == 1 and len(shapes.pop()) == 1


def _is_array(part: Any) -> bool:
    return hasattr(part, "shape") and hasattr(part, "dtype")


def _array(part: Any) -> F32 | None:
    """One part as numbers; None where it is none."""
    if hasattr(part, "detach"):
        part = part.detach().cpu()
        part = (part.float() if part.is_floating_point() else part).numpy()
    if not _is_array(part) and (isinstance(part, str | bytes) or not isinstance(part, Sequence)):
        return None
    try:
        found = np.asarray(part)
        is_real = found.dtype.kind in "biufO"  # neither texts nor complex numbers
        return np.asarray(found, np.float32) if is_real else None
    except (TypeError, ValueError, OverflowError):
        return None


def _of_items(answer: Sequence[Any]) -> Named:
    """Parts of the same name laid one below the other, each as long as the longest."""
    items = [arrays_in(one) for one in answer]
    wanted = items[0].keys()
    for item in items:
        if item.keys() != wanted:
            raise BadRequest(
                f"The model answers {', '.join(item)} for one item and {', '.join(wanted)} for "
                "another.",
                "Give the same parts for every item, empty where there is nothing.",
            )
    return {name: stacked([item[name] for item in items]) for name in wanted}
