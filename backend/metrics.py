"""Measures of an embedding and of attribution maps, on the caller's own arrays.

Definitions after Kobs 2023, "Think outside the Black Box", sections 2.5, 7.1.2 and 11.2. Items that
are equally far count in the order of their rows unless ``ties`` says otherwise; an item's own row
is never among its neighbours.
"""

from __future__ import annotations

from typing import Final, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from backend.errors import BadRequest
from backend.metric_learning import neighbours, properties
from backend.metric_learning.distances import pairs
from backend.metric_learning.neighbours import Ties
from backend.metric_learning.properties import Property

F64 = NDArray[np.float64]

Sigma = Literal["std", "variance"]
Chance = Literal["source", "others"]
Null = Literal["binomial", "hypergeometric"]
SIGNIFICANT: Final = 2.576  # two-sided 1 % of the standard normal


def r_precision(
    embeddings: ArrayLike, labels: ArrayLike, distance: str = "euclidean", ties: Ties = "index"
) -> float:
    """Share of the ``R`` nearest items with the query's label, mean over queries, in [0, 1].

    ``R`` is the number of other items with that label; labels of one item ask no question.

    Args:
        embeddings: ``(n, d)``.
        labels: ``(n,)``, numbers or texts.
        distance: one of :data:`backend.metric_learning.distances.DISTANCES`.
        ties: ``index`` or ``expected``, see :func:`backend.metric_learning.neighbours.hits`.

    Raises:
        BadRequest: the lengths differ, a value is not usable, or no two items share a label.
    """
    held, label = pairs(embeddings, distance), _label(embeddings, labels)
    return float(r_precisions(neighbours.hits(held, [label], ties)[0], label).mean())


def normalized_r_precision(
    embeddings: ArrayLike,
    labels: ArrayLike,
    distance: str = "euclidean",
    sigma: Sigma = "std",
    ties: Ties = "index",
    chance: Chance = "source",
    null: Null = "binomial",
) -> float:
    """NR-Prec: mean over queries of how many standard deviations the hits lie above chance.

    Kobs 2023, eq. 7.3, with the square root that its printed form lacks. 0 is chance; for one
    geometry it grows with the square root of n.

    Args:
        sigma: ``std`` divides by ``sqrt(R p (1 - p))``; ``variance`` by ``R p (1 - p)``, as
            printed, whose largest value is the number of labels.
        chance: ``source`` counts the query itself into ``p``; ``others`` does not, which makes the
            mean under chance exactly 0.
        null: ``hypergeometric`` narrows the variance, as neighbours are drawn without replacement.

    Raises:
        BadRequest: as :func:`r_precision`, or an option is unknown.
    """
    held, label = pairs(embeddings, distance), _label(embeddings, labels)
    hits = neighbours.hits(held, [label], ties)[0]
    return float(scores(hits, label, sigma, chance, null).mean())


def map_at_r(embeddings: ArrayLike, labels: ArrayLike, distance: str = "euclidean") -> float:
    """MAP@R: mean over queries of ``(1 / R) sum precision@i`` over the hits ``i <= R``, in [0, 1].

    Raises:
        BadRequest: as :func:`r_precision`.
    """
    return _ranked(embeddings, labels, distance, 0)


def precision_at_1(embeddings: ArrayLike, labels: ArrayLike, distance: str = "euclidean") -> float:
    """Share of queries whose nearest item has their label, in [0, 1].

    Raises:
        BadRequest: as :func:`r_precision`.
    """
    return _ranked(embeddings, labels, distance, 1)


def jensen_shannon(a: ArrayLike, b: ArrayLike) -> float:
    """Jensen-Shannon divergence to base 2, in [0, 1], of two maps of one shape, each divided by
    its sum.

    Raises:
        BadRequest: the shapes differ, a value is negative or not finite, or a map is zero.
    """
    p, q = _distribution(a), _distribution(b)
    if np.shape(a) != np.shape(b):
        raise BadRequest(f"Maps of the shapes {np.shape(a)} and {np.shape(b)} cannot be compared.")
    middle = (p + q) / 2
    halves = [np.where(x > 0, x * np.log2(np.where(x > 0, x / middle, 1)), 0).sum() for x in (p, q)]
    return float(np.clip(sum(halves) / 2, 0, 1))


def focus_score(mask: ArrayLike, attribution: ArrayLike) -> float:
    """How much more of an attribution lies on the object than its area would get by chance.

    ``(a - f) / (1 - f)`` with the object's share ``f`` of the area and ``a`` of the attribution
    (Kobs 2023, eqs 11.2-11.4): 1 all on it, 0 uniform, negative more on the background.

    Args:
        mask: ``(h, w)`` in [0, 1], 1 on the object.
        attribution: ``(h, w)``, >= 0.

    Raises:
        BadRequest: the shapes differ, a value is out of range, the object fills the image, or the
            attribution is zero everywhere.
    """
    m, share = np.asarray(mask, np.float64), _distribution(attribution)
    if m.shape != np.shape(attribution):
        raise BadRequest(
            f"A mask {m.shape} and an attribution {np.shape(attribution)} do not fit.",
            "Both must have the image's height and width.",
        )
    if not (m.min() >= 0 and m.max() <= 1):
        raise BadRequest("Values of the mask are not all from 0 to 1.")
    area = float(m.mean())
    if area == 1:
        raise BadRequest("The object fills the image, so its focus is not defined.")
    return (float((m.ravel() * share).sum()) - area) / (1 - area)


def r_precisions(hits: F64, label: Property) -> F64:
    """R-Precision of each query that asks a question, from its hits ``(n,)``."""
    others = label.counts[label.codes] - 1
    asked = others > 0
    return np.asarray(hits[asked] / others[asked])


def scores(
    hits: F64,
    label: Property,
    sigma: Sigma = "std",
    chance: Chance = "source",
    null: Null = "binomial",
) -> F64:
    """Normalised hits of each query that asks a question; see :func:`normalized_r_precision`."""
    for name, value, allowed in (
        ("sigma", sigma, get_args(Sigma)),
        ("chance", chance, get_args(Chance)),
        ("null", null, get_args(Null)),
    ):
        if value not in allowed:
            raise BadRequest(f"There is no {name} {value!r}.", f"Allowed: {', '.join(allowed)}.")
    n, count = len(label.codes), label.counts[label.codes].astype(np.float64)
    asked = count > 1
    wanted = count[asked] - 1
    p = count[asked] / n if chance == "source" else wanted / (n - 1)
    variance = wanted * p * (1 - p)
    if null == "hypergeometric":
        variance *= (n - 1 - wanted) / (n - 2)
    spread = variance if sigma == "variance" else np.sqrt(variance)
    return np.asarray((hits[asked] - wanted * p) / spread)


def chance_level(label: Property) -> float:
    """R-Precision expected of an embedding that ignores the property: the mean of ``p``."""
    count = label.counts[label.codes]
    return float((count[count > 1] / len(label.codes)).mean())


def _ranked(embeddings: ArrayLike, labels: ArrayLike, distance: str, which: int) -> float:
    held, label = pairs(embeddings, distance), _label(embeddings, labels)
    found = neighbours.precisions(held, label)[which]
    return float(found[label.counts[label.codes] > 1].mean())


def _label(embeddings: ArrayLike, labels: ArrayLike) -> Property:
    label = properties.of("label", np.asarray(labels))
    if len(label.codes) != len(np.asarray(embeddings)):
        raise BadRequest(
            f"There are {len(np.asarray(embeddings))} embeddings and {len(label.codes)} labels.",
            "Give one label for each embedding.",
        )
    if label.problem:
        raise BadRequest(label.problem, "Give at least two values, one of them twice or more.")
    return label


def _distribution(values: ArrayLike) -> F64:
    x = np.asarray(values, np.float64).ravel()
    if not x.size or not np.isfinite(x).all() or x.min() < 0:
        raise BadRequest("Values of a map are negative or not finite.", "Give numbers from 0 up.")
    if not x.sum():
        raise BadRequest("A map is zero everywhere, so it is no distribution.")
    return np.asarray(x / x.sum())
