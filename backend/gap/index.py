"""The K nearest of a pool that is asked often: exact from 8-bit codes, or approximate by lists.

Exact: a row is p = s c + e with 8-bit c and a known |e|, a query likewise, so the cosine is within
a known distance of what the codes say (Cauchy-Schwarz). The codes, a quarter of the pool's bytes,
are read once; whatever may still be among the K best is scored again in full. Nothing is missed.

Approximate: an inverted file. The pool is cut into lists around centres found in a few dimensions;
a query reads the nearest lists only. How much that misses is measured on the pool itself.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from backend.errors import BadRequest
from backend.gap.pairs import block_rows, check_rows, matrix, unit_rows
from backend.protocols import F32, I64

I8 = NDArray[np.int8]
APPROXIMATE_FROM: Final = 300_000
"""Rows from which an inverted file is worth its making."""
LISTS: Final = 1024
LIST_WIDTH: Final = 64  # dimensions in which lists are made
SAMPLE: Final = 40_000
ROUNDS: Final = 8
PART: Final = 8_192
TOP_OF: Final = 256  # rows whose highest is noted
NAMED: Final = 2_048
ROUNDING: Final = 1e-5
"""Of cosines in float32, added to the bound."""
FEW: Final = 4  # queries up to which a plain pass over the codes beats a matrix product


@dataclass(frozen=True, slots=True)
class Found:
    """Results of a search.

    Attributes:
        rows: (q, k) nearest first; equal cosines go by row. cosines: (q, k).
        is_exact: whether nothing can have been missed.
        scored: how many rows were scored in full, over all queries.
    """

    rows: I64
    cosines: F32
    is_exact: bool
    scored: int


@dataclass(slots=True)
class Index:
    """A pool ready to be asked; make one with :func:`build`.

    Attributes:
        pool: (n, d) as it came. codes: (n, d) int8; scale: (n,) float32; both in the order of the
            lists where there are any, so that a list is read in one go.
        slack: the largest length of what the codes leave out of a row.
    """

    pool: NDArray[Any]
    codes: I8
    scale: F32
    slack: float
    lists: Lists | None = field(default=None)

    def search(self, queries: NDArray[Any], k: int) -> Found:
        """The exact K nearest of each query (q, d), rows of any length but 0.

        Raises:
            BadRequest: the queries are not usable, or k is not 1 to n.
        """
        asked = self._asked(queries, k)
        codes, scale, slack = encoded(asked)
        bound = slack * (1 + self.slack) + self.slack + ROUNDING
        held = [self._rows(places) for places in _candidates(self, codes, scale, bound, k)]
        return self._rescored(asked, held, k, True)

    def near(self, queries: NDArray[Any], k: int, probes: int = 16) -> Found:
        """Nearly the K nearest: only ``probes`` lists of each query are read.

        Raises:
            BadRequest: as :meth:`search`, or ``probes`` is out of range.
        """
        asked = self._asked(queries, k)
        found = self.listed().places(asked, probes)
        codes, scale, _ = encoded(asked)
        held = [
            self._rows(_best_of_list(self, places, codes[i], float(scale[i]), k))
            for i, places in enumerate(found)
        ]
        return self._rescored(asked, held, k, False)

    def listed(self) -> Lists:
        """The lists; made, and the codes put into their order, where there are none."""
        if self.lists is None:
            self.lists = make_lists(self.pool)
            self.codes = self.codes[self.lists.members]
            self.scale = self.scale[self.lists.members]
        return self.lists

    def _rows(self, places: I64) -> I64:
        """The rows of the pool whose codes lie at some places."""
        return places if self.lists is None else self.lists.members[places]

    def recall(self, k: int, probes: int = 16, queries: int = 64, seed: int = 0) -> float:
        """Share of the true K nearest that :meth:`near` finds for some rows of the pool, moved a
        little so that they do not find themselves only.
        """
        draw = np.random.default_rng(seed)
        rows = unit_rows(self.pool[draw.choice(len(self.pool), queries, replace=False)])
        noise = draw.normal(size=rows.shape) / np.sqrt(rows.shape[1])
        asked = (rows + 0.3 * noise).astype(np.float32)
        true, guess = self.search(asked, k).rows, self.near(asked, k, probes).rows
        hits = [len(np.intersect1d(a, b)) for a, b in zip(true, guess, strict=True)]
        return float(np.sum(hits) / true.size)

    def _asked(self, queries: NDArray[Any], k: int) -> F32:
        queries = matrix(queries, "queries")
        if not len(queries):
            raise BadRequest("There is no query.", "Give at least one.")
        if queries.shape[1] != self.pool.shape[1]:
            raise BadRequest(
                f"Queries have {queries.shape[1]} dimensions and the pool {self.pool.shape[1]}.",
                "Both must lie in one space.",
            )
        if not 1 <= k <= len(self.pool):
            raise BadRequest(
                f"K = {k} is out of range for a pool of {len(self.pool):,}.",
                f"Allowed: 1 to {len(self.pool):,}.",
            )
        check_rows(queries, "queries", normalise=True)
        return unit_rows(queries)

    def _rescored(self, asked: F32, held: list[I64], k: int, is_exact: bool) -> Found:
        rows = np.full((len(asked), k), -1, np.int64)
        cosines = np.full((len(asked), k), -np.inf, np.float32)
        for i, candidates in enumerate(held):
            # einsum, as BLAS may give equal rows different last bits by where they stand
            values = np.einsum("nd,d->n", unit_rows(self.pool[candidates]), asked[i])
            order = np.lexsort((candidates, -values))[:k]
            rows[i, : len(order)], cosines[i, : len(order)] = candidates[order], values[order]
        return Found(rows, cosines, is_exact, sum(map(len, held)))


def build(pool: NDArray[Any]) -> Index:
    """An index of a pool (n, d), rows of any length but 0.

    Raises:
        BadRequest: the pool is not usable.
    """
    pool = matrix(pool, "pool")
    check_rows(pool, "pool", normalise=True)
    codes = np.empty(pool.shape, np.int8)
    scale = np.empty(len(pool), np.float32)
    slack, size = 0.0, block_rows(pool.shape[1])
    for start in range(0, len(pool), size):
        part = slice(start, start + size)
        codes[part], scale[part], worst = encoded(unit_rows(pool[part]))
        slack = max(slack, worst)
    return Index(pool, codes, scale, slack)


def encoded(rows: F32) -> tuple[I8, F32, float]:
    """8-bit codes (n, d) and scales (n,) of unit rows, and the largest length left out."""
    scale = np.abs(rows).max(axis=1) / 127
    codes = np.rint(rows / scale[:, None])
    left = rows - codes * scale[:, None]
    worst = float(np.sqrt(np.einsum("nd,nd->n", left, left).max()))
    return codes.astype(np.int8), scale.astype(np.float32), worst


def _candidates(index: Index, codes: I8, scale: F32, bound: float, k: int) -> list[I64]:
    """For each query the rows whose cosine may be among the k highest."""
    if len(codes) > FEW:
        return _in_parts(index, codes, scale, bound, k)
    held = []
    told = np.empty(len(index.codes), np.float32)
    tops = np.empty(-(-len(told) // TOP_OF), np.float32)
    for code, one in zip(codes, scale, strict=True):
        _products(index.codes, code, index.scale, np.float32(one), told, tops)
        held.append(_within(told, tops, bound, k))
    return held


def _within(told: F32, tops: F32, bound: float, k: int) -> I64:
    """Rows that may be among the k best. The k-th best of the highest of each stretch is no higher
    than the k-th best of all, so few rows are left to be put in order.
    """
    if len(tops) < k:
        tops = told
    found: I64 = np.flatnonzero(
        told >= np.partition(tops, len(tops) - k)[len(tops) - k] - 2 * bound
    )
    seen = told[found]
    kept: I64 = found[seen >= np.partition(seen, len(seen) - k)[len(seen) - k] - 2 * bound]
    return kept


def _in_parts(index: Index, codes: I8, scale: F32, bound: float, k: int) -> list[I64]:
    """Many queries: one matrix product of codes a part, of which few entries are kept."""
    import torch

    asked = torch.from_numpy(codes)
    counts = np.zeros(len(codes), np.int64)
    borders = np.full(len(codes), -np.inf, np.float32)
    rows = np.empty((len(codes), 2 * PART), np.int64)
    told = np.empty(rows.shape, np.float32)
    for start in range(0, len(index.codes), PART):
        if counts.max() + PART > rows.shape[1]:
            rows = np.concatenate([rows, np.empty_like(rows)], axis=1)
            told = np.concatenate([told, np.empty_like(told)], axis=1)
        part = torch.from_numpy(index.codes[start : start + PART])
        products = torch._int_mm(asked, part.T).numpy()
        scales = index.scale[start : start + PART]
        _collect(products, scales, scale, start, 2 * bound, k, (rows, told, counts, borders))
    return [rows[i, :count] for i, count in enumerate(counts)]


def _best_of_list(index: Index, places: I64, code: I8, scale: float, k: int) -> I64:
    """The places in some lists that the codes hold highest: a few times k of them."""
    if len(places) <= 4 * k:
        return places
    told = np.empty(len(places), np.float32)
    _products_of(index.codes, places, code, index.scale, np.float32(scale), told)
    found: I64 = places[np.argpartition(-told, 4 * k)[: 4 * k]]
    return found


@njit(cache=True)
def _product(row: I8, code: I8) -> np.int32:
    """Of two rows of codes. Numba adds integers in 64 bits unless told each time, which is slow."""
    total = np.int32(0)
    for j in range(len(code)):
        total = np.int32(total + np.int32(row[j]) * np.int32(code[j]))
    return total


@njit(parallel=True, cache=True)
def _products(codes: I8, code: I8, scales: F32, scale: np.float32, told: F32, tops: F32) -> None:
    """Writes what the codes say of each row, and the highest of every TOP_OF rows."""
    for stretch in prange(len(tops)):
        top = np.float32(-np.inf)
        for i in range(stretch * TOP_OF, min(len(codes), (stretch + 1) * TOP_OF)):
            told[i] = _product(codes[i], code) * scales[i] * scale
            top = max(top, told[i])
        tops[stretch] = top


@njit(cache=True)
def _products_of(
    codes: I8, places: I64, code: I8, scales: F32, scale: np.float32, told: F32
) -> None:
    for at in range(len(places)):
        i = places[at]
        told[at] = _product(codes[i], code) * scales[i] * scale


@njit(parallel=True, cache=True)
def _collect(
    products: NDArray[np.int32], scales: F32, asked: F32, start: int, margin: float, k: int,
    held: tuple[I64, F32, I64, F32],
) -> None:  # fmt: skip
    """Adds the rows of a part that may be among the k best of a query, and drops those that no
    longer may. ``held`` are rows and what the codes say of them (q, room), how many there are, and
    the k-th best.
    """
    for q in prange(len(products)):
        _follow(products[q], scales, asked[q], start, margin, k, held, q)


@njit(cache=True)
def _follow(
    products: NDArray[np.int32], scales: F32, asked: np.float32, start: int, margin: float, k: int,
    held: tuple[I64, F32, I64, F32], q: int,
) -> None:  # fmt: skip
    """One query of :func:`_collect`."""
    rows, told, counts, borders = held
    limit, count = borders[q] - margin, counts[q]
    for i in range(len(products)):
        value = products[i] * scales[i] * asked
        if value >= limit:
            rows[q, count], told[q, count] = start + i, value
            count += 1
    if count < k or count == counts[q]:
        counts[q] = count
        return
    borders[q] = np.partition(told[q, :count], count - k)[count - k]
    limit, found = borders[q] - margin, 0
    for at in range(count):
        if told[q, at] >= limit:
            rows[q, found], told[q, found] = rows[q, at], told[q, at]
            found += 1
    counts[q] = found


@dataclass(frozen=True, slots=True)
class Lists:
    """An inverted file: ``members[starts[c] : starts[c + 1]]`` are the rows nearest to centre c.

    Attributes:
        axes: (d, w) that rows are turned onto before they are compared with ``centres`` (c, w).
    """

    axes: F32
    centres: F32
    members: I64
    starts: I64

    def places(self, asked: F32, probes: int) -> list[I64]:
        """For each query the places in ``members`` of its nearest lists.

        Raises:
            BadRequest: there are not so many lists.
        """
        if not 1 <= probes <= len(self.centres):
            raise BadRequest(
                f"{probes} lists cannot be read.", f"Allowed are 1 to {len(self.centres):,}."
            )
        near = np.argsort(-(asked @ self.axes) @ self.centres.T, axis=1, kind="stable")[:, :probes]
        return [
            np.concatenate([np.arange(self.starts[c], self.starts[c + 1]) for c in line])
            for line in near
        ]


def make_lists(pool: NDArray[Any], lists: int = LISTS, seed: int = 0) -> Lists:
    """An inverted file of a pool (n, d): principal axes and k-means of a sample, then all rows."""
    draw = np.random.default_rng(seed)
    sample = unit_rows(pool[np.sort(draw.permutation(len(pool))[:SAMPLE])])
    lists = min(lists, max(1, len(sample) // 8))
    values, vectors = np.linalg.eigh(sample.T @ sample / len(sample))
    axes = vectors[:, np.argsort(-values)[:LIST_WIDTH]].astype(np.float32)
    turned = sample @ axes
    centres = _unit(turned[draw.choice(len(turned), lists, replace=False)])
    for _ in range(ROUNDS):
        nearest = _nearest_centre(turned, centres)
        sums = np.zeros_like(centres)
        np.add.at(sums, nearest, turned)
        empty = np.bincount(nearest, minlength=lists) == 0
        sums[empty] = turned[draw.choice(len(turned), int(empty.sum()))]
        centres = _unit(sums)
    size = block_rows(pool.shape[1])
    parts = (unit_rows(pool[i : i + size]) @ axes for i in range(0, len(pool), size))
    owner = np.concatenate([_nearest_centre(part, centres) for part in parts])
    starts = np.zeros(lists + 1, np.int64)
    starts[1:] = np.cumsum(np.bincount(owner, minlength=lists))
    return Lists(axes, centres, np.argsort(owner, kind="stable"), starts)


def _nearest_centre(rows: F32, centres: F32) -> I64:
    found = np.empty(len(rows), np.int64)
    for start in range(0, len(rows), NAMED):  # the products of a block stay in the cache
        part = slice(start, start + NAMED)
        found[part] = (rows[part] @ centres.T).argmax(axis=1)
    return found


def _unit(rows: F32) -> F32:
    found: F32 = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
    return found
