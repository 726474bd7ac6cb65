"""The embedding network of the metric-learning page: ImageNet features, a trained last block.

EfficientNet-Lite0 up to its sixth stage keeps its ImageNet weights. Its last inverted bottleneck is
trained: the two 1 x 1 convolutions by an update of low rank (Hu et al. 2021, "LoRA",
arXiv:2106.09685), so that fifteen models fit beside each other, the depthwise one and the scales in
full. The means over space then go through a linear layer to 128 numbers of length 1.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Final, cast

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval

from models.cards import CARDS, read_card
from models.efficientnet_lite import NORM_EPSILON, ConvNorm, EfficientNetLite0, InvertedBottleneck
from models.load import load_module

SIDE: Final = 128
DIMENSIONS: Final = 128
RANK: Final = 8
FRONT_STAGES: Final = 6
POOLED: Final = 2 * (32 + 16 + 24 + 40 + 80 + 112 + 192)


class Updated(nn.Module):
    """A frozen convolution and norm of which a part is trained.

    1 x 1 convolutions get ``weight + up @ down``; depthwise ones are trained whole. The norm keeps
    its running statistics, also in training; its scale and shift are trained.
    """

    def __init__(self, given: ConvNorm, rank: int) -> None:
        super().__init__()
        weight = given.conv.weight.detach().clone()
        self.is_depthwise = given.conv.groups > 1
        self.groups, self.padding = given.conv.groups, given.padding
        self.is_linear = isinstance(given.act, nn.Identity)
        out, into = weight.shape[:2]
        if self.is_depthwise:
            self.weight = nn.Parameter(weight)
        else:
            self.register_buffer("frozen", weight, persistent=False)
            self.down = nn.Parameter(torch.randn(rank, into) / into**0.5)
            self.up = nn.Parameter(torch.zeros(out, rank))
        self.scale = nn.Parameter(given.bn.weight.detach().clone())
        self.shift = nn.Parameter(given.bn.bias.detach().clone())
        for name in ("running_mean", "running_var"):
            self.register_buffer(name, getattr(given.bn, name).detach().clone(), persistent=False)

    def kernel(self) -> Tensor:
        """The weight (c_out, c_in / groups, k, k) as updated."""
        if self.is_depthwise:
            return self.weight
        frozen = cast(Tensor, self.frozen)
        return frozen + (self.up @ self.down).view_as(frozen)

    def forward(self, x: Tensor) -> Tensor:
        """(n, c_in, h, w) -> (n, c_out, h, w)."""
        padded = functional.pad(x, self.padding * 2)
        y = functional.conv2d(padded, self.kernel(), groups=self.groups)
        y = functional.batch_norm(
            y,
            cast(Tensor, self.running_mean),
            cast(Tensor, self.running_var),
            self.scale,
            self.shift,
            eps=NORM_EPSILON,
        )
        return y if self.is_linear else functional.relu6(y)


class Tail(nn.Module):
    """What is trained: (n, 192, 4, 4) features -> (n, 128) embeddings of length 1."""

    def __init__(self, block: InvertedBottleneck, rank: int = RANK) -> None:
        super().__init__()
        parts = (block.expand, block.depthwise, block.project)
        self.expand, self.depthwise, self.project = (
            Updated(cast(ConvNorm, part), rank) for part in parts
        )
        self.head = nn.Linear(320, DIMENSIONS)

    def forward(self, features: Tensor) -> Tensor:
        """Embeddings (n, 128), each of length 1."""
        y = self.project(self.depthwise(self.expand(features)))
        return functional.normalize(self.head(y.mean(dim=(2, 3))))


class MetricNet(nn.Module):
    """(n, 3, 128, 128) float32 RGB in [0, 1] -> (n, 128) embeddings of length 1."""

    def __init__(self, trunk: EfficientNetLite0, tail: Tail) -> None:
        super().__init__()
        self.trunk, self.tail = trunk, tail

    def forward(self, x: Tensor) -> Tensor:
        """Embeddings (n, 128)."""
        return cast(Tensor, self.tail(front(self.trunk, x)))


def trunk() -> EfficientNetLite0:
    """The bundled ImageNet network, frozen."""
    held = load_module(read_card(CARDS / "imagenet-lite0.toml"))
    return cast(EfficientNetLite0, held)


def folded(held: EfficientNetLite0) -> EfficientNetLite0:
    """A copy whose batch norms are multiplied into the convolutions before them, which halves the
    time of a backward pass; it answers the same to rounding."""
    made = copy.deepcopy(held)
    for part in made.modules():
        if isinstance(part, ConvNorm):
            part.conv = fuse_conv_bn_eval(part.conv, part.bn)
            part.bn = nn.Identity()  # type: ignore[assignment]
    return made.requires_grad_(False)


def new_tail(held: EfficientNetLite0, seed: int) -> Tail:
    """A tail that answers as the ImageNet network does, followed by a random linear layer."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        block = cast(nn.Sequential, held.get_submodule("stage7"))[0]
        return Tail(cast(InvertedBottleneck, block))


def loaded(held: EfficientNetLite0, stored: Mapping[str, Tensor]) -> Tail:
    """A tail with the numbers of a weights file, frozen, in eval mode."""
    tail = new_tail(held, 0)
    tail.load_state_dict({name: x.float() for name, x in stored.items()})
    return tail.eval().requires_grad_(False)


def front(held: EfficientNetLite0, x: Tensor) -> Tensor:
    """Features (n, 192, h / 32, w / 32) of images (n, 3, h, w) in [0, 1]."""
    return stages(held, x)[-1]


def stages(held: EfficientNetLite0, x: Tensor) -> list[Tensor]:
    """Outputs of the stem and the first six stages."""
    x = held.stem((x * 255.0 - 127.0) / 128.0)
    found = [x]
    for i in range(1, FRONT_STAGES + 1):
        x = held.get_submodule(f"stage{i}")(x)
        found.append(x)
    return found


def pooled(outputs: list[Tensor]) -> Tensor:
    """Means of every stage over the image and over its middle, (n, 992)."""
    found = []
    for x in outputs:
        h, w = x.shape[2:]
        middle = x[:, :, h // 4 : h - h // 4, w // 4 : w - w // 4]
        found += [x.mean(dim=(2, 3)), middle.mean(dim=(2, 3))]
    return torch.cat(found, dim=1)
