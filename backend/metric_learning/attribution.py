"""Which pixels carry an embedding away from that of a black image, and how alike two models look.

Kobs 2023, "Think outside the Black Box", chapter 9: SmoothGrad (Smilkov et al. 2017,
arXiv:1706.03825) of the distance between the embeddings of an image and of a black one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from backend.errors import BadRequest
from backend.metric_learning.distances import DISTANCES, named
from backend.protocols import Progress

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
Embed = Callable[[Tensor], Tensor]

CLIP_AT: Final = 99.0  # percentile
SAMPLES, NOISE = 25, 0.15
MOST_SAMPLES: Final = 500
BATCH: Final = 32
FASTEST: Final = 16  # copies in a pass: with fewer, torch on one thread leaves its fast 1 x 1 paths
ALMOST_ONE: Final = 1 - 1e-7


def smoothgrad_distance(
    embed: Embed,
    images: F32,
    distance: str = "euclidean",
    samples: int = SAMPLES,
    noise: float = NOISE,
    seed: int = 0,
    against: F32 | None = None,
    batch: int = BATCH,
    progress: Progress | None = None,
) -> F32:
    """Attribution maps ``(n, h, w)`` in [0, 1] of images, post-processed.

    The gradient of the distance to the embedding of a black image, averaged over ``samples`` noisy
    copies; then its absolute value, the mean over the colours, clipped above its 99th percentile,
    scaled to [0, 1]. A map without any gradient is zero everywhere.

    Args:
        embed: ``(n, c, h, w)`` float32 in [0, 1] -> ``(n, d)``; must pass gradients.
        images: ``(n, c, h, w)`` in [0, 1].
        distance: one of :data:`backend.metric_learning.distances.DISTANCES`.
        noise: standard deviation of the copies' noise, as a share of the range of pixels.
        against: ``(d,)`` embedding of another image, for what makes the two near or far.

    Raises:
        BadRequest: the images have another form, an option is out of range, or ``embed`` has no
            gradient.
    """
    x, far = _checked(images, distance, samples, noise), measure(distance)
    base = _base(embed, x, against)
    total = np.zeros(x.shape, np.float64)
    rows = np.repeat(np.arange(len(x)), samples)  # every copy of every image, in full batches
    draws = np.random.default_rng(seed).standard_normal((samples, *x.shape[1:]), np.float32)
    for first in range(0, len(rows), batch):
        part = np.arange(first, min(first + batch, len(rows)))
        copies = torch.from_numpy(x[rows[part]] + noise * draws[part % samples])
        copies.requires_grad_()
        value = far(embed(copies), base).sum()
        if not value.requires_grad:
            raise BadRequest("This model passes no gradient, so nothing can be attributed.")
        (grown,) = torch.autograd.grad(value, copies)
        np.add.at(total, rows[part], np.nan_to_num(grown.numpy()))
        if progress is not None:
            progress(min(first + batch, len(rows)), len(rows))
    return np.stack([processed(one / samples) for one in total])


def smoothgrad_of_tails(
    front: Embed,
    tails: Sequence[Embed],
    distances: Sequence[str],
    images: F32,
    samples: int = SAMPLES,
    noise: float = NOISE,
    seed: int = 0,
    progress: Progress | None = None,
) -> F32:
    """The maps ``(m, n, h, w)`` of ``m`` models that share their first layers.

    As :func:`smoothgrad_distance` for each; the shared layers are passed forward only once.

    Raises:
        BadRequest: as :func:`smoothgrad_distance`.
    """
    x = _checked(images, distances[0], samples, noise)
    fars = [measure(distance) for distance in distances]
    bases = [_base(partial(_through, front, tail), x, None) for tail in tails]
    draws = np.random.default_rng(seed).standard_normal((samples, *x.shape[1:]), np.float32)
    found = np.zeros((len(tails), *x.shape[:1], *x.shape[2:]), np.float32)
    step = max(1, FASTEST // samples)
    for first in range(0, len(x), step):
        part = x[first : first + step]
        copies = torch.from_numpy((part[:, None] + noise * draws).reshape(-1, *x.shape[1:]))
        features = front(copies.requires_grad_())
        cut = features.detach().requires_grad_()
        for k, tail in enumerate(tails):
            (above,) = torch.autograd.grad(fars[k](tail(cut), bases[k]).sum(), cut)
            (grown,) = torch.autograd.grad(features, copies, above, retain_graph=True)
            each = np.nan_to_num(grown.numpy()).reshape(len(part), samples, *x.shape[1:])
            for i, gradient in enumerate(each):
                found[k, first + i] = processed(gradient.mean(axis=0, dtype=np.float64))
        if progress is not None:
            progress(first + len(part), len(x))
    return found


def _through(front: Embed, tail: Embed, x: Tensor) -> Tensor:
    return tail(front(x))


def processed(gradient: NDArray[Any]) -> F32:
    """A gradient ``(c, h, w)`` as a map ``(h, w)``: absolute, mean of the colours, clipped above
    the 99th percentile, scaled to [0, 1]."""
    size = np.abs(np.asarray(gradient, np.float64)).mean(axis=0)
    size = np.minimum(size, np.percentile(size, CLIP_AT))
    low, high = float(size.min()), float(size.max())
    if not high > low:
        return np.zeros(size.shape, np.float32)
    return np.asarray((size - low) / (high - low), np.float32)


def measure(distance: str) -> Callable[[Tensor, Tensor], Tensor]:
    """``(n, d), (d,) -> (n,)``: the distance with a gradient.

    Raises:
        BadRequest: there is no such distance.
    """
    named(distance)
    measures: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
        "euclidean": lambda x, y: torch.linalg.vector_norm(x - y, dim=1),
        "squared_euclidean": lambda x, y: (x - y).square().sum(dim=1),
        "cosine": lambda x, y: 1 - torch.nn.functional.cosine_similarity(x, y[None], dim=1),
        "dot": lambda x, y: -(x @ y),
        "snr": lambda x, y: (x - y).var(dim=1) / x.var(dim=1),
    }
    assert measures.keys() == DISTANCES.keys()
    return measures[distance]


def pearson(first: F32, second: F32) -> F64:
    """Correlation ``(n,)`` of the maps ``(n, h, w)`` of two models; NaN where a map is constant."""
    a, b = (x.reshape(len(x), -1).astype(np.float64) for x in (first, second))
    a, b = (x - x.mean(axis=1, keepdims=True) for x in (a, b))
    size = np.sqrt((a**2).sum(axis=1) * (b**2).sum(axis=1))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(size > 0, (a * b).sum(axis=1) / size, np.nan))


def fisher_mean(r: NDArray[Any]) -> float:
    """Mean of correlations by way of Fisher's z; those that are not defined are left out."""
    known = np.asarray(r, np.float64)[np.isfinite(r)]
    if not len(known):
        return float("nan")
    return float(np.tanh(np.arctanh(np.clip(known, -ALMOST_ONE, ALMOST_ONE)).mean()))


def matrices(maps: F32) -> dict[str, F64]:
    """How alike models look: ``pearson``, ``pearson_sd``, ``jsd``, ``jsd_sd``, each ``(m, m)``.

    Args:
        maps: ``(m, n, h, w)``. Means over the images, of the correlation by Fisher's z.
    """
    m = len(maps)
    found = {name: np.zeros((m, m)) for name in ("pearson", "pearson_sd", "jsd", "jsd_sd")}
    for i in range(m):
        for j in range(i, m):
            r, d = pearson(maps[i], maps[j]), divergence(maps[i], maps[j])
            told = (fisher_mean(r), float(np.nanstd(r)), float(np.nanmean(d)), float(np.nanstd(d)))
            for name, value in zip(found, told, strict=True):
                found[name][i, j] = found[name][j, i] = value
    return found


def divergence(first: F32, second: F32) -> F64:
    """Jensen-Shannon divergence ``(n,)`` to base 2 of maps ``(n, h, w)``; NaN where one is zero."""
    p, q = (x.reshape(len(x), -1).astype(np.float64) for x in (first, second))
    sums = p.sum(axis=1) * q.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        p, q = p / p.sum(axis=1, keepdims=True), q / q.sum(axis=1, keepdims=True)
        middle = (p + q) / 2
        halves = [np.where(x > 0, x * np.log2(x / middle), 0).sum(axis=1) for x in (p, q)]
    return np.asarray(np.where(sums > 0, np.clip(sum(halves) / 2, 0, 1), np.nan))


def _checked(images: F32, distance: str, samples: int, noise: float) -> F32:
    named(distance)
    x = np.ascontiguousarray(images, np.float32)
    if x.ndim != 4 or not x.size or not np.isfinite(x).all():
        raise BadRequest(
            f"The images have the shape {x.shape} or are not finite.",
            "Give (n, c, h, w) in [0, 1].",
        )
    if not 1 <= samples <= MOST_SAMPLES:
        raise BadRequest(f"{samples} samples are out of range.", f"Give 1 to {MOST_SAMPLES}.")
    if not 0 <= noise <= 1:
        raise BadRequest(f"A noise of {noise} is out of range.", "Give 0 to 1.")
    return x


def _base(embed: Embed, x: F32, against: F32 | None) -> Tensor:
    if against is not None:
        return torch.from_numpy(np.asarray(against, np.float32))
    with torch.no_grad():
        return embed(torch.zeros(1, *x.shape[1:]))[0]
