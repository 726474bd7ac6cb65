"""CenterNet with a MobileNetV3 trunk, for the 80 classes of COCO.

The architecture is that of github.com/610265158/mobilenetv3_centernet (Zhou et al. 2019, "Objects
as points"; Howard et al. 2019, "Searching for MobileNetV3"), with batch norm folded into the
convolutions, as its TensorFlow.js export in the npm package @vladmandic/human has it. TensorFlow
pads and enlarges differently from PyTorch; both are done its way here, so that the published
weights give the published answers.
"""

from __future__ import annotations

from typing import Final, NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.class_names import COCO
from models.detector import highest_nearby, surest

CROP_PX: Final = 128
INPUT_PX: Final = 512
"""Side of the picture the network was trained on; crops are enlarged to it."""
STRIDE_PX: Final = 4
SIDE_UNIT_PX: Final = 16.0  # what the network calls 1 when it tells a distance
PUBLISHED_SIXTH: Final = 6 * 0.16662597656
"""The published graph multiplies by 1/6 in half precision; this is the ratio to the exact one."""


class Stage(NamedTuple):
    """One inverted residual: channels inside, channels out, kernel, stride, squeeze, activation."""

    inner: int
    outputs: int
    kernel: int
    stride: int
    squeeze: int = 0
    is_hard: bool = False


STAGES: Final = (
    Stage(16, 16, 3, 1),
    Stage(64, 24, 3, 2),
    Stage(72, 24, 3, 1),
    Stage(72, 32, 5, 2, 24),
    Stage(96, 32, 5, 1, 24),
    Stage(96, 32, 5, 1, 24),
    Stage(192, 64, 3, 2, 0, True),
    Stage(160, 64, 3, 1, 0, True),
    Stage(144, 64, 3, 1, 0, True),
    Stage(144, 64, 3, 1, 0, True),
    Stage(384, 88, 3, 1, 96, True),
    Stage(528, 88, 3, 1, 136, True),
    Stage(528, 120, 5, 2, 136, True),
    Stage(720, 120, 5, 1, 184, True),
    Stage(720, 120, 5, 1, 184, True),
)


def hardswish(x: Tensor) -> Tensor:
    """x · relu6(x + 3) / 6, with the graph's sixth."""
    return functional.hardswish(x) * PUBLISHED_SIXTH


class SameConv(nn.Conv2d):
    """A convolution that pads as TensorFlow's SAME does: one px more on the right and below."""

    def __init__(
        self, inputs: int, outputs: int, kernel: int, stride: int = 1, *,
        groups: int = 1, bias: bool = True,
    ) -> None:  # fmt: skip
        super().__init__(inputs, outputs, kernel, stride, groups=groups, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        """(n, inputs, h, w) to (n, outputs, h / stride, w / stride), both sides even."""
        over = self.kernel_size[0] - self.stride[0]
        if over > 0:
            x = functional.pad(x, [over // 2, over - over // 2] * 2)
        return super().forward(x)


class Squeeze(nn.Module):
    """Channels weighed by what the whole picture shows (squeeze and excitation)."""

    def __init__(self, channels: int, inner: int) -> None:
        super().__init__()
        self.reduce = nn.Conv2d(channels, inner, 1)
        self.expand = nn.Conv2d(inner, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(n, c, h, w) to the same shape."""
        weights = self.expand(functional.relu(self.reduce(x.mean((2, 3), keepdim=True))))
        return x * (functional.hardsigmoid(weights) * PUBLISHED_SIXTH)


class InvertedResidual(nn.Module):
    """Expand, filter each channel, squeeze, project; added to its input where shapes allow."""

    def __init__(self, inputs: int, stage: Stage, is_first: bool) -> None:
        super().__init__()
        self.act = hardswish if stage.is_hard else functional.relu
        self.expand = None if is_first else nn.Conv2d(inputs, stage.inner, 1)
        self.depthwise = SameConv(
            stage.inner, stage.inner, stage.kernel, stage.stride, groups=stage.inner
        )
        self.squeeze = Squeeze(stage.inner, stage.squeeze) if stage.squeeze else None
        self.project = nn.Conv2d(stage.inner, stage.outputs, 1)
        self.adds = stage.stride == 1 and inputs == stage.outputs

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The block's output, and what the expansion gave: the head looks at some of these."""
        wide = x if self.expand is None else self.act(self.expand(x))
        y = self.act(self.depthwise(wide))
        y = self.project(y if self.squeeze is None else self.squeeze(y))
        return (x + y if self.adds else y), wide


class Separable(nn.Module):
    """Each channel filtered on its own, then mixed."""

    def __init__(self, inputs: int, outputs: int, kernel: int) -> None:
        super().__init__()
        self.depthwise = SameConv(inputs, inputs, kernel, groups=inputs, bias=False)
        self.pointwise = nn.Conv2d(inputs, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(n, inputs, h, w) to (n, outputs, h, w)."""
        return cast(Tensor, self.pointwise(self.depthwise(x)))


class Lateral(nn.Module):
    """What the head takes from a level of the trunk."""

    def __init__(self, inputs: int, inner: int, outputs: int) -> None:
        super().__init__()
        self.reduce = nn.Conv2d(inputs, inner, 1)
        self.mix = Separable(inner, outputs, 5)

    def forward(self, x: Tensor) -> Tensor:
        """(n, inputs, h, w) to (n, outputs, h, w)."""
        return cast(Tensor, self.mix(functional.relu(self.reduce(x))))


class Raise(nn.Module):
    """Two filters added and enlarged twofold."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.x = Separable(inputs, outputs, 3)
        self.y = Separable(inputs, outputs, 5)

    def forward(self, x: Tensor) -> Tensor:
        """(n, inputs, h, w) to (n, outputs, 2 h, 2 w)."""
        return enlarged(self.x(x) + self.y(x))


def enlarged(x: Tensor) -> Tensor:
    """Twofold bilinear enlargement with corners at whole px, as TensorFlow 1 has it."""
    for dim in (2, 3):
        following = torch.cat([x.narrow(dim, 1, x.shape[dim] - 1), x.narrow(dim, -1, 1)], dim)
        x = torch.stack([x, (x + following) / 2], dim + 1).flatten(dim, dim + 1)
    return x


class CenterNet(nn.Module):
    """(n, 3, h, w) RGB in [0, 255] to (n, classes + 4, h / 4, w / 4): logits, then side distances.

    The distances from a cell's corner to the left, top, right and bottom side are in px of the
    input. Height and width must be multiples of 32.
    """

    def __init__(self, classes: int = len(COCO)) -> None:
        super().__init__()
        self.stem = SameConv(3, 16, 3, 2)
        widths = [16, *(stage.outputs for stage in STAGES)]
        self.trunk = nn.ModuleList(
            InvertedResidual(widths[i], stage, i == 0) for i, stage in enumerate(STAGES)
        )
        self.last = nn.Conv2d(120, 480, 1)
        self.laterals = nn.ModuleList(
            [Lateral(72, 18, 64), Lateral(96, 24, 96), Lateral(88, 22, 128)]
        )
        self.raises = nn.ModuleList([Raise(192, 64), Raise(256, 96), Raise(480, 128)])
        self.weigh_a = nn.Conv2d(128, 32, 1)
        self.weigh_b = nn.Conv2d(32, 128, 1, bias=False)
        self.kinds = Separable(128, classes, 3)
        self.sides = Separable(128, 4, 3)

    def forward(self, pictures: Tensor) -> Tensor:
        """See the class."""
        x = hardswish(self.stem(pictures))
        levels = []
        for i, block in enumerate(self.trunk):
            if i == 12:
                levels.append(x)
            x, wide = block(x)
            if i in (3, 5):
                levels.append(wide)
        x = hardswish(self.last(x))
        for lateral, up, level in zip(
            reversed(self.laterals), reversed(self.raises), reversed(levels), strict=True
        ):
            x = functional.relu(torch.cat([lateral(level), up(x)], 1))
        weights = self.weigh_b(functional.relu(self.weigh_a(x.mean((2, 3), keepdim=True))))
        x = x * weights.sigmoid()
        return torch.cat([self.kinds(x), SIDE_UNIT_PX * self.sides(x)], 1)


class CropCenterNet(nn.Module):
    """CenterNet on crops of 128 px in [0, 1], enlarged to the size that it was trained on."""

    def __init__(self, classes: int = len(COCO), input_px: int = INPUT_PX) -> None:
        super().__init__()
        self.net = CenterNet(classes)
        self.input_px = input_px

    def forward(self, crops: Tensor) -> Tensor:
        """(n, 3, 128, 128) to (n, classes + 4, input_px / 4, input_px / 4), see CenterNet."""
        size = (self.input_px, self.input_px)
        large = functional.interpolate(crops, size, mode="bilinear", align_corners=False)
        return cast(Tensor, self.net(large * 255.0))

    def decode(self, raw: Tensor, min_score: float, boxes: int = 10) -> Tensor:
        """The strongest boxes ``(n, boxes, 6)``, in px of the crop; see :func:`decode`."""
        found = decode(raw, min_score, boxes)
        factor = CROP_PX / self.input_px
        corners = (found[..., :4] * factor).clamp(0, CROP_PX)
        return torch.cat([corners, found[..., 4:]], -1)


def decode(raw: Tensor, min_score: float, boxes: int = 10) -> Tensor:
    """The strongest boxes of each picture, (n, boxes, 6): x0, y0, x1, y1 in px, score, class.

    A cell counts where no cell next to it is surer of the same class. Sorted by score, of equal
    ones the cell that comes first, row by row, then class by class; NaN rows where there are fewer
    of at least ``min_score``.
    """
    classes, width = raw.shape[1] - 4, raw.shape[3]
    heat = raw[:, :classes].float().sigmoid()
    is_peak = heat == highest_nearby(heat)
    flat = (heat * is_peak).permute(0, 2, 3, 1).flatten(1)
    scores, order = surest(flat, boxes)
    cell, kind = order // classes, order % classes
    sides = raw[:, classes:].float().flatten(2)
    sides = sides.gather(2, cell[:, None].expand(-1, 4, -1)).transpose(1, 2)
    place = STRIDE_PX * torch.stack([cell % width, cell // width], -1).to(sides.dtype)
    rows = torch.cat(
        [place - sides[..., :2], place + sides[..., 2:], scores[..., None], kind[..., None]], 2
    )
    return torch.where((scores >= min_score)[..., None], rows, torch.nan)
