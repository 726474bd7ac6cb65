"""One picture of both modalities: a joint UMAP of images and texts (section 3.5).

Both are laid out in one fit, since two fits would make the distance between the clouds
meaningless. The picture does not keep distances; the numbers of
:mod:`backend.gap.measures` do. The same seed gives the same picture.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from backend import umaps
from backend.errors import BadRequest
from backend.gap.pairs import Pairs, check
from backend.protocols import F32, I64

SHOWN: Final = 250
NEIGHBOURS: Final = 15
MIN_DIST: Final = 0.1
FEWEST: Final = 8


@dataclass(frozen=True, slots=True)
class JointMap:
    """Places of some pairs in the plane.

    Attributes:
        rows: (m,) which pairs; images, texts: (m, 2) their places.
        seed: of the sample and the layout.
    """

    rows: I64
    images: F32
    texts: F32
    seed: int


def sample(n: int, count: int = SHOWN, seed: int = 0) -> I64:
    """Rows of ``count`` pairs drawn without replacement, sorted; all of them where n is less.

    Raises:
        BadRequest: the count or the seed is out of range.
    """
    if count < min(FEWEST, n) or seed < 0:
        raise BadRequest(
            f"{count} pairs with seed {seed} cannot be drawn.",
            f"Allowed are {FEWEST} pairs or more and seeds from 0.",
        )
    if count >= n:
        return np.arange(n)
    return np.sort(np.random.default_rng(seed).choice(n, count, replace=False))


def joint_map(
    images: NDArray[Any],
    texts: NDArray[Any],
    *,
    count: int = SHOWN,
    neighbours: int = NEIGHBOURS,
    min_dist: float = MIN_DIST,
    seed: int = 0,
    normalise: bool = False,
) -> JointMap:
    """Places of drawn pairs in one picture.

    Args:
        images, texts: (n, d) pairs, n from 8.
        count: how many pairs are shown.
        neighbours, min_dist: UMAP's; 2 to 200 and 0 to 0.99.
        seed: of the sample and the layout.

    Raises:
        BadRequest: an argument is not usable.
    """
    pairs = check(images, texts, normalise)
    if len(pairs) < FEWEST:
        raise BadRequest(
            f"{len(pairs)} pairs cannot be laid out in a plane.", f"Give at least {FEWEST}."
        )
    if not 2 <= neighbours <= 200 or not 0 <= min_dist <= 0.99:
        raise BadRequest(
            f"{neighbours} neighbours with a least distance of {min_dist:g} are out of range.",
            "Allowed are 2 to 200 neighbours and distances from 0 to 0.99.",
        )
    rows = sample(len(pairs), count, seed)
    xy = _laid_out(pairs.take(rows), neighbours, min_dist, seed)
    return JointMap(rows, xy[: len(rows)], xy[len(rows) :], seed)


def _laid_out(pairs: Pairs, neighbours: int, min_dist: float, seed: int) -> F32:
    """(2m, 2): images first, then texts."""
    both = np.concatenate(pairs.block(0, len(pairs)))
    layout = umaps.layout(
        n_neighbors=min(neighbours, len(both) - 1),
        min_dist=min_dist,
        metric="cosine",
        random_state=seed,
        n_jobs=1,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about its own parameters and about threads
        xy: F32 = np.asarray(layout.fit_transform(both), np.float32)
    return xy
