"""Whatever a network returns (tensors, dicts, tuples of them) as arrays by name.

Needs numpy only: a function of a script answers through here too, in its own process.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np

from backend.errors import BadRequest
from backend.protocols import F32

Named: TypeAlias = dict[str, F32]
"""Arrays by name in the order of the answer; parts without a name are called by their place."""
ONLY = "output"  # the name of an answer that is one array


def arrays_in(answer: Any) -> Named:
    """The arrays in an answer; a dict or a table of boxes for each item becomes one array of all,
    with NaN below what an item has less.

    Raises:
        BadRequest: there is no array in it, or tables of items do not fit together.
    """
    if _are_per_item(answer):
        return _of_items(answer)
    if isinstance(answer, Mapping):
        pairs: Iterable[tuple[Any, Any]] = answer.items()
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


def _is_array(part: Any) -> bool:
    return hasattr(part, "shape") and hasattr(part, "dtype")


def _array(part: Any) -> F32 | None:
    """One part as numbers; None where it is none."""
    if hasattr(part, "detach"):
        part = part.detach().cpu()
        part = (part.float() if part.is_floating_point() else part).numpy()
    if not _is_array(part) and not isinstance(part, Sequence):
        return None
    try:
        return np.asarray(part, np.float32)
    except (TypeError, ValueError):
        return None


def _are_per_item(answer: Any) -> bool:
    """Whether an answer is a list with a dict, or a table (boxes, 6), for each item."""
    if not isinstance(answer, tuple | list) or not answer:
        return False
    if all(isinstance(one, Mapping) for one in answer):
        return True
    return all(_is_array(one) and len(one.shape) == 2 and one.shape[1] == 6 for one in answer)


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
    return {name: _stacked([item[name] for item in items]) for name in wanted}


def _stacked(parts: Sequence[F32]) -> F32:
    if len({part.shape[1:] for part in parts}) > 1 or not parts[0].ndim:
        raise BadRequest(
            f"Parts of the model's answer have the shapes {[part.shape for part in parts][:4]}.",
            "They may differ in the first axis only: one row for each box.",
        )
    out = np.full((len(parts), max(map(len, parts)), *parts[0].shape[1:]), np.nan, np.float32)
    for row, part in zip(out, parts, strict=True):
        row[: len(part)] = part
    return out
