"""How an estimator of displacements does along the 16 symmetries of the square and of time, for
model cards.

The product's own evaluation is :mod:`backend.nero`; this is the same number without it, since
models may not know the backend. A test holds the two together.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]
Estimator = Callable[[F32], NDArray[Any]]
"""Frames (b, 2, s, s) float32 in [0, 1] to displacements (b, 2, s/2, s/2), u right, v down."""
BATCH: Final = 8


@dataclass(frozen=True, slots=True)
class Curve:
    """Root mean square errors over the domain, in px, and how much they vary.

    Attributes:
        at_identity: mean over the pairs as they are. mean: over pairs and elements.
        variance: over the elements, in px², mean over the pairs.
        by_item: (n, 16), elements as in :mod:`backend.nero.orbits.squares`.
    """

    at_identity: float
    mean: float
    variance: float
    by_item: F32


def along_symmetries(estimate: Estimator, frames: NDArray[np.uint8], fields: F32) -> Curve:
    """Measures an estimator on frames (n, 2, s, s) with true displacements (n, 2, s/2, s/2)."""
    errors = np.empty((len(frames), 16), np.float32)
    for start in range(0, len(frames), BATCH):
        piece = slice(start, start + BATCH)
        pair = frames[piece].astype(np.float32) / np.float32(255)
        for element in range(16):
            moved = np.ascontiguousarray(turned(pair[:, ::-1] if element >= 8 else pair, element))
            wanted = turned_field(fields[piece], element)
            wrong = np.asarray(estimate(moved), np.float64) - wanted
            errors[piece, element] = np.sqrt((wrong**2).sum(1).mean((1, 2)))
    return Curve(
        float(errors[:, 0].mean()),
        float(errors.mean()),
        float(errors.astype(np.float64).var(1).mean()),
        errors,
    )


def turned(images: F32, element: int) -> F32:
    """(..., s, s) in the orientation of an element: flipped upside down where it is odd, then
    turned counter-clockwise.
    """
    i = element % 8
    flipped = images[..., ::-1, :] if i % 2 else images
    return np.rot90(flipped, (i + 1) // 2, (-2, -1))


def turned_field(fields: F32, element: int) -> F32:
    """Fields (b, 2, h, h) moved by an element: places and vectors turn, reversed time negates."""
    u, v = turned(fields, element).transpose(1, 0, 2, 3)
    i = element % 8
    if i % 2:
        v = -v
    for _ in range((i + 1) // 2):
        u, v = v, -u  # a quarter turn counter-clockwise on the screen, where v points down
    sign = np.float32(-1 if element >= 8 else 1)
    return np.stack([u, v], 1) * sign
