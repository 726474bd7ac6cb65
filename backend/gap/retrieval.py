"""What pairs are good for: retrieval both ways, zero-shot classes, a linear probe, CLIP's loss.

Procedures of section 3.7 of the specification after the RankCLIP chapter of Z. Zhao's dissertation
(2024). Whoever scores as high as the right answer is counted before it, so that embeddings that
have collapsed to one point find nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from backend.errors import BadRequest
from backend.gap.pairs import check_rows, matrix, unit_rows
from backend.protocols import F32, I64

BLOCK: Final = 1_024
TOPS: Final = (1, 5, 10)


@dataclass(frozen=True, slots=True)
class Scores:
    """Shares in [0, 1] by the K of "among the first K"; ``ranks`` (q,) are those of the first
    right answer of each query, from 0."""

    at: Mapping[int, float]
    ranks: I64


def recall_at(
    queries: NDArray[Any],
    pool: NDArray[Any],
    tops: Sequence[int] = TOPS,
    query_groups: NDArray[Any] | None = None,
    pool_groups: NDArray[Any] | None = None,
) -> Scores:
    """How often a right answer is among the first K of the pool by cosine.

    Args:
        queries: (q, d); pool: (p, d); real numbers, rows of any length but 0.
        tops: the values of K, 1 to p.
        query_groups, pool_groups: (q,), (p,): an item of the pool is right when its group is the
            query's, for captions that belong to one image or pictures of one thing. Without them
            row j of both belongs together.

    Raises:
        BadRequest: arrays are not usable, K is out of range, or a query has no right answer.
    """
    queries, pool = _spaces(queries, pool)
    own, right = _groups(len(queries), len(pool), query_groups, pool_groups)
    for k in tops:
        if not 1 <= k <= len(pool):
            raise BadRequest(f"K = {k} is out of range.", f"Allowed are 1 to {len(pool):,}.")
    ranks = np.empty(len(queries), np.int64)
    for start in range(0, len(queries), BLOCK):
        rows = slice(start, start + BLOCK)
        cosines = unit_rows(queries[rows]) @ unit_rows(pool).T
        ranks[rows] = first_right(cosines, own[rows, None] == right[None, :], start)
    return Scores({k: float((ranks < k).mean()) for k in tops}, ranks)


def first_right(cosines: F32, is_right: NDArray[np.bool_], first: int = 0) -> I64:
    """(q,) how many wrong items score at least as high as the best right one.

    Args:
        cosines, is_right: (q, p).
        first: number of the first query, for the message.

    Raises:
        BadRequest: a query has no right item.
    """
    lacks = ~is_right.any(axis=1)
    if lacks.any():
        raise BadRequest(
            f"Query {first + int(np.argmax(lacks))} has no right answer in the pool.",
            "Each query's group must occur in the pool.",
        )
    best = np.where(is_right, cosines, -np.inf).max(axis=1, keepdims=True)
    ranks: I64 = ((cosines >= best) & ~is_right).sum(axis=1)
    return ranks


def zero_shot(
    images: NDArray[Any],
    labels: NDArray[Any],
    classes: NDArray[Any],
    tops: Sequence[int] = (1, 3, 5),
) -> Scores:
    """How often an image's class is among the K whose text is nearest by cosine.

    Args:
        images: (n, d); labels: (n,) whole numbers, the image's class.
        classes: (c, d) a text embedding for each class, or (c, t, d) with t prompts each, which are
            scaled to length 1 and averaged.
        tops: the values of K; those above c are left out.

    Raises:
        BadRequest: arrays are not usable, or a label names no class.
    """
    prompts = np.asarray(classes)
    if prompts.ndim == 3 and prompts.shape[1]:
        flat = prompts.reshape(-1, prompts.shape[2])
        check_rows(matrix(flat, "class prompts"), "class prompts", normalise=True)
        prompts = unit_rows(flat).reshape(prompts.shape).mean(axis=1)
    labels = np.asarray(labels)
    if labels.shape != (len(images),) or labels.dtype.kind not in "iu":
        raise BadRequest(
            f"Labels of shape {labels.shape} and type {labels.dtype} are no classes of "
            f"{len(images):,} images.",
            "Give one whole number an image.",
        )
    if len(labels) and not 0 <= labels.min() <= labels.max() < len(prompts):
        raise BadRequest(
            f"Label {int(labels.max() if labels.min() >= 0 else labels.min())} names no class.",
            f"Allowed are 0 to {len(prompts) - 1}.",
        )
    tops = [k for k in tops if k <= len(prompts)]
    return recall_at(images, prompts, tops, labels, np.arange(len(prompts)))


def linear_probe(
    train: NDArray[Any], train_labels: NDArray[Any], test: NDArray[Any], test_labels: NDArray[Any]
) -> float:
    """Accuracy, in [0, 1], of a logistic regression on frozen embeddings (n, d).

    Raises:
        BadRequest: the training labels name one class only.
    """
    from sklearn.linear_model import LogisticRegression

    if len(np.unique(train_labels)) < 2:
        raise BadRequest("A probe needs examples of two classes or more.")
    probe = LogisticRegression(max_iter=1_000)
    probe.fit(unit_rows(train), train_labels)
    return float(probe.score(unit_rows(test), test_labels))


def contrastive_loss(
    images: F32, texts: F32, temperature: float = 0.01, batch: int = BLOCK
) -> float:
    """CLIP's loss (eq. 4.2), the mean over consecutive batches of pairs; rows of length 1.

    The loss depends on the batch, so compare only values of one batch size. Pairs after the last
    whole batch are left out, unless there is no whole one.
    """
    n = len(images)
    batch = min(batch, n)
    losses = []
    for start in range(0, n - batch + 1, batch):
        rows = slice(start, start + batch)
        losses.append(batch_loss(images[rows] @ texts[rows].T, temperature))
    return float(np.mean(losses))


def batch_loss(cosines: F32, temperature: float) -> float:
    """CLIP's loss of one batch from its cosines (b, b)."""
    logits = cosines / np.float32(temperature)
    own = np.einsum("ii->i", logits)
    total = 0.0
    for axis in (0, 1):
        top = logits.max(axis=axis, keepdims=True)
        tails = np.log(np.exp(logits - top).sum(axis=axis)) + top.squeeze(axis)
        total += float((tails - own).mean(dtype=np.float64))
    return total / 2


def _spaces(queries: NDArray[Any], pool: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    queries, pool = matrix(queries, "queries"), matrix(pool, "pool")
    if not len(queries) or not len(pool):
        raise BadRequest(f"{len(queries)} queries in a pool of {len(pool)} find nothing.")
    if queries.shape[1] != pool.shape[1]:
        raise BadRequest(
            f"Queries have {queries.shape[1]} dimensions and the pool {pool.shape[1]}.",
            "Both must lie in one space.",
        )
    check_rows(queries, "queries", normalise=True)
    check_rows(pool, "pool", normalise=True)
    return queries, pool


def _groups(
    queries: int,
    pool: int,
    query_groups: NDArray[Any] | None,
    pool_groups: NDArray[Any] | None,
) -> tuple[NDArray[Any], NDArray[Any]]:
    if query_groups is None and pool_groups is None:
        if queries != pool:
            raise BadRequest(
                f"There are {queries:,} queries and {pool:,} items in the pool.",
                "Equal counts are pairs; otherwise give the groups of both.",
            )
        return np.arange(queries), np.arange(pool)
    own, right = np.asarray(query_groups), np.asarray(pool_groups)
    if own.shape != (queries,) or right.shape != (pool,):
        raise BadRequest(
            f"Groups of shapes {own.shape} and {right.shape} do not fit {queries:,} queries and a "
            f"pool of {pool:,}.",
            "Give one group for each.",
        )
    return own, right
