"""A digit classifier that cannot tell an image from its quarter turns, by construction.

Group-equivariant convolutions over the rotation group C4 (Cohen and Welling 2016, "Group
Equivariant Convolutional Networks", sections 4-6): every filter is applied in its four rotations,
and the four answers are kept apart as an orientation axis until they are pooled at the end. Turning
the input by 90 degrees turns the maps and shifts the orientation axis; the pooled result stays the
same.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.digit_cnn import DEVIATION, MEAN

CHANNELS = (6, 8, 12, 12, 24, 24)
KERNELS = (5, 3, 3, 3, 3, 3)
HIDDEN = 64
ORIENTATIONS = 4


class LiftingConv(nn.Module):
    """Image to oriented maps: (n, c_in, h, w) -> (n, c_out * 4, h, w).

    Channel = 4 * map + orientation.
    """

    def __init__(self, c_in: int, c_out: int, kernel: int) -> None:
        super().__init__()
        self.padding = kernel // 2
        self.weight = nn.Parameter(torch.empty(c_out, c_in, kernel, kernel))
        nn.init.kaiming_normal_(self.weight, nonlinearity="relu")

    def forward(self, x: Tensor) -> Tensor:
        """The answers of each filter turned by 0, 90, 180 and 270 degrees."""
        turned = [torch.rot90(self.weight, r, (2, 3)) for r in range(ORIENTATIONS)]
        bank = torch.stack(turned, 1).flatten(0, 1)
        return functional.conv2d(x, bank, padding=self.padding)


class GroupConv(nn.Module):
    """Oriented maps to oriented maps: (n, c_in * 4, h, w) -> (n, c_out * 4, h', w')."""

    def __init__(self, c_in: int, c_out: int, kernel: int, padding: int) -> None:
        super().__init__()
        self.padding = padding
        self.weight = nn.Parameter(torch.empty(c_out, c_in, ORIENTATIONS, kernel, kernel))
        # The fan-in counts the orientations; kaiming_normal_ sees it that way for a 5-d weight.
        nn.init.kaiming_normal_(self.weight, nonlinearity="relu")

    def forward(self, x: Tensor) -> Tensor:
        """The answers of each filter turned four ways, its own orientation axis shifted along."""
        turned = [
            torch.roll(torch.rot90(self.weight, r, (3, 4)), r, 2) for r in range(ORIENTATIONS)
        ]
        bank = torch.stack(turned, 1).flatten(0, 1).flatten(1, 2)
        return functional.conv2d(x, bank, padding=self.padding)


class OrientedNorm(nn.Module):
    """Batch norm with one mean, deviation, scale and shift for the four orientations of a map.

    Separate statistics per orientation would break the symmetry.
    """

    def __init__(self, maps: int) -> None:
        super().__init__()
        self.maps = maps
        self.bn = nn.BatchNorm2d(maps)

    def forward(self, x: Tensor) -> Tensor:
        """Same shape as x, (n, maps * 4, h, w)."""
        oriented = x.reshape(x.size(0), self.maps, ORIENTATIONS * x.size(2), x.size(3))
        return cast(Tensor, self.bn(oriented)).reshape(x.shape)


class OrientedBlock(nn.Module):
    """Group convolution, batch norm, ReLU; keeps the grid."""

    def __init__(self, conv: nn.Module, maps: int) -> None:
        super().__init__()
        self.conv = conv
        self.bn = OrientedNorm(maps)
        self.act = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """The block's activations (n, maps * 4, h, w), all >= 0."""
        return cast(Tensor, self.act(self.bn(self.conv(x))))


class P4CNN(nn.Module):
    """Six C4-equivariant blocks, then an answer that quarter turns of the input do not change.

    Takes (n, 1, 28, 28) float32 in [0, 1] and returns (n, n_classes) logits. Layers for activations
    and saliency: ``block1`` ... ``block6``, with four orientations per map side by side in the
    channel axis.

    Every step keeps the square grid symmetric: odd kernels with equal padding, 2 x 2 pooling on
    even grids (28 -> 14 -> 7), and on the 7 x 7 grid a 3 x 3 window with stride 2, which reaches
    both borders; a 2 x 2 window there would drop the last row and column and break the symmetry.
    """

    def __init__(self, n_classes: int = 10) -> None:
        super().__init__()
        first = LiftingConv(1, CHANNELS[0], KERNELS[0])
        self.block1 = OrientedBlock(first, CHANNELS[0])
        for i in range(1, len(CHANNELS)):
            conv = GroupConv(CHANNELS[i - 1], CHANNELS[i], KERNELS[i], KERNELS[i] // 2)
            self.add_module(f"block{i + 1}", OrientedBlock(conv, CHANNELS[i]))
        self.pool = nn.AvgPool2d(2)
        self.last_pool = nn.AvgPool2d(3, stride=2)
        # A filter as large as the 3 x 3 grid: what a fully connected layer is to DigitCNN.
        self.hidden = GroupConv(CHANNELS[-1], HIDDEN, 3, padding=0)
        self.hidden_act = nn.ReLU()
        self.output = nn.Linear(HIDDEN, n_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Logits (n, n_classes), equal for an image and its quarter turns up to float error."""
        x = (x - MEAN) / DEVIATION
        for i in range(1, len(CHANNELS) + 1):
            x = self.get_submodule(f"block{i}")(x)
            if i in (2, 4):
                x = self.pool(x)
        x = self.hidden_act(self.hidden(self.last_pool(x)))
        x = x.reshape(x.size(0), HIDDEN, ORIENTATIONS).amax(-1)
        return cast(Tensor, self.output(x))
