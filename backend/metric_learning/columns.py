"""One embedding's column of the heat map, and the same by each value of a property."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from backend import metrics
from backend.metric_learning import neighbours, significance
from backend.metric_learning.distances import Pairs, pairs
from backend.metric_learning.properties import Property
from backend.protocols import Progress

F64 = NDArray[np.float64]

PERMUTATIONS: Final = 1_999
NUMBERS: Final = ("nr_precision", "nr_variance", "r_precision", "chance")


def column(
    x: ArrayLike,
    held: Sequence[Property],
    distance: str,
    with_null: bool = False,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """One row for each property: ``nr_precision``, ``nr_variance``, ``r_precision``, ``chance``
    and ``n``; with the null also ``p_permutation`` and ``p_holm``. NaN where it asks no question.

    Args:
        x: embeddings ``(n, d)``.
        with_null: shuffle each property's labels 1,999 times.

    Raises:
        BadRequest: as :func:`backend.metric_learning.distances.pairs`.
    """
    far = pairs(x, distance)
    usable = [one for one in held if not one.problem]
    found = neighbours.hits(far, usable) if usable else ()
    hits = dict(zip([one.name for one in usable], found, strict=True))
    rows = []
    for k, one in enumerate(held):
        row: dict[str, Any] = {"property": one.name, "n": len(far)}
        if one.name in hits:
            row |= _measured(hits[one.name], one)
            if with_null:
                row["p_permutation"] = _p(far, one)
        rows.append(row)
        if progress is not None:
            progress(k + 1, len(held))
    names = ["property", "n", *NUMBERS, *(["p_permutation"] if with_null else [])]
    table = pd.DataFrame(rows).reindex(columns=names)
    if with_null:
        table["p_holm"] = significance.holm(table["p_permutation"].to_numpy(np.float64))
    return table


def nothing() -> pd.DataFrame:
    """The column of no property."""
    return pd.DataFrame(columns=["property", "n", *NUMBERS])


def _measured(hits: F64, one: Property) -> dict[str, float]:
    return {
        "nr_precision": float(metrics.scores(hits, one).mean()),
        "nr_variance": float(metrics.scores(hits, one, "variance").mean()),
        "r_precision": float(metrics.r_precisions(hits, one).mean()),
        "chance": metrics.chance_level(one),
    }


def _p(far: Pairs, one: Property) -> float:
    return significance.permutation_null(far, one, PERMUTATIONS, 0).p


def by_value(x: ArrayLike, held: Sequence[Property], distance: str) -> pd.DataFrame:
    """NR-Prec of the images of each value of each property: which rotation, which car.

    The mean over all of a property's queries is that property's NR-Prec, so that these are its
    parts: their mean weighted by ``images`` is the cell of the heat map.

    Returns:
        ``property``, ``value``, ``images`` of it, ``nr_precision`` and ``r_precision`` (means over
        its images), ``chance``; NaN where a value has one image.

    Raises:
        BadRequest: as :func:`backend.metric_learning.distances.pairs`.
    """
    usable = [one for one in held if not one.problem]
    found = neighbours.hits(pairs(x, distance), usable) if usable else ()
    rows = []
    for one, hits in zip(usable, found, strict=True):
        codes = one.codes[one.counts[one.codes] > 1]
        scores, shares = metrics.scores(hits, one), metrics.r_precisions(hits, one)
        for k, value in enumerate(one.values):
            own = codes == k
            row: dict[str, Any] = {"property": one.name, "value": value}
            row |= {"images": int(one.counts[k])}
            if own.any():
                row["nr_precision"] = float(scores[own].mean())
                row["r_precision"] = float(shares[own].mean())
                row["chance"] = float(one.counts[k] / len(one.codes))
            rows.append(row)
    names = ["property", "value", "images", "nr_precision", "r_precision", "chance"]
    return pd.DataFrame(rows).reindex(columns=names)
