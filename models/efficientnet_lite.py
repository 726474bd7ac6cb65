"""EfficientNet-Lite0, an ImageNet classifier without squeeze-and-excitation and with ReLU6.

Layout after Tan and Le 2019, "EfficientNet" (arXiv:1905.11946), in the Lite0 form of
https://github.com/tensorflow/tpu/tree/master/models/official/efficientnet/lite: width and depth
factor 1, fixed stem and head, no squeeze-and-excitation, ReLU6 for swish.
``models.convert_efficientnet`` fills it with trained weights.
"""

from __future__ import annotations

from typing import NamedTuple, cast

from torch import Tensor, nn
from torch.nn import functional

NORM_EPSILON = 1e-3  # TensorFlow's value; torch's default of 1e-5 changes the answers


class Stage(NamedTuple):
    """Consecutive inverted bottlenecks; only the first of a stage strides and widens."""

    repeats: int
    kernel: int
    stride: int
    expand: int
    channels: int


STAGES = (
    Stage(1, 3, 1, 1, 16),
    Stage(2, 3, 2, 6, 24),
    Stage(2, 5, 2, 6, 40),
    Stage(3, 3, 2, 6, 80),
    Stage(3, 5, 1, 6, 112),
    Stage(4, 5, 2, 6, 192),
    Stage(1, 3, 1, 6, 320),
)
STEM, HEAD = 32, 1280


class ConvNorm(nn.Module):
    """Convolution without bias, batch norm and, unless linear, ReLU6.

    Pads as TensorFlow's "SAME" does for even sides: with stride 2 the odd pixel goes to the right
    and bottom.
    """

    def __init__(
        self,
        c_in: int,
        c_out: int,
        kernel: int,
        stride: int = 1,
        groups: int = 1,
        linear: bool = False,
    ) -> None:
        super().__init__()
        total = kernel - stride
        before = max(total, 0) // 2
        self.padding = (before, max(total, 0) - before)
        self.conv = nn.Conv2d(c_in, c_out, kernel, stride, groups=groups, bias=False)
        self.bn = nn.BatchNorm2d(c_out, eps=NORM_EPSILON)
        self.act = nn.Identity() if linear else nn.ReLU6()

    def forward(self, x: Tensor) -> Tensor:
        """(n, c_in, h, w) -> (n, c_out, h / stride, w / stride)."""
        x = functional.pad(x, self.padding * 2)
        return cast(Tensor, self.act(self.bn(self.conv(x))))


class InvertedBottleneck(nn.Module):
    """Widen by 1 x 1, filter each channel alone, narrow by 1 x 1; add the input if sizes agree."""

    def __init__(self, c_in: int, c_out: int, kernel: int, stride: int, expand: int) -> None:
        super().__init__()
        wide = c_in * expand
        self.expand = ConvNorm(c_in, wide, 1) if expand != 1 else nn.Identity()
        self.depthwise = ConvNorm(wide, wide, kernel, stride, groups=wide)
        self.project = ConvNorm(wide, c_out, 1, linear=True)
        self.is_residual = stride == 1 and c_in == c_out

    def forward(self, x: Tensor) -> Tensor:
        """(n, c_in, h, w) -> (n, c_out, h / stride, w / stride)."""
        y = cast(Tensor, self.project(self.depthwise(self.expand(x))))
        return x + y if self.is_residual else y


class EfficientNetLite0(nn.Module):
    """ImageNet classifier: (n, 3, 224, 224) float32 RGB in [0, 1] -> (n, n_classes) logits.

    Sides other than 224 must be multiples of 32. Layers for activations and saliency: ``stem``,
    ``stage1`` ... ``stage7`` and ``head`` (n, 1280, 7, 7), the map behind a class activation map,
    since only a mean over space and one linear layer follow it.
    """

    def __init__(self, n_classes: int = 1000) -> None:
        super().__init__()
        self.stem = ConvNorm(3, STEM, 3, stride=2)
        width = STEM
        for i, stage in enumerate(STAGES):
            blocks = []
            for j in range(stage.repeats):
                stride = stage.stride if j == 0 else 1
                blocks.append(
                    InvertedBottleneck(width, stage.channels, stage.kernel, stride, stage.expand)
                )
                width = stage.channels
            self.add_module(f"stage{i + 1}", nn.Sequential(*blocks))
        self.head = ConvNorm(width, HEAD, 1)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.output = nn.Linear(HEAD, n_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Logits (n, n_classes)."""
        # The weights expect (byte - 127) / 128.
        x = (x * 255.0 - 127.0) / 128.0
        x = self.stem(x)
        for i in range(1, len(STAGES) + 1):
            x = self.get_submodule(f"stage{i}")(x)
        x = self.pool(self.head(x)).flatten(1)
        return cast(Tensor, self.output(x))
