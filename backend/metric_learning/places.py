"""Two coordinates for every embedding: PCA, UMAP, t-SNE, and how many neighbours they keep."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from backend import umaps

F32 = NDArray[np.float32]

METHODS: Final = {"umap": "UMAP", "tsne": "t-SNE", "pca": "PCA"}
NEIGHBOURS: Final = 15
SEED: Final = 0


def places(x: F32, methods: tuple[str, ...] = tuple(METHODS)) -> dict[str, F32]:
    """``(n, 2)`` for each method, centred and scaled to [-1, 1]."""
    made = {"umap": _umap, "tsne": _tsne, "pca": _pca}
    return {name: _scaled(made[name](np.asarray(x, np.float32))) for name in methods}


def kept(x: F32, xy: F32, neighbours: int = NEIGHBOURS) -> float:
    """Share of each item's nearest neighbours that are also nearest on the plane, in [0, 1]."""
    from sklearn.neighbors import NearestNeighbors

    near = [
        NearestNeighbors(n_neighbors=neighbours).fit(y).kneighbors(return_distance=False)
        for y in (x, xy)
    ]
    both = [len(np.intersect1d(a, b)) for a, b in zip(*near, strict=True)]
    return float(np.mean(both)) / neighbours


def _pca(x: F32) -> F32:
    centred = x - x.mean(axis=0)
    left, size, _ = np.linalg.svd(centred, full_matrices=False)
    return np.asarray(left[:, :2] * size[:2], np.float32)


def _umap(x: F32) -> F32:
    if len(x) <= NEIGHBOURS + 1:
        return _pca(x)  # its spectral start needs more points than that
    made = umaps.layout(n_neighbors=NEIGHBOURS, min_dist=0.1, random_state=SEED, n_jobs=1)
    return np.asarray(made.fit_transform(x), np.float32)


def _tsne(x: F32) -> F32:
    from sklearn.manifold import TSNE

    made = TSNE(perplexity=min(30, (len(x) - 1) / 3), init="pca", random_state=SEED, n_jobs=1)
    return np.asarray(made.fit_transform(x), np.float32)


def _scaled(xy: F32) -> F32:
    low, high = xy.min(axis=0), xy.max(axis=0)
    size = float((high - low).max()) or 1.0
    return np.asarray((xy - (low + high) / 2) * (2 / size), np.float32)
