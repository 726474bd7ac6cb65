"""Orbit curves as points in the plane: near each other when the model answers alike along the
orbit.

Curves are compared as they are: a curve moved along the orbit is another curve. Fixed seeds give
the same
picture again. scikit-learn and umap-learn are heavy and loaded only when their method is asked for.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from backend import umaps
from backend.errors import BadRequest
from backend.protocols import F32

F64 = NDArray[np.float64]
NEIGHBOURS: Final = 5  # for ISOMAP, UMAP and the trustworthiness
MIN_DIST: Final = 0.3
PERPLEXITY: Final = 30.0
FEWEST: Final = 3


def project(rows: F32, method: str = "pca", seed: int = 0) -> F32:
    """Points ``(n, 2)`` in [-1, 1]², both axes scaled by one factor; NaN for rows that hold NaN.

    Args:
        rows: (n, e) curves.
        method: a name of :data:`METHODS`.
        seed: of ICA, t-SNE and UMAP.

    Raises:
        BadRequest: unknown method, a seed below 0, or fewer than 3 complete rows.
    """
    if method not in METHODS:
        raise BadRequest(
            f"There is no projection {method!r}.", f"Projections are {', '.join(METHODS)}."
        )
    if not 0 <= seed < 2**32:
        raise BadRequest(f"Seed {seed} is not usable.", "Allowed are whole numbers from 0.")
    is_complete = np.isfinite(rows).all(axis=1)
    if is_complete.sum() < FEWEST:
        raise BadRequest(
            f"{is_complete.sum()} items cannot be laid out in a plane.",
            f"Select at least {FEWEST}.",
        )
    xy = np.full((len(rows), 2), np.nan)
    xy[is_complete] = _fitted(rows[is_complete].astype(np.float64), method, seed)
    return _scaled(xy)


def trustworthiness(rows: F32, xy: F32) -> float:
    """How far to trust neighbours in the picture, 0 to 1: 1 when points near in the plane are near
    as curves.

    Venna and Kaski 2001; with 5 neighbours, fewer for few items. NaN below 4 items, where it is
    not defined.
    """
    from sklearn.manifold import trustworthiness as measure

    is_there = np.isfinite(xy).all(axis=1)
    count = int(is_there.sum())
    if count < FEWEST + 1:
        return float("nan")
    neighbours = max(1, min(NEIGHBOURS, (count - 1) // 2))
    return float(measure(rows[is_there], xy[is_there], n_neighbors=neighbours))


def _fitted(rows: F64, method: str, seed: int) -> F64:
    """Coordinates of complete rows; equal rows all lie in the middle, as no method has anything to
    say.
    """
    if np.ptp(rows, axis=0).max() < 1e-12:
        return np.zeros((len(rows), 2))
    # It comes without types.
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    # One thread: the problems are small, and threads that wait for each other on a busy machine
    # made t-SNE a hundred times slower.
    with warnings.catch_warnings(), threadpool_limits(1):
        # Slow convergence, a graph in several pieces, one thread because of the seed: none is the
        # user's fault.
        warnings.simplefilter("ignore")
        return np.asarray(METHODS[method](rows, seed), np.float64)


def _scaled(xy: F64) -> F32:
    """Centred on the middle of its extent, the longer axis from -1 to 1."""
    low, high = np.nanmin(xy, axis=0), np.nanmax(xy, axis=0)
    span = (high - low).max() / 2
    points: F32 = ((xy - (low + high) / 2) / (span if span > 0 else 1.0)).astype(np.float32)
    return points


def pca(rows: F64, seed: int = 0) -> F64:
    """The two directions of largest variance, by a full singular value decomposition.

    The sign of a direction is arbitrary; the entry of largest size in each is made positive.
    """
    del seed  # there is nothing random in it
    centred = rows - rows.mean(axis=0)
    _, _, directions = np.linalg.svd(centred, full_matrices=False)
    directions = directions[:2]
    largest = np.abs(directions).argmax(axis=1)
    directions = directions * np.sign(directions[np.arange(len(directions)), largest])[:, None]
    xy = np.zeros((len(rows), 2))
    xy[:, : len(directions)] = centred @ directions.T
    return xy


def _ica(rows: F64, seed: int) -> Any:
    from sklearn.decomposition import FastICA

    # Whitening divides by each variance, so directions without any must go first.
    rank = int(np.linalg.matrix_rank(rows - rows.mean(axis=0)))
    if rank < 2:
        return pca(rows)
    return FastICA(2, whiten="unit-variance", random_state=seed, max_iter=1000).fit_transform(rows)


def _isomap(rows: F64, seed: int) -> Any:
    from sklearn.manifold import Isomap

    del seed
    return Isomap(n_components=2, n_neighbors=min(NEIGHBOURS, len(rows) - 1)).fit_transform(rows)


def _tsne(rows: F64, seed: int) -> Any:
    from sklearn.manifold import TSNE

    perplexity = min(PERPLEXITY, (len(rows) - 1) / 3)
    return TSNE(2, perplexity=perplexity, init="pca", random_state=seed).fit_transform(rows)


def _umap(rows: F64, seed: int) -> Any:
    if len(rows) < NEIGHBOURS + 1:
        return pca(rows)  # its spectral start needs more points than that
    made = umaps.layout(n_neighbors=NEIGHBOURS, min_dist=MIN_DIST, random_state=seed, n_jobs=1)
    return made.fit_transform(rows)


METHODS: Final[dict[str, Callable[[F64, int], Any]]] = {
    "pca": pca,
    "ica": _ica,
    "isomap": _isomap,
    "tsne": _tsne,
    "umap": _umap,
}
TITLES: Final = {"pca": "PCA", "ica": "ICA", "isomap": "Isomap", "tsne": "t-SNE", "umap": "UMAP"}
