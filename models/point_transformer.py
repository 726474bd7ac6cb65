"""A small Point Transformer: vector attention over the nearest neighbours of each point.

Zhao, Jiang, Jia, Torr and Koltun, "Point Transformer", ICCV 2021. Who is whose neighbour, and which
points are kept on the way down, depends on distances only. It is therefore worked out once for a
cloud (:func:`structure`) and holds for every rotation of it; the network itself sees coordinates.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Final, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

LEVELS: Final = (512, 64, 16)  # points left after each step down
NEIGHBOURS: Final = 16
WIDTHS: Final = (16, 48, 96)  # features of a point on each level
REACH: Final = (0.12, 0.33, 0.7)  # about how far the neighbours are on each level, in radii


@dataclass(frozen=True, slots=True)
class Structure:
    """What of a cloud does not change when it turns.

    Attributes:
        kept: (512,) int64, rows of the cloud, farthest first; the first 64 and 16 of them are the
            points of the lower levels.
        neighbours: for the points of the second level the 16 nearest of the first (64, 16) and of
            their own level (64, 16), for those of the third level of their own (16, 16); int64,
            nearest first, and each point is its own first neighbour.
    """

    kept: NDArray[np.int64]
    neighbours: tuple[NDArray[np.int64], ...]


def structure(points: NDArray[np.floating]) -> Structure:
    """Farthest points and nearest neighbours of one cloud ``(n, 3)``, whatever its order.

    The points are first sorted by x, y and z, so that equal distances are decided by coordinates.
    The first point kept is the farthest from the mean; each further one is the farthest from all
    kept before (Eldar et al. 1997). Clouds of fewer than 512 points are gone through repeatedly.
    """
    order = np.lexsort((points[:, 2], points[:, 1], points[:, 0]))
    cloud = np.ascontiguousarray(points[order].T, dtype=np.float64)  # (3, n)
    distance = _squares(cloud, cloud.mean(axis=1))
    rows = np.empty(min(LEVELS[0], len(order)), np.int64)
    rows[0] = distance.argmax()
    distance.fill(np.inf)
    for i in range(1, len(rows)):
        np.minimum(distance, _squares(cloud, cloud[:, rows[i - 1]]), out=distance)
        rows[i] = distance.argmax()
    rows = np.resize(rows, LEVELS[0])
    first, second, third = (cloud[:, rows[:count]] for count in LEVELS)
    tables = (nearest(first, LEVELS[1]), nearest(second, LEVELS[1]), nearest(third, LEVELS[2]))
    return Structure(order[rows], tables)


def _squares(cloud: NDArray[np.float64], point: NDArray[np.float64]) -> NDArray[np.float64]:
    x, y, z = cloud
    squares: NDArray[np.float64] = (x - point[0]) ** 2
    squares += (y - point[1]) ** 2
    squares += (z - point[2]) ** 2
    return squares


def nearest(cloud: NDArray[np.float64], count: int) -> NDArray[np.int64]:
    """The NEIGHBOURS nearest points ``(count, 16)`` of the first points of a cloud ``(3, n)``.

    The nearest comes first, which is the point itself; equal distances are decided by the order of
    the points.
    """
    apart = cloud[:, :count, None] - cloud[:, None, :]
    distance = (apart**2).sum(0)
    np.fill_diagonal(distance, -1.0)  # before copies of itself
    found: NDArray[np.int64] = distance.argsort(axis=1, kind="stable")[:, :NEIGHBOURS]
    return found


class FeatureNorm(nn.BatchNorm1d):
    """Batch norm of features in the last axis, whatever the axes before."""

    def forward(self, features: Tensor) -> Tensor:
        """Features (..., w), normalised over all the other axes."""
        flat = features.reshape(-1, features.shape[-1])
        return super().forward(flat).view_as(features)


class VectorAttention(nn.Module):
    """Each point takes from its neighbours what an attention of its own for every feature lets in.

    y_i = Σ_j softmax_j(γ(φ(x_i) − ψ(x_j) + δ_ij)) ⊙ (α(x_j) + δ_ij) with δ_ij = θ(p_i − p_j)
    (Zhao et al. 2021, eq. 3 and 4).
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.enter = nn.Sequential(FeatureNorm(width), nn.Linear(width, 3 * width))
        self.place = nn.Sequential(nn.Linear(3, width), nn.ReLU(), nn.Linear(width, width))
        self.weigh = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, width))
        self.leave = nn.Linear(width, width)

    def forward(self, features: Tensor, between: Tensor, pick: Tensor) -> Tensor:
        """Features (b, n, w), plus what was taken in.

        Args:
            features: (b, n, w).
            between: (b, n, 16, 3), from each neighbour to the point.
            pick: (b * n * 16,) rows of the neighbours among all points of the batch.
        """
        k, width = between.shape[2], features.shape[2]
        query, key, value = self.enter(features).split(width, dim=2)
        place = self.place(between)
        apart = query[:, :, None] - _rows(key, pick, k) + place
        weight = torch.softmax(self.weigh(apart), dim=2)
        taken = (weight * (_rows(value, pick, k) + place)).sum(dim=2)
        return cast(Tensor, features + self.leave(taken))


class StepDown(nn.Module):
    """Fewer points, each with the strongest features of its neighbours (transition down, §3.4)."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        # One linear layer of features and place together, in two parts: that of the features is
        # worked out once a point instead of once a neighbour.
        self.enter = nn.Linear(before, after, bias=False)
        self.place = nn.Linear(3, after)
        self.mix = nn.Sequential(
            FeatureNorm(after), nn.ReLU(), nn.Linear(after, after), FeatureNorm(after)
        )

    def forward(self, features: Tensor, between: Tensor, pick: Tensor) -> Tensor:
        """Features (b, m, after) of the points kept, from those (b, n, before) of all.

        Args:
            between: (b, m, 16, 3), from each neighbour to the point kept.
            pick: (b * m * 16,) rows of the neighbours among all points of the batch.
        """
        around = _rows(self.enter(features), pick, between.shape[2])
        return cast(Tensor, self.mix(around + self.place(between)).amax(dim=2))


def _rows(features: Tensor, pick: Tensor, k: int) -> Tensor:
    """Features (b, n, w) of the neighbours, (b, m, k, w)."""
    b, _, width = features.shape
    return features.reshape(-1, width).index_select(0, pick).view(b, -1, k, width)


class PointTransformer(nn.Module):
    """Three levels of 512, 64 and 16 points, vector attention on the lower two, then one vector.

    Maps clouds (b, n, 3) to logits (b, k). The order of the points does not matter.
    """

    def __init__(self, classes: int) -> None:
        super().__init__()
        first, middle, last = WIDTHS
        self.embed = nn.Sequential(nn.Linear(3, first), nn.ReLU())
        self.down1 = StepDown(first, middle)
        self.block1 = VectorAttention(middle)
        self.down2 = StepDown(middle, last)
        self.block2 = VectorAttention(last)
        self.block3 = VectorAttention(last)
        self.head = nn.Sequential(
            FeatureNorm(last),
            nn.Linear(last, last),
            nn.ReLU(),
            nn.Dropout(0.5),
            nn.Linear(last, classes),
        )

    def forward(self, points: Tensor) -> Tensor:
        """Logits (b, k) of clouds (b, n, 3) with n >= 256, each with a structure of its own."""
        found = [structure(cloud) for cloud in points.detach().cpu().numpy()]
        kept = torch.from_numpy(np.stack([each.kept for each in found])).to(points.device)
        cloud = points.gather(1, kept[:, :, None].expand(-1, -1, 3))
        stacked = [np.stack(level) for level in zip(*(f.neighbours for f in found), strict=True)]
        return self.along(cloud, [torch.from_numpy(level).to(points.device) for level in stacked])

    def along(self, cloud: Tensor, neighbours: list[Tensor]) -> Tensor:
        """Logits (b, k) of points already chosen, with neighbours already found.

        Args:
            cloud: (b, 512, 3), in the order of ``Structure.kept``.
            neighbours: as in ``Structure``, each with a first axis of b, or of 1 where all clouds
                share one structure, such as the rotations of one cloud.
        """
        first, second, third = (cloud[:, :count] for count in LEVELS)
        features = self.down1(self.embed(first), *_geometry(first, neighbours[0], REACH[0]))
        features = self.block1(features, *_geometry(second, neighbours[1], REACH[1]))
        down = _geometry(second, neighbours[1][:, : LEVELS[2]], REACH[1])
        features = self.down2(features, *down)
        around = _geometry(third, neighbours[2], REACH[2])
        features = self.block3(self.block2(features, *around), *around)
        return cast(Tensor, self.head(features.mean(dim=1)))


def _geometry(cloud: Tensor, neighbours: Tensor, reach: float) -> tuple[Tensor, Tensor]:
    """From the neighbours to the points (b, m, 16, 3) in units of ``reach``, and rows of the
    neighbours (b * m * 16,).
    """
    b, n, _ = cloud.shape
    _, m, k = neighbours.shape
    first = torch.arange(b, device=cloud.device)[:, None, None] * n
    pick = (neighbours + first).reshape(-1)
    around = cloud.reshape(-1, 3).index_select(0, pick).view(b, m, k, 3)
    return (cloud[:, :m, None] - around) / reach, pick


def fused(module: PointTransformer) -> PointTransformer:
    """A copy for inference, its norms multiplied into the linear layers beside them.

    It answers as the network in eval mode does, up to rounding.
    """
    network = copy.deepcopy(module).eval().requires_grad_(False)
    for part in list(network.modules()):
        if isinstance(part, StepDown):
            _scaled_after(part.mix[0], part.place, part.enter)
            _scaled_after(part.mix[3], part.mix[2])
            part.mix[0], part.mix[3] = nn.Identity(), nn.Identity()
        elif isinstance(part, VectorAttention | PointTransformer):
            ahead = part.enter if isinstance(part, VectorAttention) else part.head
            _scaled_before(ahead[0], cast(nn.Linear, ahead[1]))
            ahead[0] = nn.Identity()
    return network


def _affine(norm: nn.Module) -> tuple[Tensor, Tensor]:
    """A norm in eval mode as ``scale * x + shift``, both (w,)."""
    found = cast(FeatureNorm, norm)
    mean, variance = cast(Tensor, found.running_mean), cast(Tensor, found.running_var)
    scale = found.weight / torch.sqrt(variance + found.eps)
    return scale, found.bias - mean * scale


def _scaled_after(norm: nn.Module, *layers: nn.Module) -> None:
    """Multiplies a norm into the linear layers whose sum it reads; the first has the bias."""
    scale, shift = _affine(norm)
    for i, layer in enumerate(cast(tuple[nn.Linear, ...], layers)):
        layer.weight.mul_(scale[:, None])
        if i == 0:
            layer.bias.mul_(scale).add_(shift)


def _scaled_before(norm: nn.Module, layer: nn.Linear) -> None:
    """Multiplies a norm into the linear layer that reads it."""
    scale, shift = _affine(norm)
    layer.bias.add_(layer.weight @ shift)
    layer.weight.mul_(scale)
