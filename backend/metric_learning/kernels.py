"""The inner loops over distances, compiled by numba. Import this only where they are really run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numba
import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]
I32 = NDArray[np.int32]
I64 = NDArray[np.int64]

BUCKETS: Final = 4096


def _bucketed(row: F64, itself: int, bucket: I32, ends: I64, order: I32) -> None:
    """Sorts the items of a row coarsely: equal distances share a bucket, nearer ones come first.

    Args:
        row: ``(n,)`` distances from a query; its own item is left out (bucket ``BUCKETS``).
        bucket: ``(n,)``, filled with each item's bucket.
        ends: ``(BUCKETS,)``, filled with the number of items up to and with each bucket.
        order: ``(n - 1,)``, filled with the items by bucket, in one bucket by index.
    """
    low, high = np.inf, -np.inf
    for i in range(row.size):
        if i != itself:
            low, high = min(low, row[i]), max(high, row[i])
    scale = (BUCKETS - 1) / (high - low) if high > low else 0.0
    ends[:] = 0
    for i in range(row.size):
        if i == itself:
            bucket[i] = BUCKETS
        else:
            b = np.int32((row[i] - low) * scale)
            bucket[i] = b
            ends[b] += 1
    total = 0
    for k in range(BUCKETS):  # for now: where each bucket starts
        count = ends[k]
        ends[k] = total
        total += count
    for i in range(row.size):
        if i != itself:
            b = bucket[i]
            order[ends[b]] = i
            ends[b] += 1


def _sorted(row: F64, order: I32) -> None:
    """Sorts items in place by distance, equal distances by index (Shell 1959, Knuth's gaps)."""
    gap = 1
    while gap < order.size // 3:
        gap = 3 * gap + 1
    while gap > 0:
        for j in range(gap, order.size):
            item, k = order[j], j
            far = row[item]
            while k >= gap:
                other = order[k - gap]
                if row[other] < far or (row[other] == far and other < item):
                    break
                order[k] = other
                k -= gap
            order[k] = item
        gap //= 3


def _refined(row: F64, ends: I64, order: I32, wanted: int) -> None:
    """Sorts the ``wanted`` nearest of what :func:`_bucketed` left in ``order`` exactly."""
    begin = 0
    for b in range(BUCKETS):
        stop = ends[b]
        if stop - begin > 1:
            in_order(row, order[begin:stop])
        begin = stop
        if begin >= wanted:
            break


def _hits(
    block: F64, first: int, codes: I32, members: I32, starts: I64, expected: bool, out: F64
) -> None:
    """Same-valued items among the R nearest of each query, for every property.

    Args:
        block: ``(b, n)`` numbers that sort the items for the queries ``first`` to ``first + b``.
        codes: ``(k, n)`` value of each item in each property.
        members: ``(k, n)`` the items of each property by value; ``starts[k, v]`` is where those of
            value ``v`` begin.
        expected: items exactly as far as the last of the R count in proportion; otherwise those
            with the lowest index come first.
        out: ``(k, b)``.
    """
    n = block.shape[1]
    bucket = np.empty(n, np.int32)
    ends = np.empty(BUCKETS, np.int64)
    order = np.empty(n - 1, np.int32)
    for q in range(block.shape[0]):
        row, itself = block[q], first + q
        bucketed(row, itself, bucket, ends, order)
        for k in range(codes.shape[0]):
            value = codes[k, itself]
            begin, stop = starts[k, value], starts[k, value + 1]
            wanted = stop - begin - 1
            if wanted < 1:
                out[k, q] = 0.0
                continue
            last = np.searchsorted(ends, wanted)
            hits = 0
            for j in range(begin, stop):
                hits += bucket[members[k, j]] < last
            since = ends[last - 1] if last > 0 else 0
            ties = order[since : ends[last]]
            out[k, q] = hits + among(row, ties, codes[k], value, wanted - since, expected)


def _among(row: F64, ties: I32, codes: I32, value: int, wanted: int, expected: bool) -> float:
    """Items of one value among the ``wanted`` nearest of a bucket ``ties``, given by index."""
    in_order(row, ties)
    edge = row[ties[wanted - 1]]
    same_nearer, same_equal, equal, nearer, same_first = 0, 0, 0, 0, 0
    for j in range(ties.size):
        far, same = row[ties[j]], codes[ties[j]] == value
        if far > edge:
            break
        same_first += same and j < wanted
        if far < edge:
            nearer += 1
            same_nearer += same
        else:
            equal += 1
            same_equal += same
    if expected:
        return same_nearer + (wanted - nearer) * same_equal / equal
    return float(same_first)


def _precisions(block: F64, first: int, codes: I32, counts: I64, at_r: F64, at_1: F64) -> None:
    """MAP@R and precision@1 of each query, ties by index.

    Args:
        block: ``(b, n)`` as for :func:`_hits`.
        codes: ``(n,)`` class of each item; ``counts[v]`` says how many items a class has.
        at_r, at_1: ``(b,)``, filled.
    """
    bucket = np.empty(block.shape[1], np.int32)
    ends = np.empty(BUCKETS, np.int64)
    near = np.empty(block.shape[1] - 1, np.int32)
    for q in range(block.shape[0]):
        row, itself = block[q], first + q
        wanted = counts[codes[itself]] - 1
        if wanted < 1:
            at_r[q], at_1[q] = 0.0, 0.0
            continue
        bucketed(row, itself, bucket, ends, near)
        refined(row, ends, near, wanted)
        hits, total = 0, 0.0
        for i in range(wanted):
            if codes[near[i]] == codes[itself]:
                hits += 1
                total += hits / (i + 1)
        at_r[q] = total / wanted
        at_1[q] = 1.0 if codes[near[0]] == codes[itself] else 0.0


def _ones(word: np.uint64) -> np.uint64:
    """Number of bits set, by adding neighbouring fields (Warren, Hacker's Delight, section 5.1)."""
    word = word - ((word >> np.uint64(1)) & np.uint64(0x5555555555555555))
    word = (word & np.uint64(0x3333333333333333)) + (
        (word >> np.uint64(2)) & np.uint64(0x3333333333333333)
    )
    word = (word + (word >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return (word * np.uint64(0x0101010101010101)) >> np.uint64(56)


def _shuffled(
    block: F64, first: int, shuffled: I32, sets: NDArray[np.uint64], counts: I64, out: F64
) -> None:
    """Adds to ``out`` what each shuffling of one property's labels would have found.

    Args:
        block: ``(b, n)`` as for :func:`_hits`.
        shuffled: ``(p, n)`` the labels in ``p`` shufflings.
        sets: ``(v, p, w)`` for each value and shuffling the items of that value, 64 to a word.
        counts: ``(v,)`` items of each value, the same in every shuffling.
        out: ``(v, p)`` sums over queries of the hits, by the query's value.
    """
    by_count = np.argsort(counts)
    n = block.shape[1]
    bucket = np.empty(n, np.int32)
    ends = np.empty(BUCKETS, np.int64)
    order = np.empty(n - 1, np.int32)
    for q in range(block.shape[0]):
        row, itself = block[q], first + q
        bucketed(row, itself, bucket, ends, order)
        refined(row, ends, order, counts[by_count[-1]] - 1)
        near = np.zeros(sets.shape[2], np.uint64)
        done = 0
        for v in by_count:
            for j in range(done, counts[v] - 1):
                i = order[j]
                near[i >> 6] |= np.uint64(1) << np.uint64(i & 63)
            done = max(done, counts[v] - 1)
            for p in range(shuffled.shape[0]):
                if shuffled[p, itself] == v:
                    hits = np.uint64(0)
                    for w in range(near.size):
                        hits += ones(near[w] & sets[v, p, w])
                    out[v, p] += hits


_JIT: dict[str, Any] = {"cache": True, "nogil": True}
bucketed: Callable[..., None] = numba.njit(**_JIT)(_bucketed)
in_order: Callable[..., None] = numba.njit(**_JIT)(_sorted)
refined: Callable[..., None] = numba.njit(**_JIT)(_refined)
among: Callable[..., float] = numba.njit(**_JIT)(_among)
ones: Callable[..., Any] = numba.njit(**_JIT)(_ones)
hits_of: Callable[..., None] = numba.njit(**_JIT)(_hits)
precisions: Callable[..., None] = numba.njit(**_JIT)(_precisions)
shuffled_hits: Callable[..., None] = numba.njit(**_JIT)(_shuffled)
