"""Distances between embeddings: the loss's own, in blocks, as one matrix product each.

Those of Kobs 2023, "Think outside the Black Box", table 7.1: losses are compared under the distance
they were trained with. Similarities (cosine, dot product) become distances by a change of sign.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from backend.errors import BadRequest

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

DISTANCES: Final = {
    "euclidean": "length of the difference",
    "squared_euclidean": "squared length of the difference",
    "cosine": "1 minus the cosine of the angle",
    "dot": "minus the dot product",
    "snr": "variance of the difference over the variance of the query",
}
BLOCK_BYTES: Final = 64 << 20  # of one block of distances
FEWEST: Final = 10
LARGEST: Final = 1e100  # squares of larger numbers are not finite
OFFSET: Final = 100.0  # means this many spreads from 0 are taken off before products lose digits
NEAR: Final = 1e-2  # squared distances below this share of the squared lengths are computed again


def checked(embeddings: ArrayLike, what: str = "embeddings", fewest: int = FEWEST) -> F64:
    """Embeddings ``(n, d)`` as float64.

    Raises:
        BadRequest: they are no table of at least ``fewest`` rows, or some number is not finite.
    """
    try:
        x = np.asarray(embeddings)
        numbers: F64 = np.ascontiguousarray(x, np.float64)
    except (TypeError, ValueError) as error:
        raise BadRequest(f"The {what} are not numbers.", "Give an array (n, d).") from error
    if numbers.ndim != 2 or not numbers.shape[1] or np.iscomplexobj(x):
        raise BadRequest(
            f"The {what} have the shape {numbers.shape}.", "Give an array (n, d) of real numbers."
        )
    if len(numbers) < fewest:
        raise BadRequest(
            f"{len(numbers)} images are too few to say anything.", f"Give at least {fewest}."
        )
    bad = np.flatnonzero(~(np.abs(numbers) < LARGEST).all(axis=1))  # NaN compares false
    if len(bad):
        raise BadRequest(
            f"Row {bad[0]} of the {what} holds a value that is not finite ({len(bad)} such rows).",
            "Remove these rows from the embeddings and from the properties.",
        )
    return numbers


def named(distance: str) -> str:
    """The name, if it is one of :data:`DISTANCES`.

    Raises:
        BadRequest: it is not.
    """
    if distance not in DISTANCES:
        raise BadRequest(
            f"There is no distance {str(distance)[:80]!r}.", f"There is {', '.join(DISTANCES)}."
        )
    return distance


@dataclass(frozen=True, slots=True)
class Pairs:
    """Embeddings ready for products: ``order(block) = right_terms + left[block] @ right.T``.

    Attributes:
        left, right: ``(n, d)`` and ``(u, d)``; ``right`` holds every distinct embedding once, so
            that duplicates are exactly equally far from every query.
        right_terms: ``(u,)``.
        left_terms: ``(n,)``: added, they make the distance of the name's first step.
        inverse: ``(n,)``: the row of ``right`` that an item has; ``None`` without duplicates.
    """

    distance: str
    left: F64
    right: F64
    right_terms: F64
    left_terms: F64
    inverse: I64 | None

    def __len__(self) -> int:
        return len(self.left)

    @property
    def duplicates(self) -> int:
        """How many items repeat the embedding of an earlier one."""
        return len(self.left) - len(self.right)

    def order(self, rows: slice | I64) -> F64:
        """Numbers ``(b, n)`` that sort every item by distance from each query; ties are exact."""
        found: F64 = self.left[rows] @ self.right.T
        found += self.right_terms
        return found if self.inverse is None else found[:, self.inverse]

    def values(self, rows: slice | I64) -> F64:
        """Distances ``(b, n)`` from each query to every item."""
        found = self.order(rows) + self.left_terms[rows][:, None]
        if self.distance == "snr":
            found /= self.left_terms[rows][:, None]
        if self.distance in ("euclidean", "squared_euclidean", "snr"):
            np.maximum(found, 0, out=found)
        return np.sqrt(found, out=found) if self.distance == "euclidean" else found

    def blocks(self) -> Iterator[slice]:
        """All queries, in pieces whose distances take at most ``BLOCK_BYTES``."""
        for start in range(0, len(self), self.block_size):
            yield slice(start, min(start + self.block_size, len(self)))

    @property
    def block_size(self) -> int:
        """Queries of one block."""
        return max(1, BLOCK_BYTES // (8 * len(self)))


def pairs(embeddings: ArrayLike, distance: str = "euclidean", fewest: int = FEWEST) -> Pairs:
    """Prepares embeddings ``(n, d)`` for their distances among each other.

    Raises:
        BadRequest: as :func:`checked` and :func:`named`; a row has no direction (cosine) or no
            variance (snr).
    """
    x = _prepared(checked(embeddings, fewest=fewest), named(distance)) + 0.0  # -0.0 equals 0.0
    unique, inverse = np.unique(x, axis=0, return_inverse=True)
    right = x if len(unique) == len(x) else unique
    same = None if right is x else np.asarray(inverse, np.int64).reshape(-1)
    if distance in ("cosine", "dot"):
        start = 1.0 if distance == "cosine" else 0.0
        zeros = np.zeros(len(right))
        return Pairs(distance, -x, right, zeros, np.full(len(x), start), same)
    terms, own = (right**2).sum(axis=1), (x**2).sum(axis=1)
    return Pairs(distance, -2 * x, right, terms, own, same)


def _prepared(x: F64, distance: str) -> F64:
    if distance == "cosine":
        lengths = np.linalg.norm(x, axis=1)
        if (lengths == 0).any():
            row = int(np.argmin(lengths))
            raise BadRequest(
                f"Row {row} of the embeddings is zero, so it has no direction.",
                "Remove it, or choose another distance.",
            )
        return np.asarray(x / lengths[:, None])
    if distance == "snr":
        centred: F64 = x - x.mean(axis=1, keepdims=True)
        spread = (centred**2).sum(axis=1)
        if (spread <= 1e-24 * np.maximum((x**2).sum(axis=1), 1e-300)).any():
            raise BadRequest(
                f"Row {int(np.argmin(spread))} of the embeddings has no variance, so the SNR "
                "distance from it is not defined.",
                "Remove it, or choose another distance.",
            )
        return centred
    if distance != "dot" and np.abs(x.mean(axis=0)).max() > OFFSET * max(x.std(), 1e-300):
        return np.asarray(x - x.mean(axis=0))
    return x


def pairwise(
    first: ArrayLike, second: ArrayLike, distance: str = "euclidean"
) -> NDArray[np.float32]:
    """Distances ``(n, m)`` float32 between the rows of ``(n, d)`` and ``(m, d)``.

    One product in single precision; Euclidean distances that it cannot tell from 0 are computed
    again from the differences.

    Raises:
        BadRequest: as :func:`pairs`; the numbers of columns differ.
    """
    a, b = checked(first, "first embeddings", 1), checked(second, "second embeddings", 1)
    if a.shape[1] != b.shape[1]:
        raise BadRequest(
            f"Embeddings with {a.shape[1]} and {b.shape[1]} numbers have no distance.",
            "Both must come from the same model.",
        )
    named(distance)
    both = _prepared(np.concatenate([a, b]), distance).astype(np.float32)
    a32, b32 = both[: len(a)], both[len(a) :]
    if distance in ("cosine", "dot"):
        products: NDArray[np.float32] = a32 @ b32.T
        np.subtract(1.0 if distance == "cosine" else 0.0, products, out=products)
        return products
    left, right = (a32**2).sum(axis=1), (b32**2).sum(axis=1)
    # Two more columns each, so that one product adds both squared lengths as well.
    wide = np.column_stack([-2 * a32, left, np.ones_like(left)])
    tall = np.ascontiguousarray(np.column_stack([b32, np.ones_like(right), right]).T)
    found = np.empty((len(a), len(b)), np.float32)
    step = max(1, BLOCK_BYTES // (4 * len(b)))
    for start in range(0, len(a), step):
        rows = slice(start, start + step)
        part = np.matmul(wide[rows], tall, out=found[rows])
        _repair(part, a32[rows], b32, left[rows], right)
        if distance == "snr":
            part /= left[rows, None]
        elif distance == "euclidean":
            np.sqrt(part, out=part)
    return found


def _repair(
    part: NDArray[np.float32],
    first: NDArray[np.float32],
    second: NDArray[np.float32],
    left: NDArray[np.float32],
    right: NDArray[np.float32],
) -> None:
    """Computes squared distances ``part`` that single precision cannot tell from 0 again, from the
    differences, in place; ``left`` and ``right`` are the squared lengths."""
    near = np.flatnonzero(part < NEAR * (left + right.max())[:, None])  # at least all of them
    rows, columns = np.divmod(near, part.shape[1])
    really = part[rows, columns] < NEAR * (left[rows] + right[columns])
    rows, columns = rows[really], columns[really]
    for start in range(0, len(rows), 1 << 16):
        i, j = rows[start : start + (1 << 16)], columns[start : start + (1 << 16)]
        part[i, j] = ((first[i].astype(np.float64) - second[j]) ** 2).sum(axis=1)
