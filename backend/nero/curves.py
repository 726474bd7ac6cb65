"""Numbers of orbit curves: one row per item, one column per element, NaN where there is no
answer.
"""

from __future__ import annotations

from typing import cast

import numpy as np

from backend.protocols import F32, I64


def mean(values: F32, axis: int) -> F32:
    """The mean along an axis over what is there; NaN where nothing is."""
    is_there = np.isfinite(values)
    total = np.where(is_there, values, 0.0).sum(axis=axis, dtype=np.float64)
    count = is_there.sum(axis=axis)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan).astype(np.float32)


def variance(values: F32) -> F32:
    """The variance of each row ``(n,)`` over what is there; NaN where nothing is."""
    centred = values.astype(np.float64) - mean(values, axis=1)[:, None]
    return mean(cast(F32, centred**2), axis=1)


def nearest_shift(values: F32, wanted: F32, allow_rotation: bool) -> tuple[I64, F32]:
    """How far ``wanted`` must move along the orbit to look like each row, and what difference
    remains.

    The best shift maximises the circular cross-correlation, which a Fourier transform gives for
    all shifts at
    once: ``|row - shifted|² = |row|² + |wanted|² - 2 <row, shifted>``, and the norms do not depend
    on the shift.

    Returns:
        shifts (n,) in elements, 0..e-1; root mean square differences (n,), infinite for rows with
        NaN.
    """
    n, e = values.shape
    shifts = np.zeros(n, np.int64)
    if allow_rotation and np.isfinite(wanted).all():
        spectrum = np.fft.rfft(np.nan_to_num(values.astype(np.float64)), axis=1)
        match = np.fft.irfft(spectrum * np.fft.rfft(wanted.astype(np.float64)).conj(), n=e, axis=1)
        # Equal matches (flat curves) take the smallest shift, whatever the rounding of the
        # transform.
        is_best = match >= match.max(axis=1, keepdims=True) - 1e-9 * e
        shifts = is_best.argmax(axis=1)
    moved = wanted[(np.arange(e)[None, :] - shifts[:, None]) % e]
    distances = np.sqrt(np.mean((values.astype(np.float64) - moved) ** 2, axis=1)).astype(
        np.float32
    )
    return shifts, np.where(np.isfinite(distances), distances, np.float32(np.inf))
