"""How far attributions can be trusted: do their changes go with measured changes of success?

Source: Advancing Vision Intelligence (dissertation, 2024), section 3.5, algorithms 1 to 4. Where it
is silent: pairs are control and best treatment of one experiment (B.6.4); besides the source's
correlation of the surrogates, that of the signed pair and the share of pairs whose attributions
point the right way are told, as multiplying by the sign takes the direction out of the first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from backend.errors import BadRequest

F64 = NDArray[np.float64]
TextArm = tuple[Sequence[str], ArrayLike, float]
"""Tokens, their attributions, and the success rate of one arm."""
ImageArm = tuple[ArrayLike, ArrayLike, float]
"""Feature map (h, w, z), attributions (m, n), and the success rate of one arm."""
BagArm = tuple[Mapping[str, float], float]
"""Attribution by element, and the success rate of one arm."""

DRAWS: Final = 2000  # of the bootstrap and of the permutation null
FEWEST_PAIRS: Final = 30  # below, a trust score would be a guess
THRESHOLD: Final = 0.8  # best cosine similarity below which a place has no match
MOST_PIXELS: Final = 5_000_000  # larger pictures are left out (section 3.6.3)


@dataclass(frozen=True, slots=True)
class Correlation:
    """Algorithm 1 to 3 over pairs; ``None`` where undefined (fewer than two, or no variance).

    Attributes:
        rho: Pearson's of (d_C, d_Y), the source's number.
        rho_signed: Pearson's of the changes from the first to the second arm, signs kept.
        share_positive: of pairs whose success and attribution differ, those with d_C > 0.
        n: pairs; interval: 95 %, bootstrap over pairs.
        p_null: how often shuffled d_Y reach this rho, one-sided.
    """

    rho: float | None
    rho_signed: float | None
    share_positive: float | None
    n: int
    interval: tuple[float, float] | None
    p_null: float | None


@dataclass(frozen=True, slots=True)
class Trust:
    """A trust score in percent, or ``None``, and the sentence that says what it means."""

    score: float | None
    sentence: str
    correlation: Correlation


@dataclass(frozen=True, slots=True, eq=False)
class Changes:
    """What each pair contributes, all (n,) float64.

    Attributes:
        gained: attribution of what only the second arm has less that of what only the first has.
        success: of the second arm less that of the first.
    """

    gained: F64
    success: F64

    @property
    def d_c(self) -> F64:
        """sign(Y' - Y) times the gained attribution."""
        return np.asarray(np.sign(self.success) * self.gained)

    @property
    def d_y(self) -> F64:
        """|Y' - Y|."""
        return np.abs(self.success)


def text_change(first: TextArm, second: TextArm) -> tuple[float, float]:
    """Algorithm 2 of one pair: (gained attribution, change of success).

    Raises:
        BadRequest: an arm has not one attribution a token.
    """
    sums = []
    common = set(first[0]) & set(second[0])
    for tokens, given, _ in (first, second):
        values = np.asarray(given, np.float64).ravel()
        if len(values) != len(tokens):
            raise BadRequest(
                f"{len(tokens)} tokens have {len(values)} attributions.", "Give one each."
            )
        is_own = np.array([token not in common for token in tokens], bool)
        sums.append(float(values[is_own].sum()))
    return sums[1] - sums[0], float(second[2]) - float(first[2])


def image_masks(
    first: ArrayLike, second: ArrayLike, threshold: float = THRESHOLD
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Algorithm 3's masks (h, w) of both arms: True where a place has no match in the other.

    Places of zero features match nothing but each other.

    Raises:
        BadRequest: the maps have another depth, or the threshold is not in [-1, 1].
    """
    a, b = np.asarray(first, np.float64), np.asarray(second, np.float64)
    if a.ndim != 3 or b.ndim != 3 or a.shape[2] != b.shape[2]:
        raise BadRequest(
            f"Feature maps of shapes {a.shape} and {b.shape} do not fit.", "(h, w, z)."
        )
    if not -1 <= threshold <= 1:
        raise BadRequest(f"threshold={threshold} is not usable.", "It is a cosine, -1 to 1.")
    flat_a, flat_b = _unit(a.reshape(-1, a.shape[2])), _unit(b.reshape(-1, b.shape[2]))
    similarity = flat_a @ flat_b.T
    zero_a, zero_b = np.linalg.norm(flat_a, axis=1) == 0, np.linalg.norm(flat_b, axis=1) == 0
    similarity[np.outer(zero_a, zero_b)] = 1.0
    own_a = np.asarray(similarity.max(1) < threshold)
    own_b = np.asarray(similarity.max(0) < threshold)
    return own_a.reshape(a.shape[:2]), own_b.reshape(b.shape[:2])


def image_change(
    first: ImageArm, second: ImageArm, threshold: float = THRESHOLD
) -> tuple[float, float]:
    """Algorithm 3 of one pair: (gained attribution, change of success).

    Masks are resized to the attributions by the nearest place.
    """
    masks = image_masks(first[0], second[0], threshold)
    sums = []
    for mask, (_, given, _) in zip(masks, (first, second), strict=True):
        values = np.asarray(given, np.float64)
        sums.append(float((values * nearest(mask, values.shape)).sum()))
    return sums[1] - sums[0], float(second[2]) - float(first[2])


def bag_change(first: BagArm, second: BagArm) -> tuple[float, float]:
    """Algorithm 1 of one pair of bags of elements."""
    own = [
        sum(value for name, value in here[0].items() if name not in there[0])
        for here, there in ((first, second), (second, first))
    ]
    return own[1] - own[0], second[1] - first[1]


def nearest(mask: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    """A map (h, w) resized to (m, n) by its nearest place."""
    rows = np.arange(shape[0]) * mask.shape[0] // shape[0]
    columns = np.arange(shape[1]) * mask.shape[1] // shape[1]
    found: NDArray[Any] = mask[np.ix_(rows, columns)]
    return found


def _unit(vectors: F64) -> F64:
    norm = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: F64 = np.divide(vectors, norm, out=np.zeros_like(vectors), where=norm > 0)
    return unit


def changes(found: Sequence[tuple[float, float]]) -> Changes:
    """The changes of some pairs."""
    both = np.array(found, np.float64).reshape(-1, 2)
    return Changes(both[:, 0], both[:, 1])


def text_correlation(pairs: Sequence[tuple[TextArm, TextArm]], seed: int = 0) -> Correlation:
    """Algorithm 2. A pair is ``((tokens, attributions, success), (tokens, …, …))``."""
    return correlation(changes([text_change(a, b) for a, b in pairs]), seed)


def image_correlation(
    pairs: Sequence[tuple[ImageArm, ImageArm]], threshold: float = THRESHOLD, seed: int = 0
) -> Correlation:
    """Algorithm 3. A pair is ``((features (h, w, z), attributions (m, n), success), (…))``."""
    return correlation(changes([image_change(a, b, threshold) for a, b in pairs]), seed)


def bag_correlation(pairs: Sequence[tuple[BagArm, BagArm]], seed: int = 0) -> Correlation:
    """Algorithm 1. A pair is ``(({element: attribution}, success), (…))``."""
    return correlation(changes([bag_change(a, b) for a, b in pairs]), seed)


def pearson(a: F64, b: F64) -> float | None:
    """Pearson's correlation (3.7); ``None`` with fewer than two values or no variance."""
    if len(a) < 2 or np.ptp(a) == 0 or np.ptp(b) == 0:
        return None
    x, y = a - a.mean(), b - b.mean()
    scale = float(np.sqrt((x @ x) * (y @ y)))
    return float(np.clip(x @ y / scale, -1, 1)) if scale > 0 else None


def correlation(found: Changes, seed: int = 0) -> Correlation:
    """Everything that is told of the changes of pairs."""
    d_c, d_y = found.d_c, found.d_y
    differs = (d_y > 0) & (d_c != 0)
    share = float((d_c[differs] > 0).mean()) if differs.any() else None
    told = Correlation(
        pearson(d_c, d_y), pearson(found.gained, found.success), share, len(d_c), None, None
    )
    if told.rho is None:
        return told
    null = null_of(d_c, d_y, seed)
    p = (1 + int((null >= told.rho - 1e-12).sum())) / (1 + len(null))
    return replace(told, interval=_bootstrap(d_c, d_y, seed), p_null=p)


def null_of(d_c: F64, d_y: F64, seed: int = 0, draws: int = DRAWS) -> F64:
    """Correlations (draws,) when success is shuffled between the pairs."""
    rng = np.random.default_rng(seed)
    x, y = d_c - d_c.mean(), d_y - d_y.mean()
    shuffled = rng.permuted(np.tile(y, (draws, 1)), axis=1)
    return np.asarray(shuffled @ x / np.sqrt((x @ x) * (y @ y)))


def _bootstrap(d_c: F64, d_y: F64, seed: int) -> tuple[float, float] | None:
    rng = np.random.default_rng(seed)
    rows = rng.integers(0, len(d_c), (DRAWS, len(d_c)))
    x, y = d_c[rows], d_y[rows]
    x, y = x - x.mean(1, keepdims=True), y - y.mean(1, keepdims=True)
    scale = np.sqrt((x**2).sum(1) * (y**2).sum(1))
    usable = scale > 1e-300
    if usable.sum() < DRAWS / 2:
        return None
    drawn = (x * y).sum(1)[usable] / scale[usable]
    low, high = np.quantile(drawn, (0.025, 0.975))
    return float(low), float(high)


def pairwise_accuracy(pred: ArrayLike, truth: ArrayLike) -> float:
    """Algorithm 4: the share of distinct pairs that are ordered as measured.

    A tie is right only where both are tied. NaN with fewer than two values.

    Raises:
        BadRequest: the two have different lengths.
    """
    p, y = np.asarray(pred, np.float64).ravel(), np.asarray(truth, np.float64).ravel()
    if len(p) != len(y):
        raise BadRequest(f"{len(p)} predictions and {len(y)} measured values do not pair up.")
    if len(p) < 2:
        return float("nan")
    hits = 0
    for k in range(len(p) - 1):
        hits += int((np.sign(p[k] - p[k + 1 :]) == np.sign(y[k] - y[k + 1 :])).sum())
    return hits / (len(p) * (len(p) - 1) / 2)


def trust(found: Correlation, fewest: int = FEWEST_PAIRS) -> Trust:
    """The score: rho in percent, 0 where it is negative; none for too few pairs.

    The source shows a trust score based on this evaluation without a formula; this one is ours.
    """
    if found.n < fewest:
        told = f"Not enough pairs: {found.n} of the {fewest} that a score needs."
        return Trust(None, told, found)
    if found.rho is None:
        return Trust(None, "Undefined: attributions or success do not differ between pairs.", found)
    score = 100 * max(0.0, found.rho)
    share = "" if found.share_positive is None else f"{100 * found.share_positive:.0f} %"
    p = 1.0 if found.p_null is None else found.p_null
    chance = "less than 0.001" if p < 0.001 else f"{p:.3f}"
    told = (
        f"In {found.n} control–treatment pairs, larger gains of attribution went with larger gains "
        f"of success with ρ = {found.rho:.2f}; the direction was right in {share} of the pairs "
        "that it tells apart. "
        f"Shuffled success reaches that ρ with probability {chance}."
    )
    return Trust(score, told, found)
