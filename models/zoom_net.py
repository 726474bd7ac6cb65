"""The Zoom-In network: two attention maps, features of a few full-resolution pieces, one answer.

Source: Advancing Vision Intelligence (dissertation, 2024), chapter 2, tables 2.5 (LeNet form) and
2.6 (ResNet16 form). Where the source is silent or contradicts itself:

- its global pooling in ``a`` would leave one number of the whole map; pooled is over a tile, so
  that tiles of a grid that do not overlap get one logit each;
- it names the mean; here it is the largest value, as in the method it builds on. A needle fills a
  fiftieth of a tile, and with the mean ``a`` learned nothing: told which tiles hold one, it ranked
  unseen tiles with an area under the curve of 0.52 against 0.80;
- its last Tanh keeps those logits within [-1, 1], which over 64 tiles allows no weight above 0.1;
  here a learned factor follows it;
- its second SoftMax in the ResNet16 form's ``b`` is left out.

Nothing here samples or reads images: see ``zoom_sampling.py``, ``zoom_training.py`` and, for images
that do not fit into memory, ``backend/zoom``.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Literal, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

Form = Literal["lenet", "resnet"]
FEATURES = 32
MEAN, DEVIATION = 0.45, 0.25


@dataclass(frozen=True, slots=True)
class Geometry:
    """Sizes in pixels of the full-resolution image, and of its reduced views.

    Attributes:
        tile_px: side of a tile of the first stage (h1).
        cell_px: side of a tile in the first view: s1 is ``cell_px / tile_px``.
        view_px: side of a tile's own view: s2 is ``view_px / tile_px``.
        subtile_px: side of a piece at full resolution (h2), larger than ``tile_px / view_px``.
    """

    tile_px: int = 128
    cell_px: int = 16
    view_px: int = 32
    subtile_px: int = 32

    @property
    def s1(self) -> float:
        """Scale of the first view."""
        return self.cell_px / self.tile_px

    @property
    def s2(self) -> float:
        """Scale of the views of tiles."""
        return self.view_px / self.tile_px


def conv(c_in: int, c_out: int, kernel: int = 3, stride: int = 1) -> nn.Conv2d:
    """A convolution that keeps the size, or divides it by the stride."""
    return nn.Conv2d(c_in, c_out, kernel, stride, kernel // 2)


def attention_layers(form: Form) -> nn.Sequential:
    """The convolutions of ``a`` and ``b``, up to the logit of each place: (n, 1, h, w)."""
    if form == "lenet":
        return nn.Sequential(conv(3, 8), nn.Tanh(), conv(8, 8), nn.Tanh(), conv(8, 1))
    return nn.Sequential(
        conv(3, 8), nn.ReLU(), conv(8, 16), nn.ReLU(), conv(16, 32), nn.ReLU(), conv(32, 1)
    )


class ResBlock(nn.Module):
    """Batch norm and ReLU before each of two convolutions, plus the input: (n, c, h, w)."""

    def __init__(self, channels: int, stride: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.BatchNorm2d(channels), nn.BatchNorm2d(channels)
        self.conv1, self.conv2 = conv(channels, channels, 3, stride), conv(channels, channels)
        self.shortcut = nn.Conv2d(channels, channels, 1, stride) if stride > 1 else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """(n, c, h / stride, w / stride)."""
        inner = self.conv1(torch.relu(self.norm1(x)))
        inner = self.conv2(torch.relu(self.norm2(inner)))
        return cast(Tensor, inner + self.shortcut(x))


def feature_layers(form: Form) -> nn.Sequential:
    """The layers of ``f`` before its pooling: (n, 32, h', w')."""
    if form == "lenet":
        layers: list[nn.Module] = [conv(3, FEATURES, 7), nn.ReLU()]
        for _ in range(3):
            layers += [conv(FEATURES, FEATURES), nn.ReLU()]
        for layer in layers[::2]:  # torch's own start shrinks the values from layer to layer
            nn.init.kaiming_normal_(cast(nn.Conv2d, layer).weight, nonlinearity="relu")
        return nn.Sequential(*layers)
    blocks = [ResBlock(FEATURES, stride) for stride in (1, 2, 2, 2)]
    return nn.Sequential(conv(3, FEATURES), nn.ReLU(), *blocks, nn.BatchNorm2d(FEATURES), nn.ReLU())


class ZoomNet(nn.Module):
    """``a``, ``b``, ``f`` and ``g``; all images (n, 3, h, w) float32 in [0, 1].

    Attributes:
        geometry: the sizes it was trained with.
        baseline: running mean of the features (32,), used in training only.
    """

    baseline: Tensor

    def __init__(
        self, n_classes: int = 2, form: Form = "lenet", geometry: Geometry | None = None
    ) -> None:
        super().__init__()
        self.form, self.geometry = form, geometry or Geometry()
        self.a, self.b = attention_layers(form), attention_layers(form)
        self.f = feature_layers(form)
        self.g = nn.Linear(FEATURES, n_classes)
        self.sharpness = nn.Parameter(torch.tensor(5.0))
        self.register_buffer("baseline", torch.zeros(FEATURES))

    def place_scores(self, view: Tensor) -> Tensor:
        """The map of ``a`` before it is pooled, (n, 1, h, w), for a view or a strip of one."""
        raw = self.a(normal(view))
        return torch.tanh(raw) if self.form == "lenet" else torch.relu(raw)

    def pooled(self, scores: Tensor, cell_px: int) -> Tensor:
        """Logits of the tiles, (n, rows, columns), from the map of :meth:`place_scores`."""
        return functional.max_pool2d(scores, cell_px)[:, 0] * self.sharpness

    def tile_logits(self, view: Tensor, cell_px: int = 0) -> Tensor:
        """Logits of the tiles, (n, rows, columns), from the first view.

        Args:
            view: rows and columns times ``cell_px`` pixels.
            cell_px: that of the geometry unless given.
        """
        return self.pooled(self.place_scores(view), cell_px or self.geometry.cell_px)

    def sub_logits(self, views: Tensor) -> Tensor:
        """Logits of the places in views of tiles, (n, h, w)."""
        return cast(Tensor, self.b(normal(views)))[:, 0]

    def features(self, pieces: Tensor) -> Tensor:
        """(n, 32) of full-resolution pieces (n, 3, h2, w2)."""
        return pooled_features(self.f, pieces)

    def forward(self, pieces: Tensor, weights: Tensor) -> Tensor:
        """Logits (classes,) of the weighted mean of pieces (n, 3, h2, w2), weights (n,)."""
        return cast(Tensor, self.g(weights @ self.features(pieces)))


class ZoomNetRes(ZoomNet):
    """The ResNet16 form."""

    def __init__(self, n_classes: int = 2) -> None:
        super().__init__(n_classes, "resnet")


def normal(images: Tensor) -> Tensor:
    """Images in [0, 1] about centred and scaled."""
    return (images - MEAN) / DEVIATION


def feature_maps(layers: nn.Module, images: Tensor) -> Tensor:
    """The maps of ``layers``, (n, 32, h', w') float32, of images in [0, 1].

    While training on a CPU with bfloat16 the convolutions run in it, which halves their time.
    """
    x = normal(images).contiguous(memory_format=torch.channels_last)
    is_half = layers.training and has_fast_bf16()
    with torch.autocast("cpu", torch.bfloat16, enabled=is_half):
        maps = cast(Tensor, layers(x))
    return maps.float()


def pooled_features(layers: nn.Module, images: Tensor) -> Tensor:
    """The mean of each of these maps over its places, (n, 32)."""
    return feature_maps(layers, images).mean((2, 3))


@cache
def has_fast_bf16() -> bool:
    """Whether convolutions in bfloat16 are fast on this CPU."""
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
