"""Concept patches: where each neuron of the last stage reacts most (section III-C)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np

from backend.errors import BadRequest
from backend.protocols import F32, I64

TOP: Final = 3


@dataclass(frozen=True, slots=True)
class Patches:
    """The three strongest places of every neuron.

    Attributes:
        rows, cells: ``(k, 3)`` int64: row of the image in the set and cell ``row * w + column`` of
            the feature map; -1 where the set has fewer images.
        activations: ``(k, 3)`` float32, descending; NaN where there is none.
        shape: height and width of the feature map.
    """

    rows: I64
    cells: I64
    activations: F32
    shape: tuple[int, int]

    def unique(self) -> tuple[I64, I64]:
        """De-duplicated patches and who owns them.

        Returns:
            ``(p, 3)`` row, y, x of each distinct patch, ordered by these; and ``(k, 3)`` the number
            of each neuron's patches among them, -1 for none.
        """
        codes = np.where(self.rows < 0, -1, self.rows * (self.shape[0] * self.shape[1]))
        codes = np.where(codes < 0, -1, codes + self.cells)
        distinct = np.unique(codes[codes >= 0])
        owners = np.where(codes >= 0, np.searchsorted(distinct, codes), -1)
        row, cell = np.divmod(distinct, self.shape[0] * self.shape[1])
        y, x = np.divmod(cell, self.shape[1])
        return np.stack([row, y, x], axis=1), owners.astype(np.int64)


def concept_patches(batches: Iterable[F32], top: int = TOP) -> Patches:
    """The strongest ``top`` images of every neuron and the cell where each peaks.

    Holds one batch and ``top`` numbers a neuron at a time. Equal activations: the earlier image,
    then the earlier cell. The result does not depend on how the set is cut into batches.

    Args:
        batches: ``(b, k, h, w)`` float32 activations in the order of the set.

    Raises:
        BadRequest: there is no image.
    """
    best: F32 | None = None
    rows = cells = np.empty((0, 0), np.int64)
    shape, seen = (0, 0), 0
    for batch in batches:
        b, k, height, width = batch.shape
        shape = (height, width)
        flat = batch.reshape(b, k, height * width)
        cell = flat.argmax(axis=2).T  # (k, b), the first of equals
        value = np.take_along_axis(flat, cell.T[:, :, None], axis=2)[:, :, 0].T
        row = np.broadcast_to(np.arange(seen, seen + b), (k, b))
        if best is not None:
            value = np.concatenate([best, value], axis=1)
            row, cell = np.concatenate([rows, row], axis=1), np.concatenate([cells, cell], axis=1)
        order = np.argsort(-value, axis=1, kind="stable")[:, :top]
        best = np.take_along_axis(value, order, axis=1)
        rows, cells = (
            np.take_along_axis(row, order, axis=1),
            np.take_along_axis(cell, order, axis=1),
        )
        seen += b
    if best is None:
        raise BadRequest("There is no image to take patches from.", "Open a set with images.")
    short = ((0, 0), (0, top - best.shape[1]))
    return Patches(
        np.pad(rows, short, constant_values=-1).astype(np.int64),
        np.pad(cells, short, constant_values=-1).astype(np.int64),
        np.pad(best, short, constant_values=np.nan).astype(np.float32),
        shape,
    )
