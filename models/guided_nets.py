"""Networks whose attention can be corrected: a frozen trunk, a trained last stage, a mean over
space and one linear layer. So the Grad-CAM map of the last stage has a closed form, and training
needs the trunk's answers once only.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from models.efficientnet_lite import STAGES, ConvNorm, EfficientNetLite0

TRUNK_STAGES = 5
TRUNK_WIDTH = STAGES[TRUNK_STAGES - 1].channels
NEURONS = 512


class ConvBlock(nn.Sequential):
    """Convolution, batch norm, ReLU."""

    def __init__(self, c_in: int, c_out: int, kernel: int, stride: int = 1) -> None:
        super().__init__(
            nn.Conv2d(c_in, c_out, kernel, stride, padding=kernel // 2, bias=False),
            nn.BatchNorm2d(c_out),
            nn.ReLU(),
        )


class GuidedNet(nn.Module):
    """``output(mean over space of mask * stage(trunk(x)))``.

    ``mask`` (k,) holds 1 for neurons that stay and 0 for pruned ones; it belongs to the state, so
    a pruned network stays pruned wherever it is loaded.
    """

    mask: Tensor

    def __init__(self, trunk: nn.Module, stage: nn.Module, neurons: int, n_classes: int) -> None:
        super().__init__()
        self.trunk = trunk
        self.stage = stage
        self.output = nn.Linear(neurons, n_classes)
        self.register_buffer("mask", torch.ones(neurons))

    def train(self, mode: bool = True) -> GuidedNet:
        """Trains the last stage; the trunk's statistics never move."""
        super().train(mode)
        self.trunk.eval()
        return self

    def features(self, inner: Tensor) -> Tensor:
        """The last stage's activations ``(b, k, h, w)``, all >= 0, from those of the trunk."""
        return cast(Tensor, self.stage(inner))

    def logits(self, features: Tensor) -> Tensor:
        """``(b, c)`` from the last stage's activations."""
        return cast(Tensor, self.output(features.mean(dim=(2, 3)) * self.mask))

    def forward(self, x: Tensor) -> Tensor:
        """Logits ``(b, c)`` of images ``(b, 3, h, w)`` in [0, 1]."""
        return self.logits(self.features(self.trunk(x)))


class LiteTrunk(nn.Module):
    """EfficientNet-Lite0 up to its fifth stage: ``(b, 3, h, w)`` -> ``(b, 112, h/16, w/16)``."""

    def __init__(self) -> None:
        super().__init__()
        whole = EfficientNetLite0()
        self.stem: ConvNorm = whole.stem
        for i in range(1, TRUNK_STAGES + 1):
            self.add_module(f"stage{i}", whole.get_submodule(f"stage{i}"))

    def forward(self, x: Tensor) -> Tensor:
        """Activations of stage 5."""
        x = self.stem((x * 255.0 - 127.0) / 128.0)
        for i in range(1, TRUNK_STAGES + 1):
            x = self.get_submodule(f"stage{i}")(x)
        return x


class BirdNet(GuidedNet):
    """EfficientNet-Lite0 to stage 5, frozen, then two trained convolutions with 512 neurons.

    Images ``(b, 3, 128, 128)`` give maps of 8 x 8. Layer for saliency: ``stage``.
    """

    def __init__(self, n_classes: int = 2) -> None:
        stage = nn.Sequential(ConvBlock(TRUNK_WIDTH, 128, 3), ConvBlock(128, NEURONS, 1))
        super().__init__(LiteTrunk(), stage, NEURONS, n_classes)


class GarmentNet(GuidedNet):
    """Four convolutions for 28 x 28 RGB; nothing is frozen. Maps are 7 x 7, with 64 neurons."""

    def __init__(self, n_classes: int = 2) -> None:
        stage = nn.Sequential(
            ConvBlock(3, 16, 5, 2), ConvBlock(16, 32, 3), ConvBlock(32, 64, 3, 2),
            ConvBlock(64, 64, 3),
        )  # fmt: skip
        super().__init__(nn.Identity(), stage, 64, n_classes)
