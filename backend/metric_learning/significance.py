"""Whether a clustering could be chance, and whether two families of losses differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from backend.errors import BadRequest
from backend.metric_learning import neighbours
from backend.metric_learning.distances import Pairs, pairs
from backend.metric_learning.properties import Property
from backend.protocols import Progress

F64 = NDArray[np.float64]

LEVEL: Final = 0.01
MOST: Final = 100_000


@dataclass(frozen=True, slots=True)
class Null:
    """NR-Prec of a property against shufflings of its labels.

    Attributes:
        observed: NR-Prec, ties by index.
        shuffled: ``(p,)`` NR-Prec of each shuffling.
    """

    observed: float
    shuffled: F64

    @property
    def p(self) -> float:
        """Share of shufflings, the true labels among them, that cluster at least as well."""
        return float((1 + (self.shuffled >= self.observed).sum()) / (1 + len(self.shuffled)))

    @property
    def z(self) -> float:
        """Distance from the mean of the shufflings in their standard deviations."""
        spread = float(self.shuffled.std(ddof=1))
        return (self.observed - float(self.shuffled.mean())) / spread if spread else 0.0


def permutation_null(
    held: Pairs,
    classes: Property,
    permutations: int = 1_999,
    seed: int = 0,
    progress: Progress | None = None,
    counted: tuple[F64, F64] | None = None,
) -> Null:
    """What NR-Prec would be if the property had nothing to do with the embedding.

    Added to the source, whose rule of 2.576 takes a mean of dependent scores for one standard
    normal. Embeddings stay; one property's labels are shuffled.

    Args:
        counted: hits ``(n,)`` with ties by index and those of the shufflings ``(v, p)``, where they
            have been counted already.

    Raises:
        BadRequest: the number of permutations is out of range, or the property has no two values.
    """
    from backend.metrics import scores

    if not 1 <= permutations <= MOST:
        raise BadRequest(f"{permutations} permutations are out of range.", f"Give 1 to {MOST}.")
    if classes.problem:
        raise BadRequest(classes.problem)
    if counted is None:
        found = neighbours.shuffled_hits(held, classes, permutations, seed, progress)
        counted = neighbours.hits(held, [classes])[0], found
    hits, found = counted
    observed = float(scores(hits, classes).mean())
    count = classes.counts.astype(np.float64)
    wanted, p = count - 1, count / count.sum()
    asked = wanted > 0
    queries = count[asked, None]  # the same number of each value in every shuffling
    centre = queries * (wanted * p)[asked, None]
    spread = np.sqrt(wanted * p * (1 - p))[asked, None]
    shuffled = ((found[asked] - centre) / spread).sum(axis=0) / queries.sum()
    return Null(observed, shuffled)


def holm(p: ArrayLike) -> F64:
    """p values ``(m,)`` corrected after Holm 1979 so that all of them may be read at one level.

    NaN stays NaN and counts as no test.
    """
    values = np.asarray(p, np.float64)
    out = np.full(values.shape, np.nan)
    tests = np.flatnonzero(np.isfinite(values))
    order = tests[np.argsort(values[tests], kind="stable")]
    factors = np.arange(len(order), 0, -1)
    out[order] = np.minimum(1, np.maximum.accumulate(values[order] * factors))
    return out


def normal_p(nr_precision: float) -> float:
    """One-sided p of the source's rule, which takes NR-Prec for a standard normal."""
    from scipy.stats import norm

    return float(norm.sf(nr_precision))


def families(
    frame: pd.DataFrame,
    first: str = "ranking",
    second: str = "classification",
    unit: Literal["loss", "fold"] = "fold",
) -> pd.DataFrame:
    """Mann-Whitney U tests between two families of losses, one for each property.

    Args:
        frame: columns ``family``, ``loss``, ``fold``, ``property`` and ``nr_precision``.
        unit: what counts as one observation: a trained model (``fold``), or a loss, whose folds
            are averaged. The source does not say which it used.

    Returns:
        ``property``, both means, ``difference``, ``u``, ``p`` (two-sided), ``p_holm``, the unit and
        the numbers of observations. Raises as below.

    Raises:
        BadRequest: a column or a family is missing.
    """
    from scipy.stats import mannwhitneyu

    missing = {"family", "loss", "fold", "property", "nr_precision"} - set(frame.columns)
    if missing:
        raise BadRequest(f"The table lacks the column {min(missing)!r}.")
    if unit == "loss":
        keys = ["family", "loss", "property"]
        frame = frame.groupby(keys, sort=False, as_index=False)["nr_precision"].mean()
    rows: list[dict[str, Any]] = []
    for name, held in frame.dropna(subset=["nr_precision"]).groupby("property", sort=False):
        a, b = (held.loc[held["family"] == f, "nr_precision"].to_numpy() for f in (first, second))
        if not len(a) or not len(b):
            raise BadRequest(f"There is no model of each of the families {first} and {second}.")
        found = mannwhitneyu(a, b, alternative="two-sided", method="auto")
        rows.append(
            {
                **{"property": name, f"{first}_mean": a.mean(), f"{second}_mean": b.mean()},
                **{"difference": a.mean() - b.mean(), "u": float(found.statistic)},
                **{"p": float(found.pvalue), "unit": unit},
                **{f"{first}_n": len(a), f"{second}_n": len(b)},
            }
        )
    done = pd.DataFrame(rows)
    done.insert(6, "p_holm", holm(done["p"].to_numpy()))
    return done


def scaling(
    embeddings: ArrayLike,
    classes: Property,
    distance: str = "euclidean",
    sizes: Sequence[int] = (),
    seed: int = 0,
) -> pd.DataFrame:
    """NR-Prec of random parts of the images: it grows with the square root of their number.

    Args:
        sizes: numbers of images; an eighth, a quarter, a half and all unless given.

    Returns:
        ``n``, ``nr_precision`` and ``per_root_n``, which stays the same for one geometry.

    Raises:
        BadRequest: a size is not from 10 to the number of images.
    """
    from backend.metrics import scores

    x = np.asarray(embeddings)
    chosen = list(sizes) or sorted({max(10, len(x) // part) for part in (8, 4, 2, 1)})
    rng, rows = np.random.default_rng(seed), []
    for size in chosen:
        if not 10 <= size <= len(x):
            raise BadRequest(f"A part of {size} images is not possible.", f"Give 10 to {len(x)}.")
        part = np.sort(rng.permutation(len(x))[:size])
        own = classes.take(part)
        value = np.nan
        if not own.problem:
            hits = neighbours.hits(pairs(x[part], distance), [own])[0]
            value = float(scores(hits, own).mean())
        rows.append({"n": size, "nr_precision": value, "per_root_n": value / np.sqrt(size)})
    return pd.DataFrame(rows)
