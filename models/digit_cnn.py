"""The plain convolutional network for 28 x 28 grey images."""

from __future__ import annotations

from typing import cast

from torch import Tensor, nn

CHANNELS = (16, 32, 32, 64, 64, 64)
KERNELS = (5, 3, 3, 3, 3, 3)
HIDDEN = 64
# Mean and deviation of the MNIST training pixels in [0, 1], kept inside the network so that callers
# only ever deal with [0, 1].
MEAN, DEVIATION = 0.1307, 0.3081


class ConvBlock(nn.Module):
    """Convolution without bias, batch norm, ReLU: (n, c_in, h, w) -> (n, c_out, h, w)."""

    def __init__(self, c_in: int, c_out: int, kernel: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(c_in, c_out, kernel, padding=kernel // 2, bias=False)
        self.bn = nn.BatchNorm2d(c_out)
        # Not in place: saliency methods hook the values before the ReLU.
        self.act = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """The block's activations, all >= 0."""
        return cast(Tensor, self.act(self.bn(self.conv(x))))


class DigitCNN(nn.Module):
    """Six blocks with average pooling after each second (28 -> 14 -> 7 -> 3), two linear layers.

    Takes (n, 1, 28, 28) float32 in [0, 1] and returns (n, n_classes) logits. Layers for activations
    and saliency: ``block1`` ... ``block6`` (channel maps) and ``hidden`` (n, 64).

    The layout (six convolutions with batch norm and ReLU, then two fully connected layers) follows
    the digit classifier of NERO (Zhao 2024, chapter 5); the sizes are our own.
    """

    def __init__(self, n_classes: int = 10) -> None:
        super().__init__()
        widths = (1, *CHANNELS)
        for i, kernel in enumerate(KERNELS):
            self.add_module(f"block{i + 1}", ConvBlock(widths[i], widths[i + 1], kernel))
        self.pool = nn.AvgPool2d(2)
        self.flatten = nn.Flatten()
        self.hidden = nn.Linear(CHANNELS[-1] * 3 * 3, HIDDEN)
        self.hidden_act = nn.ReLU()
        self.output = nn.Linear(HIDDEN, n_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Logits (n, n_classes)."""
        x = (x - MEAN) / DEVIATION
        for i in range(1, len(CHANNELS) + 1):
            x = self.get_submodule(f"block{i}")(x)
            if i % 2 == 0:
                x = self.pool(x)
        x = self.hidden_act(self.hidden(self.flatten(x)))
        return cast(Tensor, self.output(x))
