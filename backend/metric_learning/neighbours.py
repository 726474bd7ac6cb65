"""One pass over all distances that serves every property at once; memory is O(n x block)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from backend.errors import BadRequest
from backend.metric_learning.distances import Pairs
from backend.metric_learning.properties import Property
from backend.protocols import Progress

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

Ties = Literal["index", "expected"]
TIES: Final = get_args(Ties)


def hits(
    held: Pairs,
    properties: Sequence[Property],
    ties: Ties = "index",
    progress: Progress | None = None,
) -> F64:
    """Same-valued images among the ``R`` nearest of each query: ``(k, n)`` for ``k`` properties.

    ``R`` is the number of other images with the query's value (Kobs 2023, section 7.1.2); 0 where
    there is none.

    Args:
        ties: of images exactly as far as the last of the ``R``, those that come first in the table
            count (``index``), or all in proportion (``expected``: the mean over random orders).

    Raises:
        BadRequest: ``ties`` is neither.
    """
    from backend.metric_learning import kernels  # compiled code is loaded by those who count only

    if ties not in TIES:
        raise BadRequest(f"Ties {str(ties)[:80]!r} is not known.", f"Allowed: {', '.join(TIES)}.")
    codes, members, starts = _by_value(properties)
    out = np.zeros((len(properties), len(held)))
    for block in held.blocks():
        found = np.zeros((len(properties), block.stop - block.start))
        row = held.order(block)
        kernels.hits_of(row, block.start, codes, members, starts, ties == "expected", found)
        out[:, block] = found
        if progress is not None:
            progress(block.stop, len(held))
    return out


def precisions(held: Pairs, classes: Property) -> tuple[F64, F64]:
    """MAP@R and precision@1 ``(n,)`` of each query, ties by index; 0 where ``R`` is 0."""
    from backend.metric_learning import kernels

    codes = classes.codes.astype(np.int32)
    at_r, at_1 = np.zeros(len(held)), np.zeros(len(held))
    for block in held.blocks():
        rows = held.order(block)
        kernels.precisions(rows, block.start, codes, classes.counts, at_r[block], at_1[block])
    return at_r, at_1


def shuffled_hits(
    held: Pairs,
    classes: Property,
    permutations: int,
    seed: int,
    progress: Progress | None = None,
) -> F64:
    """Sums of hits ``(v, p)`` by the query's value, for ``p`` shufflings of one property's labels.

    The embeddings stay as they are. Ties by index.
    """
    from backend.metric_learning import kernels

    rng = np.random.default_rng(seed)
    n, v = len(held), len(classes.values)
    shuffled = np.stack([rng.permutation(classes.codes) for _ in range(permutations)])
    shuffled = shuffled.astype(np.int32)
    padded = np.full((permutations, -(-n // 64) * 64), -1, np.int32)
    padded[:, :n] = shuffled
    sets = np.stack([_words(padded == value) for value in range(v)])
    out = np.zeros((v, permutations))
    for block in held.blocks():
        kernels.shuffled_hits(held.order(block), block.start, shuffled, sets, classes.counts, out)
        if progress is not None:
            progress(block.stop, n)
    return out


def nearest(held: Pairs, query: int, count: int) -> tuple[I64, F64]:
    """The ``count`` nearest other images of one, nearest first, and their distances."""
    far = held.values(slice(query, query + 1))[0]
    far[query] = np.inf
    rows = np.argsort(far, kind="stable")[: min(count, len(held) - 1)]
    return rows.astype(np.int64), far[rows]


def _words(bits: NDArray[np.bool_]) -> NDArray[np.uint64]:
    """Bits ``(p, 64 w)`` packed into words ``(p, w)``, the first item in the lowest bit."""
    return np.packbits(bits, axis=1, bitorder="little").view("<u8").astype(np.uint64)


def _by_value(
    properties: Sequence[Property],
) -> tuple[NDArray[np.int32], NDArray[np.int32], I64]:
    most = max(len(held.values) for held in properties)
    codes = np.stack([held.codes for held in properties]).astype(np.int32)
    members = np.argsort(codes, axis=1, kind="stable").astype(np.int32)
    starts = np.zeros((len(properties), most + 1), np.int64)
    for k, held in enumerate(properties):
        starts[k, 1 : len(held.values) + 1] = np.cumsum(held.counts)
        starts[k, len(held.values) + 1 :] = len(held.codes)
    return codes, members, starts
