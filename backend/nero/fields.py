"""Displacement fields under the symmetries of the square and of time; errors; consensus.

A field ``(..., 2, h, h)`` holds u and v in px per pair of frames: u to the right, v **down**, as
array rows run. Elements are numbered as in :mod:`backend.nero.orbits.squares`. Every action only
moves, swaps and negates numbers, so it is exact, and so are its laws. NaN is "not known".
"""

from __future__ import annotations

import warnings
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from backend.nero.orbits.squares import SquareSymmetries, oriented
from backend.protocols import F32, I64

REVERSED: Final = 8  # elements from here on reverse time
QUARTER: Final = np.array([[0, 1], [-1, 0]])  # counter-clockwise on the screen, where v points down
UPSIDE_DOWN: Final = np.array([[1, 0], [0, -1]])


def matrix(element: int) -> I64:
    """P (2, 2), which turns a vector (u, v) as the element turns the square; time left alone."""
    i = element % REVERSED
    quarters = np.linalg.matrix_power(QUARTER, (i + 1) // 2)
    turned: I64 = quarters @ (UPSIDE_DOWN if i % 2 else np.eye(2, dtype=np.int64))
    return turned.astype(np.int64)


def act(fields: F32, element: int) -> F32:
    """φ̃(g, w): w(p) → P·w(P⁻¹p), and −w under reversed time. A new array of the same shape."""
    spots = oriented(fields, element % REVERSED)
    p = matrix(element) * (-1 if element >= REVERSED else 1)
    moved = np.empty(spots.shape, np.float32)
    for row in range(2):  # one entry of each row of P is ±1, the other 0
        column = int(np.flatnonzero(p[row])[0])
        np.multiply(spots[..., column, :, :], np.float32(p[row, column]), out=moved[..., row, :, :])
    return moved


def along(fields: F32, orbit: SquareSymmetries) -> F32:
    """Fields (b, 2, h, h) under every element: (b, e, 2, h, h)."""
    return np.stack([act(fields, element) for element in range(orbit.size)], axis=1)


def errors(outputs: F32, wanted: F32) -> dict[str, F32]:
    """Errors over the domain of fields (..., 2, h, h), each (...), by name.

    ``rmse``: root of the mean square length of the error vectors, in px; ``mse``: its square, in
    px²; ``mae``: mean absolute error of the components, in px; ``aee``: mean length of the error
    vectors (average endpoint error), in px. Only places where both are known count; NaN where there
    is none.
    """
    wrong = (outputs - wanted).astype(np.float64)
    square = (wrong**2).sum(axis=-3)
    mse = _mean(square, (-2, -1))
    return {
        "rmse": np.sqrt(mse).astype(np.float32),
        "mse": mse.astype(np.float32),
        "mae": _mean(np.abs(wrong), (-3, -2, -1)).astype(np.float32),
        "aee": _mean(np.sqrt(square), (-2, -1)).astype(np.float32),
    }


def error_map(outputs: F32, wanted: F32) -> F32:
    """The length of the error vector at each place: (..., h, h) of fields (..., 2, h, h), in px."""
    found: F32 = np.sqrt(((outputs - wanted).astype(np.float64) ** 2).sum(axis=-3))
    return found.astype(np.float32)


def consensus(orbit: SquareSymmetries, outputs: F32) -> tuple[F32, I64]:
    """⟨φ̃(g⁻¹, h(φ(g, x)))⟩: the mean of the predictions (b, e, 2, h, h) after each was un-moved
    (Zhao 2024, eq. 5.2).

    Returns:
        (b, 2, h, h), NaN where no element has an answer, and how many elements (b,) have one.
    """
    back = [act(outputs[:, g], orbit.inverse(g)) for g in range(orbit.size)]
    mean = _mean(np.stack(back, axis=1).astype(np.float64), (1,))
    used = np.isfinite(outputs).any(axis=(2, 3, 4)).sum(axis=1)
    return mean.astype(np.float32), used.astype(np.int64)


def coarse(values: F32, side: int) -> F32:
    """Means over equal cells: (..., side, side) of (..., h, h); as it is where h is not larger.

    Cells share places that lie on their edges, so any h will do and the symmetries of the square
    hold. Unknown places do not count.
    """
    height = values.shape[-1]
    if height <= side:
        return values
    weights = _overlaps(height, side)
    is_known = np.isfinite(values)
    total = weights @ np.where(is_known, values, 0).astype(np.float64) @ weights.T
    known = weights @ is_known.astype(np.float64) @ weights.T
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(known > 1e-9, total / known, np.nan), np.float32)


def _overlaps(height: int, side: int) -> NDArray[np.float64]:
    """The share (side, h) of each coarse cell that each fine one covers; rows sum to 1."""
    ends = np.arange(side + 1) * (height / side)
    fine = np.arange(height)
    reach = np.minimum(ends[1:, None], fine + 1) - np.maximum(ends[:-1, None], fine)
    return np.asarray(np.maximum(reach, 0) * (side / height))


def _mean(values: NDArray[Any], axes: tuple[int, ...]) -> NDArray[np.float64]:
    """The mean of what is known; NaN, without a warning, where nothing is."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        return np.asarray(np.nanmean(values, axis=axes), np.float64)
