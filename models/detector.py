"""A small anchor-free detector for crops of 128 px, and how its answers are read.

One stage, one grid of 16 x 16 cells (stride 8). Each cell says for every class how likely the
middle of such an object is in it (as in CenterNet, Zhou et al. 2019) and how far the object's four
sides are from the cell's centre (as in FCOS, Tian et al. 2019). Two channels tell every cell where
in the crop it lies, so the network is free to depend on position: whether it does is decided by
what it is trained on.
"""

from __future__ import annotations

from typing import Final, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

CROP_PX: Final = 128
STRIDE_PX: Final = 8
CELLS: Final = CROP_PX // STRIDE_PX
UNIT_PX: Final = 16.0
"""A distance output of 0 means this many px: the middle of what occurs."""
MAX_LOG: Final = 3.0  # distances stay below 16 * e^3 = 321 px whatever the weights
BOXES: Final = 10


class Conv(nn.Module):
    """3 x 3 convolution, batch norm, ReLU; optionally with the input added."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1, *, adds: bool = False) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn = nn.BatchNorm2d(outputs)
        self.adds = adds

    def forward(self, x: Tensor) -> Tensor:
        """(n, inputs, h, w) to (n, outputs, h / stride, w / stride)."""
        y = functional.relu(self.bn(self.conv(x)))
        return x + y if self.adds else y


class CropDetector(nn.Module):
    """(n, 3, 128, 128) float32 in [0, 1] to (n, classes + 4, 16, 16): logits, then log distances.

    The last four channels are the distances from a cell's centre to the left, top, right and bottom
    side as ``log(px / 16)``.
    """

    place: Tensor

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.stem = nn.Sequential(Conv(3, 16, 2), Conv(16, 16, 2))
        self.fine = Conv(16, 32, 2)
        self.coarse = nn.Sequential(Conv(34, 64, 2), Conv(64, 64, adds=True))
        self.deep = nn.Sequential(Conv(64, 96, 2), Conv(96, 96, adds=True))
        self.lift = nn.Conv2d(96, 64, 1)
        self.mix = Conv(64, 64)
        self.down = nn.Conv2d(64, 32, 1)
        self.join = Conv(32, 32)
        self.head = nn.Conv2d(32, classes + 4, 1)
        # Objects are rare among 256 cells: start from a probability of 1 % (Lin et al. 2017).
        nn.init.constant_(cast(Tensor, self.head.bias)[:classes], -4.6)
        line = torch.linspace(-1, 1, CELLS)
        y, x = torch.meshgrid(line, line, indexing="ij")
        self.register_buffer("place", torch.stack([x, y])[None], persistent=False)

    def forward(self, crops: Tensor) -> Tensor:
        """See the class."""
        return self.answer(self.centred(crops))

    @staticmethod
    def centred(pixels: Tensor) -> Tensor:
        """Pixels from [0, 1] to [-1, 1]; of a whole scene as well as of its crops."""
        return pixels * 2 - 1

    def answer(self, crops: Tensor) -> Tensor:
        """The output for centred crops (n, 3, 128, 128)."""
        fine = self.fine(self.stem(crops))
        # An addition rather than expand(), so that the graph can be traced for any batch.
        place = torch.zeros_like(fine[:, :2]) + self.place
        coarse = self.coarse(torch.cat([fine, place], 1))
        coarse = self.mix(coarse + raised(self.lift(self.deep(coarse))))
        return cast(Tensor, self.head(self.join(fine + raised(self.down(coarse)))))


def raised(x: Tensor) -> Tensor:
    """(n, c, h, w) to (n, c, 2 h, 2 w): every cell four times."""
    return functional.interpolate(x, scale_factor=2.0, mode="nearest")


def cell_centres(device: torch.device | str = "cpu") -> Tensor:
    """(2, 16, 16) float32: x and y of each cell's centre in px."""
    line = (torch.arange(CELLS, device=device) + 0.5) * STRIDE_PX
    y, x = torch.meshgrid(line, line, indexing="ij")
    return torch.stack([x, y])


def overlap(a: Tensor, b: Tensor) -> Tensor:
    """Intersection over union (n,) of boxes (n, 4), in [0, 1]; NaN where a coordinate is."""
    sides = (torch.minimum(a[:, 2:], b[:, 2:]) - torch.maximum(a[:, :2], b[:, :2])).clamp(min=0)
    both = sides.prod(1)
    areas = (a[:, 2:] - a[:, :2]).prod(1) + (b[:, 2:] - b[:, :2]).prod(1)
    return both / (areas - both).clamp(min=1e-6)


def boxes_of(raw: Tensor) -> Tensor:
    """The box that each cell means, (n, 4, 16, 16) px, from the network's output."""
    sides = UNIT_PX * raw[:, -4:].clamp(max=MAX_LOG).exp()
    centres = cell_centres(raw.device)
    return torch.cat([centres - sides[:, :2], centres + sides[:, 2:]], 1)


def highest_nearby(heat: Tensor) -> Tensor:
    """The largest value in the 3 x 3 cells around each, (n, c, h, w).

    What a maximum pool gives, in a fraction of its time.
    """
    for dim in (2, 3):
        size = heat.shape[dim]
        padded = functional.pad(heat, [1, 1] if dim == 3 else [0, 0, 1, 1], value=-1.0)
        sides = torch.maximum(padded.narrow(dim, 0, size), padded.narrow(dim, 2, size))
        heat = torch.maximum(sides, heat)
    return heat


def surest(flat: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The ``count`` largest of values (n, m) and their places, of equal ones the first first.

    Looks at four times as many before sorting them: a stable sort of all takes longer than the
    network. More than that many equal values among the largest are in any order.
    """
    values, places = flat.topk(min(4 * count, flat.shape[1]), dim=1)
    by_place = places.argsort(dim=1)
    values, places = values.gather(1, by_place), places.gather(1, by_place)
    by_value = values.argsort(dim=1, descending=True, stable=True)[:, :count]
    return values.gather(1, by_value), places.gather(1, by_value)


def decode(raw: Tensor, min_score: float, boxes: int = BOXES) -> Tensor:
    """The strongest boxes of each crop, (n, boxes, 6): x0, y0, x1, y1 in px, score, class.

    A cell counts where no cell next to it is surer of the same class (Zhou et al. 2019, which takes
    the place of non-maximum suppression). Sorted by score, of equal ones the cell that comes first,
    row by row, class by class; NaN rows where there are fewer boxes of at least ``min_score``.
    Boxes end at the crop's rim.
    """
    n, classes = len(raw), raw.shape[1] - 4
    heat = raw[:, :classes].float().sigmoid()
    is_peak = heat == highest_nearby(heat)
    flat = (heat * is_peak).reshape(n, -1)
    scores, order = surest(flat, boxes)
    sides = boxes_of(raw.float()).reshape(n, 4, -1).clamp(0, CROP_PX)
    where = (order % (CELLS * CELLS))[:, None].expand(-1, 4, -1)
    found = sides.gather(2, where).transpose(1, 2)
    kind = (order // (CELLS * CELLS)).to(found.dtype)
    rows = torch.cat([found, scores[..., None], kind[..., None]], 2)
    return torch.where((scores >= min_score)[..., None], rows, torch.nan)
