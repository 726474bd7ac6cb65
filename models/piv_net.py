"""A small flow network for pairs of particle images, after LiteFlowNet (Hui et al. 2018).

Two levels of features, a volume of correlations at each, features moved onto each other by the flow
found so far, and a last part that refines. Unlike in LiteFlowNet both frames are moved, each by
half the flow, since the truth is the displacement at the time between the frames.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

COARSE_REACH: Final = 4  # cells of 4 px
FINE_REACH: Final = 2  # cells of 2 px
COARSEST_PX: Final = 4  # sides of frames must be multiples of it
SLOPE: Final = 0.1
FLOOR: Final = 1e-4  # contrast below which frames count as empty


class PivNet(nn.Module):
    """Frames (b, 2, h, w) in [0, 1] to displacements (b, 2, h/2, w/2) in px per pair, u right, v
    down. h and w must be multiples of 4.
    """

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(_conv(1, 12), _conv(12, 24, stride=2), _conv(24, 24))
        self.deeper = nn.Sequential(_conv(24, 40, stride=2), _conv(40, 40))
        self.coarse = _estimator((2 * COARSE_REACH + 1) ** 2 + 40, 56, 40)
        self.fine = _estimator((2 * FINE_REACH + 1) ** 2 + 24 + 2, 40, 32)
        self.refine = nn.Sequential(
            _conv(2 * 24 + 2, 32),
            _conv(32, 32, dilation=2),
            _conv(32, 32, dilation=4),
            nn.Conv2d(32, 2, 3, padding=1),
        )

    def forward(self, frames: Tensor) -> Tensor:
        """The refined flow alone."""
        return self.levels(frames)[-1]

    def levels(self, frames: Tensor) -> list[Tensor]:
        """The flow in px after each part: (b, 2, h/4, w/4), then twice (b, 2, h/2, w/2)."""
        b = len(frames)
        both = standardised(frames).reshape(2 * b, 1, *frames.shape[2:])
        features = self.stem(both)  # frames of a pair are neighbours in the batch
        deeper = self.deeper(features)
        first, second = features[0::2], features[1::2]
        volume = correlations(deeper[0::2], deeper[1::2], COARSE_REACH)
        coarse = self.coarse(torch.cat([volume, deeper[0::2]], 1)) * COARSEST_PX
        flow = functional.interpolate(coarse, scale_factor=2, mode="bilinear", align_corners=False)
        moved = moved_back(first, flow, -0.25), moved_back(second, flow, 0.25)
        volume = correlations(*moved, FINE_REACH)
        fine = flow + self.fine(torch.cat([volume, moved[0], flow], 1))
        moved = moved_back(first, fine, -0.25), moved_back(second, fine, 0.25)
        return [coarse, fine, fine + self.refine(torch.cat([*moved, fine], 1))]


def standardised(frames: Tensor) -> Tensor:
    """Each pair with mean 0 and deviation 1; pairs without contrast become 0."""
    mean = frames.mean((1, 2, 3), keepdim=True)
    deviation = frames.std((1, 2, 3), keepdim=True).clamp_min(FLOOR)
    return (frames - mean) / deviation


def correlations(first: Tensor, second: Tensor, reach: int) -> Tensor:
    """Mean product over channels (b, (2·reach + 1)², h, w) of features with those of shifted
    places, row by row of shifts.
    """
    height, width = first.shape[2:]
    padded = functional.pad(second, [reach] * 4)
    found = [
        (first * padded[:, :, row : row + height, column : column + width]).mean(1)
        for row in range(2 * reach + 1)
        for column in range(2 * reach + 1)
    ]
    return functional.leaky_relu(torch.stack(found, 1), SLOPE)


def moved_back(features: Tensor, flow: Tensor, cells_per_px: float) -> Tensor:
    """Features (b, c, h, w) read at each place plus ``flow · cells_per_px``; borders repeat."""
    height, width = features.shape[2:]
    rows = torch.arange(height, device=flow.device, dtype=flow.dtype)
    columns = torch.arange(width, device=flow.device, dtype=flow.dtype)
    x = (columns + flow[:, 0] * cells_per_px + 0.5) * (2 / width) - 1
    y = (rows[:, None] + flow[:, 1] * cells_per_px + 0.5) * (2 / height) - 1
    return functional.grid_sample(
        features, torch.stack([x, y], -1), padding_mode="border", align_corners=False
    )


def _conv(inputs: int, outputs: int, stride: int = 1, dilation: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride, padding=dilation, dilation=dilation),
        nn.LeakyReLU(SLOPE),
    )


def _estimator(inputs: int, *widths: int) -> nn.Sequential:
    """Convolutions that read a flow off a volume of correlations."""
    sizes = (inputs, *widths)
    parts = [_conv(a, b) for a, b in pairwise(sizes)]
    return nn.Sequential(*parts, nn.Conv2d(widths[-1], 2, 3, padding=1))
