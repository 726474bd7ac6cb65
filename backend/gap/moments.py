"""Sums over pairs that the exact measures need, gathered in one pass through the blocks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from backend.gap.pairs import Pairs
from backend.protocols import F32

F64 = NDArray[np.float64]
GROUPS: Final = 10
FOLDS: Final = 5
WIDE: Final = 1_024  # above this dimension 5 groups do, so that their matrices stay small
RIDGE: Final = 1e-3


@dataclass(frozen=True, slots=True)
class Draws:
    """Sums over the pairs with the weights of B draws (Poisson(1), independent by pair).

    Attributes:
        counts, squares: (B,) sum of weights and of squared weights.
        images, texts: (B, d) weighted sums of rows.
        cosines, gaps: (B,) weighted sums over pairs; ``square_cosines`` with squared weights.
    """

    counts: F64
    squares: F64
    images: F64
    texts: F64
    cosines: F64
    square_cosines: F64
    gaps: F64


@dataclass(frozen=True, slots=True)
class Moments:
    """Sums by modality (0 images, 1 texts) and group g of pairs.

    Attributes:
        group: (n,) which group each pair is in, drawn at random, all of about the same size.
        counts: (G,) pairs in each.
        sums: (2, G, d); grams: (2, G, d, d) sums of rows and of their outer products.
        cosines, gaps: (n,) of matched pairs.
        draws: weighted sums for the intervals.
    """

    group: NDArray[np.int8]
    counts: F64
    sums: F64
    grams: F64
    cosines: F32
    gaps: F32
    draws: Draws

    @property
    def bootstrap(self) -> int:
        """Number of draws B."""
        return len(self.draws.counts)

    def total(self, modality: int, without: int = -1) -> tuple[float, F64, F64]:
        """Count, sum (d,) and sum of outer products (d, d) over all groups but one."""
        keep = np.arange(len(self.counts)) != without
        grams = self.grams[modality]
        gram = grams[keep].sum(axis=0)
        return float(self.counts[keep].sum()), self.sums[modality][keep].sum(axis=0), gram


def gather(
    pairs: Pairs, bootstrap: int, seed: int, progress: Callable[[int, int], None] | None = None
) -> Moments:
    """One pass over the pairs."""
    n, d = len(pairs), pairs.width
    groups = min(GROUPS if d <= WIDE and n >= GROUPS else FOLDS, n)
    group = (np.random.default_rng(seed).permutation(n) % groups).astype(np.int8)
    sums, grams = np.zeros((2, groups, d)), np.zeros((2, groups, d, d))
    cosines, gaps = np.empty(n, np.float32), np.empty(n, np.float32)
    held = _empty_draws(bootstrap, d)
    weigh = np.random.default_rng([seed, 1])
    for start, images, texts in pairs.blocks():
        rows = slice(start, start + len(images))
        cosines[rows] = np.einsum("nd,nd->n", images, texts)
        gaps[rows] = np.sqrt(np.einsum("nd,nd->n", images - texts, images - texts))
        for modality, block in enumerate((images, texts)):
            for g in range(groups):
                mine = block[group[rows] == g].astype(np.float64)
                sums[modality, g] += mine.sum(axis=0)
                grams[modality, g] += mine.T @ mine
        if bootstrap:
            weights = weigh.poisson(1.0, (bootstrap, len(images))).astype(np.float32)
            _add(held, weights, images, texts, cosines[rows], gaps[rows])
        if progress:
            progress(min(rows.stop, n), n)
    counts = np.bincount(group, minlength=groups).astype(np.float64)
    return Moments(group, counts, sums, grams, cosines, gaps, held)


def separated(pairs: Pairs, held: Moments) -> F32:
    """(n,) how much of each pair a linear discriminant of the other folds tells apart: 0, a half
    or 1; what lies exactly on the border counts half.
    """
    folds = min(FOLDS, len(held.counts))
    directions = [_discriminant(held, fold, folds) for fold in range(folds)]
    right = np.empty(len(pairs), np.float32)
    for start, images, texts in pairs.blocks():
        rows = slice(start, start + len(images))
        for fold, (direction, border) in enumerate(directions):
            mine = held.group[rows] % folds == fold
            of_images = np.sign(images[mine] @ direction - border)
            of_texts = np.sign(texts[mine] @ direction - border)
            right[rows][mine] = (2 + of_images - of_texts) / 4
    return right


def _discriminant(held: Moments, fold: int, folds: int) -> tuple[F64, float]:
    """Direction (d,) and border of Fisher's discriminant, trained without one fold."""
    keep = np.arange(len(held.counts)) % folds != fold
    n = held.counts[keep].sum()
    means = held.sums[:, keep].sum(axis=1) / n
    scatter = held.grams[:, keep].sum(axis=(0, 1)) / n - means.T @ means
    d = len(scatter)
    ridge = RIDGE * np.trace(scatter) / d + 1e-9
    direction = np.linalg.solve(scatter + ridge * np.eye(d), means[0] - means[1])
    return direction, float(direction @ (means[0] + means[1]) / 2)


def effective_rank(count: float, total: F64, gram: F64) -> float:
    """exp of the entropy of the centred rows' singular values over their sum; 1 for one point."""
    mean = total / count
    values = np.linalg.eigvalsh(gram / count - np.outer(mean, mean))
    values[values < values.max() * 1e-12] = 0
    shares = np.sqrt(values)
    if shares.sum() < 1e-9:
        return 1.0
    shares = shares[shares > 0] / shares.sum()
    return float(np.exp(-(shares * np.log(shares)).sum()))


def rank_error(held: Moments, modality: int) -> float:
    """Standard error of the effective rank: jackknife that leaves one group out at a time."""
    groups = len(held.counts)
    without = [effective_rank(*held.total(modality, g)) for g in range(groups)]
    return float(np.sqrt((groups - 1) * np.var(without)))


def drawn_means(values: NDArray[np.floating], bootstrap: int, seed: int) -> F64:
    """Means of (n,) values with Poisson(1) weights, one for each draw that has any; the same draws
    at each call."""
    weigh = np.random.default_rng([seed, 2])
    sums, counts = np.zeros(bootstrap), np.zeros(bootstrap)
    for start in range(0, len(values), 2**14):
        part = values[start : start + 2**14].astype(np.float64)
        weights = weigh.poisson(1.0, (bootstrap, len(part))).astype(np.float64)
        sums += weights @ part
        counts += weights.sum(axis=1)
    means: F64 = sums[counts > 0] / counts[counts > 0]
    return means


def _empty_draws(bootstrap: int, width: int) -> Draws:
    lines = [np.zeros(bootstrap) for _ in range(5)]
    images, texts = np.zeros((bootstrap, width)), np.zeros((bootstrap, width))
    return Draws(lines[0], lines[1], images, texts, lines[2], lines[3], lines[4])


def _add(held: Draws, weights: F32, images: F32, texts: F32, cosines: F32, gaps: F32) -> None:
    """Adds one block, in place; weights (B, b)."""
    squares = weights**2
    held.counts[:] += weights.sum(axis=1)
    held.squares[:] += squares.sum(axis=1)
    held.images[:] += weights @ images
    held.texts[:] += weights @ texts
    held.cosines[:] += weights @ cosines
    held.square_cosines[:] += squares @ cosines
    held.gaps[:] += weights @ gaps
