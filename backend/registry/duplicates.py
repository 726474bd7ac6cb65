"""Images that are equal or nearly so, and those that lie in two splits at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

BITS: Final = 64
NEAR: Final = 3  # bits of 64 that may differ: what re-encoding and slight scaling change
NEAR_LEVELS: Final = 4.0  # mean difference of grey levels, of 255, that these may make
QUARTERS: Final = 4  # of a code: one more than bits that may differ
SHOWN: Final = 50
MOST_PAIRS: Final = 100_000
FLAT: Final = 6  # a picture with so few changes of brightness looks like every other flat one


Rows = NDArray[np.int64]
EQUAL, CLOSE, LEAK, CONFLICT = 1, 2, 4, 8
"""Bits of a row's mark: equal or nearly so to an earlier one; in two splits; of two labels."""


def report(index: Any) -> tuple[dict[str, Any], NDArray[np.uint8]]:
    """Counts and the first pairs by name, and a mark for every row, ``(n,)``.

    Args:
        index: ``hashes``, ``looks`` (n, 72), ``splits``, ``labels`` and ``names`` of every image.

    Returns:
        ``equal`` and ``near``: how many images have an earlier one of equal content or a look
        within 3 of 64 bits; ``leaks``: how many pairs lie in two splits; ``conflicts``: how many
        equal ones have two labels; ``pairs``: the first of them, leaks before others.
    """
    pairs, is_cut = near_pairs(index.looks, index.hashes)
    names, splits, labels = index.names, index.splits, index.labels
    told, marks = [], np.zeros(len(names), np.uint8)
    for first, second, bits in pairs:
        is_leak = bool(splits[first] != splits[second])
        is_equal = bool(index.hashes[first] == index.hashes[second])
        is_conflict = is_equal and bool(labels[first] != labels[second])
        told.append((is_leak, is_conflict, is_equal, first, second, bits))
        marks[second] |= EQUAL if is_equal else CLOSE
        marks[[first, second]] |= LEAK * is_leak | CONFLICT * is_conflict
    told.sort(key=lambda row: (not row[0], not row[1], not row[2], row[3], row[4]))
    equal = {row[4] for row in told if row[2]}
    return _counted(index, told, equal, is_cut), marks


def _counted(
    index: Any, told: list[tuple[bool, bool, bool, int, int, int]], equal: set[int], is_cut: bool
) -> dict[str, Any]:
    names, splits = index.names, index.splits
    return {
        "equal": len(equal),
        "near": len({row[4] for row in told if not row[2]} - equal),
        "leaks": sum(row[0] for row in told),
        "conflicts": sum(row[1] for row in told),
        "is_cut": is_cut,
        "pairs": [
            {
                "rows": [int(first), int(second)],
                "names": [str(names[first]), str(names[second])],
                "splits": [str(splits[first]), str(splits[second])],
                "bits": bits,
                "is_equal": is_equal,
            }
            for _, _, is_equal, first, second, bits in told[:SHOWN]
        ],
    }


def near_pairs(
    looks: NDArray[np.uint8], hashes: NDArray[Any]
) -> tuple[list[tuple[int, int, int]], bool]:
    """Pairs ``(earlier, later, differing bits)`` of equal hashes or near looks, and whether there
    were too many to list.

    A bit says whether the picture gets brighter from one of 9 columns to the next in one of 8 rows;
    pictures that agree in that must also be about as bright everywhere. Flat pictures, whose bits
    say nothing, only pair by equal content. Two codes that differ in at most 3 bits agree in one of
    four quarters, so only pictures that share a quarter are compared.
    """
    grid = looks.reshape(len(looks), 8, 9).astype(np.int16)
    bits = grid[:, :, 1:] > grid[:, :, :-1]
    codes = np.packbits(bits.reshape(len(looks), BITS), axis=1).view(np.uint64).reshape(-1)
    ones = np.bitwise_count(codes)
    telling = np.flatnonzero((ones >= FLAT) & (ones <= BITS - FLAT))
    numbers = np.unique(hashes, return_inverse=True)[1].reshape(-1)
    quarters = codes.view(np.uint16).reshape(-1, QUARTERS)
    sources = [(numbers, np.arange(len(looks)))]
    sources += [(quarters[telling, quarter], telling) for quarter in range(QUARTERS)]
    found: dict[tuple[int, int], int] = {}
    for keys, rows in sources:
        for one, other in _sharing(keys, rows):
            apart = np.bitwise_count(codes[one] ^ codes[other])
            is_same = numbers[one] == numbers[other]
            good = np.flatnonzero(is_same | (apart <= NEAR))
            levels = np.abs(grid[one[good]] - grid[other[good]]).mean(axis=(1, 2))
            good = good[is_same[good] | (levels <= NEAR_LEVELS)]
            pairs = zip(one[good].tolist(), other[good].tolist(), strict=True)
            found.update(zip(pairs, apart[good].tolist(), strict=True))
            if len(found) >= MOST_PAIRS:
                return _listed(found)[:MOST_PAIRS], True
    return _listed(found), False


def _listed(found: Mapping[tuple[int, int], int]) -> list[tuple[int, int, int]]:
    return [(*pair, bits) for pair, bits in sorted(found.items())]


def _sharing(keys: NDArray[Any], rows: NDArray[np.int64]) -> Iterator[tuple[Rows, Rows]]:
    """All pairs of rows (earlier, later) whose keys are equal, as many at a time as there are keys.

    Rows are sorted by key; then each is paired with its neighbour, the one after that, and so on,
    until no neighbour has the same key any more.
    """
    order = np.lexsort((rows, keys))
    keys, rows = keys[order], rows[order]
    left, step = np.arange(len(rows)), 1
    while len(left):
        left = left[left + step < len(rows)]
        left = left[keys[left] == keys[left + step]]
        if len(left):
            yield rows[left], rows[left + step]
        step += 1
