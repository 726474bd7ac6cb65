"""Exact numbers about pairs in one space: gap, alignment, uniformity, separability, rank.

Alignment and uniformity after section 4.6.2 of Z. Zhao's dissertation (2024, eq. 4.12), the
centroid gap after Liang et al. 2022, "Mind the Gap" (arXiv:2203.02053). All of it is computed in
blocks: beside the inputs it takes well under 1 GiB.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from backend.errors import BadRequest
from backend.gap import moments
from backend.gap.pairs import Pairs, check
from backend.protocols import F32, JSON

F64 = NDArray[np.float64]
EXACT_PAIRS: Final = 50_000
SAMPLED_PAIRS: Final = 20_000
BOOTSTRAP: Final = 200
MOST_BOOTSTRAP: Final = 10_000
LEVEL: Final = 0.95
SQUARE: Final = 2_048  # side of a block of the matrix of all pairs
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class GapReport:
    """What :func:`measure` finds about n pairs.

    Attributes:
        n, width: number of pairs, dimension d of the space.
        centroid_gap: distance of the mean image from the mean text, 0 to 2.
        alignment: S_A, the mean cosine of matched pairs; the same as ``matched_cosine``.
        uniformity: S_U, the log of the mean of exp(-cosine) over unmatched pairs, -1 to 1. Near 0
            means that an image and a text of another pair are about orthogonal; the more negative,
            the more alike they are.
        matched_cosine, unmatched_cosine: mean cosine of an image with its own text, and with
            another pair's text.
        mean_pair_gap, median_pair_gap: of the distances of an image from its own text, 0 to 2.
        separability: share of embeddings that a linear discriminant trained on other pairs puts on
            the right side of image or text, 5 folds; 0.5 means it cannot tell them apart.
        effective_rank_images, effective_rank_texts: exp of the entropy of the singular values of
            the centred rows, divided by their sum (Roy and Vetterli 2007), 1 to d.
        uniformity_pairs: how many unmatched pairs ``uniformity`` was computed from;
            ``is_uniformity_exact`` says whether that is all of them.
        intervals: 95 % interval of each of the numbers above. Pairs are drawn anew (Poisson
            bootstrap, percentiles; for the centroid gap less the length that drawing adds); for
            uniformity the first-order term of that, for the effective ranks a jackknife over tenths
            of the pairs. Empty without bootstrap.
        bootstrap, seed: number of draws and seed.
        pair_gaps: (n,) distance of each image from its own text.
    """

    n: int
    width: int
    centroid_gap: float
    alignment: float
    uniformity: float
    matched_cosine: float
    unmatched_cosine: float
    mean_pair_gap: float
    median_pair_gap: float
    separability: float
    effective_rank_images: float
    effective_rank_texts: float
    uniformity_pairs: int
    is_uniformity_exact: bool
    intervals: Mapping[str, tuple[float, float]]
    bootstrap: int
    seed: int
    pair_gaps: F32 = field(repr=False)

    @property
    def margin(self) -> float:
        """Matched minus unmatched mean cosine: what retrieval lives on."""
        return self.matched_cosine - self.unmatched_cosine

    def document(self) -> dict[str, JSON]:
        """Everything but the distances of single pairs, as JSON."""
        skipped = ("pair_gaps", "intervals")
        found: dict[str, JSON] = {
            name: getattr(self, name) for name in self.__slots__ if name not in skipped
        }
        found["margin"] = self.margin
        found["intervals_95"] = {
            name: {"low": low, "high": high} for name, (low, high) in self.intervals.items()
        }
        return found


def measure(
    images: NDArray[Any],
    texts: NDArray[Any],
    *,
    normalise: bool = False,
    bootstrap: int = BOOTSTRAP,
    seed: int = 0,
    progress: Progress | None = None,
) -> GapReport:
    """How far apart images and texts lie, with 95 % intervals.

    Args:
        images, texts: (n, d) real numbers, row j of both the same pair, rows of length 1.
        normalise: rows may have any length; each is scaled to length 1 first.
        bootstrap: draws for the intervals; 0 leaves them out.
        seed: of the draws, the folds and, above 50,000 pairs, the sample for the uniformity.
        progress: is told (done, total) rows as the work goes on.

    Raises:
        BadRequest: the arrays are not usable (see :func:`backend.gap.pairs.check`), or an option
            is out of range.
    """
    if not 0 <= bootstrap <= MOST_BOOTSTRAP:
        raise BadRequest(
            f"{bootstrap} bootstrap draws cannot be made.", f"Allowed are 0 to {MOST_BOOTSTRAP}."
        )
    if seed < 0:
        raise BadRequest(f"Seed {seed} is not usable.", "Allowed are whole numbers from 0.")
    pairs = check(images, texts, normalise)
    held = moments.gather(pairs, bootstrap, seed, progress)
    right = moments.separated(pairs, held)
    spread = uniformity(pairs, seed, progress=progress)
    found = _numbers(held, right, spread)
    intervals = _intervals(held, right, spread, found, seed) if bootstrap else {}
    return GapReport(
        n=len(pairs),
        width=pairs.width,
        **found,
        uniformity_pairs=len(spread.means) * (len(spread.means) - 1),
        is_uniformity_exact=len(spread.means) == len(pairs),
        intervals=intervals,
        bootstrap=bootstrap,
        seed=seed,
        pair_gaps=held.gaps,
    )


@dataclass(frozen=True, slots=True)
class Uniformity:
    """``value`` is S_U; ``means`` (m,) the mean of exp(-cosine) over the unmatched pairs that each
    of the m pairs takes part in, whose mean is exp(S_U)."""

    value: float
    means: F64


def uniformity(
    pairs: Pairs,
    seed: int = 0,
    most: int = EXACT_PAIRS,
    sampled: int = SAMPLED_PAIRS,
    progress: Progress | None = None,
) -> Uniformity:
    """S_U of eq. 4.12: over all n (n - 1) unmatched pairs while n is at most ``most``, else over
    those of ``sampled`` pairs drawn without replacement.
    """
    if len(pairs) > most:
        drawn = np.random.default_rng(seed).choice(len(pairs), min(sampled, most), replace=False)
        pairs = pairs.take(np.sort(drawn))
    n = len(pairs)
    by_image, by_text, own = np.zeros(n), np.zeros(n), np.zeros(n)
    for i, images, own_texts in pairs.blocks(SQUARE):
        rows = slice(i, i + len(images))
        own[rows] = np.exp(-np.einsum("nd,nd->n", images, own_texts))
        for k, _, texts in pairs.blocks(SQUARE):
            far = np.exp(-(images @ texts.T))
            by_image[rows] += far.sum(axis=1, dtype=np.float64)
            by_text[k : k + len(texts)] += far.sum(axis=0, dtype=np.float64)
        if progress:
            progress(rows.stop, n)
    means = (by_image + by_text - 2 * own) / (2 * (n - 1))
    return Uniformity(float(np.log(means.mean())), means)


def _numbers(held: moments.Moments, right: F32, spread: Uniformity) -> dict[str, float]:
    n = len(held.cosines)
    sum_images, sum_texts = held.sums[0].sum(axis=0), held.sums[1].sum(axis=0)
    matched = float(held.cosines.mean(dtype=np.float64))
    return {
        "centroid_gap": float(np.linalg.norm(sum_images - sum_texts) / n),
        "alignment": matched,
        "uniformity": spread.value,
        "matched_cosine": matched,
        "unmatched_cosine": float((sum_images @ sum_texts - n * matched) / (n * (n - 1))),
        "mean_pair_gap": float(held.gaps.mean(dtype=np.float64)),
        "median_pair_gap": float(np.median(held.gaps)),
        "separability": float(right.mean(dtype=np.float64)),
        "effective_rank_images": moments.effective_rank(*held.total(0)),
        "effective_rank_texts": moments.effective_rank(*held.total(1)),
    }


def _intervals(
    held: moments.Moments, right: F32, spread: Uniformity, found: dict[str, float], seed: int
) -> dict[str, tuple[float, float]]:
    drawn = held.draws
    is_used = (drawn.counts > 0) & (drawn.counts**2 > drawn.squares)  # two pairs or more drawn
    counts, squares = drawn.counts[is_used], drawn.squares[is_used]
    images, texts = drawn.images[is_used], drawn.texts[is_used]
    matched = drawn.cosines[is_used] / counts
    across = np.einsum("bd,bd->b", images, texts) - drawn.square_cosines[is_used]
    again = moments.drawn_means(spread.means, held.bootstrap, seed)
    mean = float(np.exp(spread.value))
    replicates = {
        "centroid_gap": _unbiased(
            np.linalg.norm(images - texts, axis=1) / counts, found["centroid_gap"]
        ),
        "alignment": matched,
        "matched_cosine": matched,
        "unmatched_cosine": across / (counts**2 - squares),
        "mean_pair_gap": drawn.gaps[is_used] / counts,
        "separability": moments.drawn_means(right, held.bootstrap, seed),
        "uniformity": np.log(np.maximum(mean + 2 * (again - mean), 1e-300)),
    }
    ends = [(1 - LEVEL) / 2, (1 + LEVEL) / 2]
    intervals = {}
    for name, values in replicates.items():
        if len(values):
            low, high = np.quantile(values, ends)
            intervals[name] = (float(low), float(high))
    for number, name in enumerate(("effective_rank_images", "effective_rank_texts")):
        half = 1.96 * moments.rank_error(held, number)
        intervals[name] = (max(1.0, found[name] - half), found[name] + half)
    intervals["median_pair_gap"] = _median_interval(held.gaps)
    return intervals


def _unbiased(drawn: F64, found: float) -> F64:
    """Lengths of a mean vector over draws, less what drawing alone adds to their squares: noise in
    every direction makes a short vector longer, so that its own length could lie outside.
    """
    squares = drawn**2
    added = squares.mean() - found**2 if len(drawn) else 0.0
    lengths: F64 = np.sqrt(np.maximum(squares - max(0.0, added), 0.0))
    return lengths


def _median_interval(gaps: F32) -> tuple[float, float]:
    """The order statistics between which the median lies with 95 % (binomial, no drawing)."""
    n = len(gaps)
    half = 1.96 * np.sqrt(n) / 2
    low, high = max(0, int(np.floor(n / 2 - half))), min(n - 1, int(np.ceil(n / 2 + half)))
    ordered = np.partition(gaps, (low, high))
    return float(ordered[low]), float(ordered[high])
