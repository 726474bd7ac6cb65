"""Images that are equal or nearly so, and those that lie in two splits at once."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

BITS: Final = 64
NEAR: Final = 3  # bits of 64 that may differ: what re-encoding and slight scaling change
NEAR_LEVELS: Final = 4.0  # mean difference of grey levels, of 255, that these may make
BLOCK: Final = 2048
SHOWN: Final = 50
MOST_PAIRS: Final = 100_000
FLAT: Final = 6  # a picture with so few changes of brightness looks like every other flat one


def report(index: Any) -> dict[str, Any]:
    """Counts, and the first pairs by name.

    Args:
        index: ``hashes``, ``looks`` (n, 72), ``splits``, ``labels`` and ``names`` of every image.

    Returns:
        ``equal`` and ``near``: how many images have an earlier one of equal content or a look
        within 3 of 64 bits; ``leaks``: how many pairs lie in two splits; ``conflicts``: how many
        equal ones have two labels; ``pairs``: the first of them, leaks before others.
    """
    pairs, is_cut = near_pairs(index.looks, index.hashes)
    names, splits, labels = index.names, index.splits, index.labels
    told = []
    for first, second, bits in pairs:
        is_leak = bool(splits[first] != splits[second])
        is_equal = bool(index.hashes[first] == index.hashes[second])
        is_conflict = is_equal and bool(labels[first] != labels[second])
        told.append((is_leak, is_conflict, is_equal, first, second, bits))
    told.sort(key=lambda row: (not row[0], not row[1], not row[2], row[3], row[4]))
    equal = {row[4] for row in told if row[2]}
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
    say nothing, only pair by equal content. Bits are compared as products of vectors of +1 and -1,
    so that a matrix product does the work.
    """
    grid = looks.reshape(len(looks), 8, 9).astype(np.int16)
    bits = (grid[:, :, 1:] > grid[:, :, :-1]).reshape(len(looks), BITS)
    signs = bits.astype(np.float32) * 2 - 1
    ones = bits.sum(axis=1)
    is_telling = (ones >= FLAT) & (ones <= BITS - FLAT)
    numbers = np.unique(hashes, return_inverse=True)[1].reshape(-1)
    found: list[tuple[int, int, int]] = []
    for start in range(0, len(looks), BLOCK):
        block = signs[start : start + BLOCK]
        apart = (BITS - block @ signs[start:].T) / 2
        is_near = (apart <= NEAR) & is_telling[start : start + BLOCK, None] & is_telling[start:]
        is_near |= numbers[start : start + BLOCK, None] == numbers[start:]
        first, second = np.nonzero(np.triu(is_near, 1))
        levels = np.abs(grid[start + first] - grid[start + second]).mean(axis=(1, 2))
        is_same = numbers[start + first] == numbers[start + second]
        good = is_same | (levels <= NEAR_LEVELS)
        for i, j in zip(first[good].tolist(), second[good].tolist(), strict=True):
            found.append((start + i, start + j, round(float(apart[i, j]))))
            if len(found) >= MOST_PAIRS:
                return found, True
    return found, False
