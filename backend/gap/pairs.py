"""Paired embeddings: checked once, then read in blocks of unit rows, so that a million pairs need
no second copy.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from backend.errors import BadRequest
from backend.protocols import F32

BLOCK_BYTES: Final = 32 * 2**20
UNIT_TOLERANCE: Final = 1e-2
"""How far from 1 a length may be: half precision rounds to 4e-3, which is scaled away silently."""
FEWEST: Final = 2


@dataclass(frozen=True, slots=True)
class Pairs:
    """Embeddings of n pairs, row j of both the same pair.

    Attributes:
        images, texts: (n, d) real numbers of any dtype, as they came.
    """

    images: NDArray[Any]
    texts: NDArray[Any]

    def __len__(self) -> int:
        return len(self.images)

    @property
    def width(self) -> int:
        """The dimension d of the space."""
        return int(self.images.shape[1])

    def block(self, start: int, stop: int) -> tuple[F32, F32]:
        """Images and texts of some pairs, (b, d) each, every row of length 1."""
        return unit_rows(self.images[start:stop]), unit_rows(self.texts[start:stop])

    def blocks(self, rows: int = 0) -> Iterator[tuple[int, F32, F32]]:
        """(first row, images, texts) one block after the other."""
        rows = rows or block_rows(self.width)
        for start in range(0, len(self), rows):
            yield start, *self.block(start, start + rows)

    def take(self, rows: NDArray[np.int64]) -> Pairs:
        """Some of the pairs."""
        return Pairs(self.images[rows], self.texts[rows])


def check(images: NDArray[Any], texts: NDArray[Any], normalise: bool = False) -> Pairs:
    """The pairs, if they are usable; nothing is copied.

    Args:
        images, texts: (n, d) real numbers, n from 2, rows of length 1 unless ``normalise``.
        normalise: rows may have any length but 0; each is scaled to length 1.

    Raises:
        BadRequest: counts or dimensions differ; a row is zero, not finite, or not of length 1.
    """
    images, texts = matrix(images, "images"), matrix(texts, "texts")
    if len(images) != len(texts):
        raise BadRequest(
            f"There are {len(images):,} images and {len(texts):,} texts.",
            "Row j of both must be the same pair, so the counts must be equal.",
        )
    if images.shape[1] != texts.shape[1]:
        raise BadRequest(
            f"Images have {images.shape[1]} dimensions and texts {texts.shape[1]}.",
            "Both must lie in one space.",
        )
    if len(images) < FEWEST:
        raise BadRequest(f"{len(images)} pairs say nothing about a gap.", "Give at least 2.")
    check_rows(images, "images", normalise)
    check_rows(texts, "texts", normalise)
    return Pairs(images, texts)


def matrix(array: NDArray[Any], what: str) -> NDArray[Any]:
    """``array`` if it is (n, d) real numbers.

    Raises:
        BadRequest: it is not.
    """
    array = np.asarray(array)
    if array.ndim != 2 or not array.shape[1]:
        raise BadRequest(
            f"The array of {what} has the shape {array.shape}.", "It must be (n, d), a row each."
        )
    if array.dtype.kind not in "fiu":
        raise BadRequest(f"The array of {what} holds {array.dtype}, not real numbers.")
    return array


def check_rows(array: NDArray[Any], what: str, normalise: bool = False) -> None:
    """Returns if every row of (n, d) has length 1, or any length but 0 with ``normalise``.

    Raises:
        BadRequest: names the first row that is not usable, and how many there are.
    """
    lengths = np.empty(len(array))
    rows = block_rows(array.shape[1])
    for start in range(0, len(array), rows):
        block = array[start : start + rows].astype(np.float64)
        lengths[start : start + rows] = np.sqrt(np.einsum("nd,nd->n", block, block))
    for bad, problem, hint in (
        (~np.isfinite(lengths), "holds values that are not finite", "Leave such pairs out."),
        (lengths == 0, "is zero and points nowhere", "Leave such pairs out."),
    ):
        if bad.any():
            raise BadRequest(
                f"Row {int(np.argmax(bad))} of the {what} {problem}{_more(bad)}.", hint
            )
    bad = np.abs(lengths - 1) > UNIT_TOLERANCE
    if bad.any() and not normalise:
        row = int(np.argmax(bad))
        raise BadRequest(
            f"Row {row} of the {what} has length {lengths[row]:.4g}, not 1{_more(bad)}.",
            "Scale every row to length 1, or ask for it: normalise=True, --normalise.",
        )


def block_rows(width: int) -> int:
    """Rows of (n, width) float32 that make a block."""
    return max(256, BLOCK_BYTES // (4 * width))


def unit_rows(array: NDArray[Any]) -> F32:
    """A new array with the rows of (n, d), each of length 1; they must not be zero."""
    rows = array.astype(np.float32)
    if array.dtype.kind in "iu" or array.dtype == np.float64:  # lengths may not fit float32
        wide = array.astype(np.float64)
        scaled: F32 = (wide / np.linalg.norm(wide, axis=1, keepdims=True)).astype(np.float32)
        return scaled
    top = np.abs(rows).max(axis=1, keepdims=True)
    rows /= top  # so that squares neither overflow nor vanish
    rows /= np.sqrt(np.einsum("nd,nd->n", rows, rows))[:, None]
    return rows


def _more(bad: NDArray[np.bool_]) -> str:
    others = int(bad.sum()) - 1
    return f" (and {others:,} more)" if others else ""
