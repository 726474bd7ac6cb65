"""Window cross-correlation, the classical estimator of particle image velocimetry, as one batch.

All windows of all pairs are correlated by one FFT in torch. Windows, weights and peaks follow the
extended search area of OpenPIV (``pyprocess.extended_search_area_piv``, circular correlation of
normalised windows, Gaussian 3-point peak), written anew here; ``benchmarks/nero_piv.py`` compares
the two on the same windows.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline
from torch import Tensor
from torch.nn import functional

EPSILON: Final = 1e-7  # added to correlations before logarithms, as OpenPIV does
FLAT: Final = 1e-4  # height of a peak below which a window has no contrast: 0.2 grey values
NEIGHBOURS: Final = tuple((y, x) for y in (-1, 0, 1) for x in (-1, 0, 1) if (y, x) != (0, 0))
NOISE_PX: Final = 0.5  # of the median test: what neighbours differ by anyway
OUTLIER: Final = 3.0  # deviations from the median of the neighbours, in units of theirs


@dataclass(frozen=True, slots=True)
class Windows:
    """Sizes in px: of the window in the first frame, of the area it is looked for in, and the step
    from one area to the next.
    """

    window_px: int = 16
    search_px: int = 24
    step_px: int = 8

    @property
    def edge_px(self) -> int:
        """How far the window lies inside its area."""
        return (self.search_px - self.window_px) // 2

    def count(self, side_px: int) -> int:
        """How many areas fit along a side."""
        return (side_px - self.search_px) // self.step_px + 1

    def centres(self, side_px: int) -> NDArray[np.float64]:
        """Where the middles of the areas lie along a side, in pixel coordinates."""
        first = (self.search_px - 1) / 2
        return np.asarray(np.arange(self.count(side_px)) * self.step_px + first, np.float64)


WINDOWS: Final = Windows()


def estimate(frames: Tensor, windows: Windows = WINDOWS) -> Tensor:
    """Displacements (b, 2, h/2, w/2) of frames (b, 2, h, w), u right, v down, px per pair.

    Vectors that fail the normalised median test (Westerweel & Scarano 2005), or have no peak, are
    replaced by the median of their neighbours. The rest is interpolation by natural cubic splines
    along rows and columns; beyond the outermost windows the field goes on as at the border.
    """
    vectors = without_outliers(displacements(frames, windows))
    rows = spread(windows, frames.shape[2]).to(vectors)
    columns = spread(windows, frames.shape[3]).to(vectors)
    return rows @ vectors @ columns.T


def displacements(frames: Tensor, windows: Windows = WINDOWS) -> Tensor:
    """One vector a window (b, 2, rows, columns): u, v in px; NaN where the peak is at the edge."""
    b, _, height, width = frames.shape
    shape = windows.count(height), windows.count(width)
    size, edge = (windows.search_px, windows.search_px), windows.edge_px
    # The window less the mean of its area; what surrounds it is zero and is left out.
    mean = functional.avg_pool2d(frames[:, :1], windows.search_px, windows.step_px)
    inner = frames[:, 0, edge : height - edge, edge : width - edge]
    first = _cut(inner, windows.window_px, windows) - mean.reshape(-1, 1, 1)
    product = torch.fft.rfft2(first, s=size).conj_physical_()
    product *= torch.fft.rfft2(_cut(frames[:, 1], windows.search_px, windows))
    product[:, 0, 0] = 0  # as if the mean of the second area had been taken off
    found = peaks(torch.fft.irfft2(product, s=size), edge)
    return found.reshape(b, *shape, 2).movedim(3, 1)


def _cut(images: Tensor, size_px: int, windows: Windows) -> Tensor:
    """All windows of images (b, h, w), one after the other: (n, size, size)."""
    cut = images.unfold(1, size_px, windows.step_px).unfold(2, size_px, windows.step_px)
    return cut.reshape(-1, size_px, size_px)


def peaks(correlation: Tensor, origin: int = 0) -> Tensor:
    """Where the maxima of circular correlations (n, s, s) lie: (n, 2) as u, v in (−s/2, s/2).

    Shift 0 is at [origin, origin]. NaN where the maximum is at the largest shift, so that it has
    no neighbour, or where the correlation is flat.
    """
    n, size, _ = correlation.shape
    flat = correlation.reshape(n, -1)
    best = flat.argmax(1)
    row, column = best // size, best % size
    half = size // 2
    v = (row - origin + half) % size - half  # −s/2 … s/2 − 1
    u = (column - origin + half) % size - half

    def at(down: int, right: int) -> Tensor:
        place = (row + down) % size * size + (column + right) % size
        return flat.gather(1, place[:, None])[:, 0] + EPSILON

    middle = at(0, 0)
    left, right, above, below = at(0, -1), at(0, 1), at(-1, 0), at(1, 0)
    is_positive = torch.stack([middle, left, right, above, below]).amin(0) > 0
    found = torch.stack(
        [
            u + _offset(left, middle, right, is_positive),
            v + _offset(above, middle, below, is_positive),
        ],
        1,
    )
    last = half - 1 + size % 2
    at_edge = (u == -half) | (u == last) | (v == -half) | (v == last)
    return found.masked_fill((at_edge | (middle < FLAT))[:, None], torch.nan)


def _offset(before: Tensor, middle: Tensor, after: Tensor, is_positive: Tensor) -> Tensor:
    """The top of a Gaussian through three points; of a parabola where one is not positive."""
    points = torch.stack([before, middle, after])
    points = torch.where(is_positive, points.clamp_min(EPSILON).log(), points)
    bend = 2 * points[0] - 4 * points[1] + 2 * points[2]
    return torch.where(bend != 0, (points[0] - points[2]) / bend, torch.zeros_like(bend))


def without_outliers(vectors: Tensor) -> Tensor:
    """Vectors (b, 2, rows, columns) with missing and unlikely ones replaced by the median of the
    up to 8 around them. Larger gaps are filled from their rims; a pair without any vector stays
    NaN.
    """
    around = _around(vectors)  # (8, b, 2, rows, columns)
    median = around.nanquantile(0.5, 0)  # not nanmedian: its lower of two is another under a flip
    usual = (around - median).abs().nanquantile(0.5, 0)
    excess = ((vectors - median) / (usual + NOISE_PX)).square().sum(1, keepdim=True).sqrt()
    is_unlikely = excess > OUTLIER  # False for NaN
    found = torch.where(is_unlikely, median, vectors)
    for _ in range(max(vectors.shape[2:])):
        is_missing = found.isnan()
        if not is_missing.any():
            break
        found = torch.where(is_missing, _around(found).nanquantile(0.5, 0), found)
    return found


def _around(vectors: Tensor) -> Tensor:
    padded = functional.pad(vectors, [1] * 4, value=torch.nan)
    height, width = vectors.shape[2:]
    return torch.stack(
        [padded[:, :, 1 + y : 1 + y + height, 1 + x : 1 + x + width] for y, x in NEIGHBOURS]
    )


@cache
def spread(windows: Windows, side_px: int) -> Tensor:
    """The matrix (side/2, count) that interpolates along one side, from the middles of the windows
    to those of blocks of 2 px.
    """
    centres = windows.centres(side_px)
    if len(centres) < 3:
        raise ValueError(f"{side_px} px hold only {len(centres)} windows a side; 3 are needed.")
    wanted = np.clip(np.arange(side_px // 2) * 2 + 0.5, centres[0], centres[-1])
    matrix = CubicSpline(centres, np.eye(len(centres)), bc_type="natural")(wanted)
    return torch.from_numpy(matrix)
