"""Trains the classifiers of point clouds, and writes their weights and cards.

``python -m models.train_points --variant plain|rotated --seed 0`` (after ``python -m
data.build_points``, unless data/points is there). ``--measure`` writes the cards again from weights
of several seeds that were kept with ``--out``.

Both variants get the same budget: same steps, same batches in the same order with the same
mirroring, stretching and jitter. ``rotated`` differs only in that each cloud is also turned by a
uniform random rotation of space. The evaluation set is read once, after the last step.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional

from models.cards import CARDS, MODELS, WEIGHTS, InputSpec, ModelCard, dump_card
from models.class_names import POINTS
from models.point_transformer import PointTransformer, Structure, structure

TRAIN: Final = MODELS.parent / "data" / "points" / "train.npz"
EVALUATION: Final = MODELS.parent / "data" / "points" / "evaluation.npz"
BATCH: Final = 32
STEPS: Final = 500
MAX_LR: Final = 3e-3
WEIGHT_DECAY: Final = 5e-2
SMOOTHING: Final = 0.1
VIEWS: Final = 4  # samplings prepared of each training cloud
VIEW_POINTS: Final = 1024  # points of a sampling, drawn out of the 2,048
STRETCH: Final = 0.2  # each axis by a factor from 0.8 to 1.2
JITTER: Final = 0.01  # standard deviation, in radii of the cloud
AXES, ANGLES = 24, 13
LIMITS: Final = {
    "plain": "Has only seen models that stand upright and face forward: expect wrong answers, "
    "often confident ones, once they are turned.",
    "rotated": "The same budget is spread over all rotations, so upright models may be recognised "
    "less well than by the plain network.",
}
COMMON_LIMITS: Final = (
    "Learned ten classes from 231 models, most of them furniture, and has no answer for none of "
    "these. Reads 512 of the points; the scale of a cloud is not used."
)
SUMMARY: Final = {
    "plain": "A small Point Transformer trained on upright clouds.",
    "rotated": "The plain network with the same training budget, each cloud also turned by a "
    "uniform random rotation.",
}


@dataclass(frozen=True, slots=True)
class Prepared:
    """Clouds with their structures, stacked.

    Attributes:
        clouds: (n, 512, 3) float32, in the order of ``Structure.kept``.
        neighbours: for each table of a ``Structure`` its rows of all clouds, (n, m, 12).
    """

    clouds: Tensor
    neighbours: list[Tensor]


def read(path: Path) -> tuple[NDArray[np.float32], Tensor]:
    """Clouds (n, 2048, 3) float32 and labels (n,) int64 of one of our npz files."""
    with np.load(path, allow_pickle=False) as file:
        points, labels = file["points"].astype(np.float32), file["labels"].astype(np.int64)
    return points, torch.from_numpy(labels)


def prepared(points: NDArray[np.float32]) -> Prepared:
    """Structures of clouds (n, p, 3)."""
    found: list[Structure] = [structure(cloud) for cloud in points]
    clouds = np.stack([cloud[s.kept] for cloud, s in zip(points, found, strict=True)])
    tables = [np.stack(table) for table in zip(*(s.neighbours for s in found), strict=True)]
    return Prepared(torch.from_numpy(clouds), [torch.from_numpy(table) for table in tables])


def rotations(count: int, generator: torch.Generator) -> Tensor:
    """Uniform random rotation matrices (count, 3, 3), from normalised Gaussian quaternions."""
    q = torch.randn(count, 4, generator=generator)
    w, x, y, z = (q / q.norm(dim=1, keepdim=True)).T
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    return torch.stack([torch.stack(row, dim=1) for row in rows], dim=1)


class Batches:
    """An endless run of training batches, every class as often as the others.

    Rotations come from a generator of their own, so that plain and rotated training at one seed
    see the same clouds, in the same order, changed alike.
    """

    def __init__(
        self, points: NDArray[np.float32], labels: Tensor, is_rotated: bool, seed: int
    ) -> None:
        self.labels, self.is_rotated = labels, is_rotated
        self.draws = torch.Generator().manual_seed(seed)
        self.turns = torch.Generator().manual_seed(seed + 1)
        chosen = [
            torch.stack(
                [
                    torch.randperm(points.shape[1], generator=self.draws)[:VIEW_POINTS]
                    for _ in points
                ]
            ).numpy()
            for _ in range(VIEWS)
        ]
        views = [np.take_along_axis(points, rows[:, :, None], axis=1) for rows in chosen]
        self.data = prepared(np.concatenate(views))
        counts = torch.bincount(labels)
        self.chances = (1.0 / counts.double())[labels]

    def next(self) -> tuple[Tensor, list[Tensor], Tensor]:
        """Clouds (BATCH, 512, 3), their tables of neighbours, and labels (BATCH,)."""
        items = torch.multinomial(self.chances, BATCH, True, generator=self.draws)
        views = torch.randint(0, VIEWS, (BATCH,), generator=self.draws)
        rows = views * len(self.labels) + items
        stretch = 1 + STRETCH * (2 * torch.rand(BATCH, 1, 3, generator=self.draws) - 1)
        # A mirror image (left for right) of a piece of furniture is one too.
        stretch[:, :, 0] *= 1 - 2 * torch.randint(0, 2, (BATCH, 1), generator=self.draws)
        cloud = self.data.clouds[rows] * stretch
        cloud = cloud + JITTER * torch.randn(cloud.shape, generator=self.draws)
        if self.is_rotated:
            cloud = cloud @ rotations(BATCH, self.turns).transpose(1, 2)
        return cloud, [table[rows] for table in self.data.neighbours], self.labels[items]


def train(
    module: PointTransformer, batches: Batches, steps: int, report: Callable[[str], None] = print
) -> None:
    """Runs exactly ``steps`` steps of AdamW under a one-cycle schedule; ends in eval mode."""
    decayed = [p for p in module.parameters() if p.ndim > 1]
    others = [p for p in module.parameters() if p.ndim == 1]
    groups: list[dict[str, Any]] = [{"params": decayed}, {"params": others, "weight_decay": 0.0}]
    optimiser = torch.optim.AdamW(groups, lr=MAX_LR, weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, MAX_LR, total_steps=steps, pct_start=0.15
    )
    module.train()
    for step in range(steps):
        cloud, neighbours, labels = batches.next()
        scores = module.along(cloud, neighbours)
        loss = functional.cross_entropy(scores, labels, label_smoothing=SMOOTHING)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(module.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        if (step + 1) % 50 == 0:
            right = (scores.argmax(1) == labels).float().mean()
            report(f"step {step + 1}/{steps}: loss {loss.item():.3f}, right {right:.2f}")
    module.eval()


@torch.inference_mode()
def accuracy(module: PointTransformer, data: Prepared, labels: Tensor, turn: Tensor) -> float:
    """Fraction of clouds classified right after all were turned by one rotation (3, 3)."""
    scores = [
        module.along(data.clouds[i : i + 8] @ turn.T, [t[i : i + 8] for t in data.neighbours])
        for i in range(0, len(labels), 8)
    ]
    return float((torch.cat(scores).argmax(1) == labels).double().mean())


def disc() -> NDArray[np.float64]:
    """The rotations (936, 3, 3) of the three discs of 24 axes and 13 angles.

    The same matrices as ``backend.nero.orbits.axis_angle_disc()``, which this layer may not import;
    a test compares them.
    """
    angle = np.repeat(np.deg2rad(np.arange(AXES) * 360.0 / AXES), ANGLES)
    turn = np.tile(np.linspace(0.0, np.pi, ANGLES), AXES)[:, None, None]
    found = []
    for first, second in ((0, 1), (0, 2), (1, 2)):
        axis = np.zeros((len(angle), 3))
        axis[:, first], axis[:, second] = np.cos(angle), np.sin(angle)
        cross = np.cross(np.eye(3)[None], axis[:, None])  # rows e_i x u: the transpose of [u]
        cross = -cross.transpose(0, 2, 1)
        found.append(np.eye(3) + np.sin(turn) * cross + (1 - np.cos(turn)) * (cross @ cross))
    return np.concatenate(found)


@torch.inference_mode()
def disc_confidence(module: PointTransformer, data: Prepared, labels: Tensor) -> Tensor:
    """Confidence (n, 936) in the true class, for every cloud at every cell of the discs."""
    turns = torch.from_numpy(disc().astype(np.float32))
    held = torch.empty(len(labels), len(turns))
    for i, label in enumerate(labels):
        tables = [table[i : i + 1] for table in data.neighbours]
        for start in range(0, len(turns), 4):
            cloud = data.clouds[i] @ turns[start : start + 4].transpose(1, 2)
            scores = module.along(cloud, tables)
            held[i, start : start + 4] = torch.softmax(scores, 1)[:, label]
    return held


def measure(module: PointTransformer, with_disc: bool) -> dict[str, float]:
    """Accuracies in [0, 1] and, where asked for, mean and spread of confidence over the discs."""
    found: dict[str, float] = {}
    upright = torch.eye(3)
    points, labels = read(TRAIN)
    found["train_accuracy"] = accuracy(module, prepared(points), labels, upright)
    points, labels = read(EVALUATION)
    data = prepared(points)
    found["upright_accuracy"] = accuracy(module, data, labels, upright)
    if with_disc:
        curve = disc_confidence(module, data, labels).mean(0)
        found["disc_mean"], found["disc_spread"] = float(curve.mean()), float(curve.std())
    return found


def fit(name: str, seed: int, steps: int) -> tuple[PointTransformer, float]:
    """A trained network, and the seconds that training took."""
    torch.manual_seed(seed)
    module = PointTransformer(len(POINTS))
    points, labels = read(TRAIN)
    start = time.perf_counter()
    train(module, Batches(points, labels, name == "rotated", seed), steps)
    return module, time.perf_counter() - start
