"""Trains the classifiers of point clouds, and writes their weights and cards.

``python -m models.train_points --variant plain|rotated --seed 0`` for the seeds 0, 1 and 2, then
``--variant plain|rotated --card`` (data/points comes with the repository). Seed 0 is shipped; the
card reports on all three.

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
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional

from models.cards import CARDS, MODELS, WEIGHTS, InputSpec, ModelCard, dump_card
from models.class_names import POINTS
from models.point_transformer import PointTransformer, Structure, fused, structure

TRAIN: Final = MODELS.parent / "data" / "points" / "train.npz"
EVALUATION: Final = MODELS.parent / "data" / "points" / "evaluation.npz"
BATCH: Final = 32
STEPS: Final = 900
MAX_LR: Final = 3e-3
WEIGHT_DECAY: Final = 5e-2
SMOOTHING: Final = 0.1
VIEWS: Final = 4  # samplings prepared of each training cloud
VIEW_POINTS: Final = 1024  # points of a sampling, drawn out of the 2,048
STRETCH: Final = 0.2  # each axis by a factor from 0.8 to 1.2
JITTER: Final = 0.01  # standard deviation, in radii of the cloud
AXES, ANGLES = 12, 7  # of the discs that the card reports on
SEEDS: Final = (0, 1, 2)  # the card compares; the first is shipped
LIMITS: Final = {
    "plain": "Has only seen models that stand upright and face forward: expect wrong answers, "
    "often confident ones, once they are turned.",
    "rotated": "The same budget is spread over all rotations, so upright models may be recognised "
    "less well than by the plain network.",
}
COMMON_LIMITS: Final = (
    "Learned ten classes from 231 models, most of them furniture, and has no answer for none of "
    "these. Reads 512 of the points, and expects clouds within the unit ball with z up."
)
TITLES: Final = {"plain": "plain", "rotated": "rotation-augmented"}
DATA: Final = (
    "231 furniture models of Sweet Home 3D (Debian package sweethome3d-furniture 1.8-1, CC0 and "
    "CC-BY 3.0, creators in data/points/models.toml), 2,048 points on the surface of each; none of "
    "the 100 evaluation models, nor a near-duplicate of one, is among them"
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
        neighbours: for each table of a ``Structure`` its rows of all clouds, (n, m, 16).
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
    """The rotations (252, 3, 3) of three discs of 12 axes and 7 angles.

    Those of ``backend.nero.orbits.axis_angle_disc(12, 7)``, which this layer may not import; a test
    compares them.
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
    """Confidence (n, 252) in the true class, for every cloud at every cell of the discs.

    Cells that are the same rotation are computed once.
    """
    matrices, cells = np.unique(disc().round(9) + 0.0, axis=0, return_inverse=True)
    turns = torch.from_numpy(matrices.astype(np.float32)).transpose(1, 2)
    held = torch.empty(len(labels), len(turns))
    for i, label in enumerate(labels):
        tables = [table[i : i + 1] for table in data.neighbours]
        for start in range(0, len(turns), 4):
            scores = module.along(data.clouds[i] @ turns[start : start + 4], tables)
            held[i, start : start + 4] = torch.softmax(scores, 1)[:, label]
    return held[:, torch.from_numpy(cells.reshape(-1))]


def measure(module: PointTransformer) -> dict[str, float]:
    """Accuracies in [0, 1]; mean, and standard deviation over the discs, of mean confidence."""
    network, upright = fused(module), torch.eye(3)
    points, labels = read(TRAIN)
    train_accuracy = accuracy(network, prepared(points), labels, upright)
    points, labels = read(EVALUATION)
    data = prepared(points)
    curve = disc_confidence(network, data, labels).mean(0)
    return {
        "train_accuracy": train_accuracy,
        "upright_accuracy": accuracy(network, data, labels, upright),
        "disc_mean": float(curve.mean()),
        "disc_spread": float(curve.std(correction=0)),
    }


def fit(name: str, seed: int, steps: int) -> None:
    """Trains one variant and keeps its weights in half precision, with the seconds it took."""
    torch.manual_seed(seed)
    module = PointTransformer(len(POINTS))
    points, labels = read(TRAIN)
    start = time.process_time()
    train(module, Batches(points, labels, name == "rotated", seed), steps)
    seconds = time.process_time() - start
    path = weights_of(name, seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    tensors = module.state_dict().items()
    state = {key: value.half() if value.is_floating_point() else value for key, value in tensors}
    save_file(state, path, {"seconds": f"{seconds:.1f}", "steps": str(steps)})


def weights_of(name: str, seed: int) -> Path:
    """Where the weights of a seed lie: those of the first are shipped, others stay in the cache."""
    if seed == SEEDS[0]:
        return WEIGHTS / f"points-{name}.safetensors"
    return MODELS.parent / "data" / "cache" / "points" / f"{name}-{seed}.safetensors"


def trained(name: str, seed: int) -> PointTransformer:
    """The network of a variant and seed, in eval mode."""
    module = PointTransformer(len(POINTS))
    module.load_state_dict(load_file(weights_of(name, seed)))
    return module.eval()


def write_card(name: str) -> ModelCard:
    """Measures the weights of all seeds and writes ``models/cards/points-<name>.toml``."""
    found = {seed: measure(trained(name, seed)) for seed in SEEDS}
    metrics = dict(found[SEEDS[0]])
    for seed in SEEDS[1:]:
        metrics |= {f"seed{seed}_{what}": value for what, value in found[seed].items()}
    path = weights_of(name, SEEDS[0])
    with safe_open(path, "pt") as file:
        said = file.metadata()
    metrics["parameters"] = sum(p.numel() for p in PointTransformer(len(POINTS)).parameters())
    metrics |= {"seed": SEEDS[0], "steps": int(said["steps"]), "batch_size": BATCH}
    metrics["seconds"] = float(said["seconds"])
    card = ModelCard(
        key=path.stem,
        title=f"Points, {TITLES[name]}",
        task="points",
        summary=SUMMARY[name],
        architecture="PointTransformer",
        input=InputSpec(channels=3, height=2048, width=1),
        classes=POINTS,
        layers=("down1", "block1", "down2", "block2", "block3"),
        licence="Trained for Loupe; under Loupe's own licence",
        data=DATA,
        command=f"python -m models.train_points --variant {name} --seed {SEEDS[0]}",
        metrics=metrics,
        weights_file=path.name,
        weights_sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        limits=f"{LIMITS[name]} {COMMON_LIMITS}",
    )
    (CARDS / f"{path.stem}.toml").write_text(dump_card(card), encoding="utf-8")
    return card


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--variant", choices=list(SUMMARY), required=True)
    parser.add_argument("--seed", type=int, choices=SEEDS, default=SEEDS[0])
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--card", action="store_true", help="measure all seeds, train nothing")
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    if arguments.card:
        card = write_card(arguments.variant)
        sys.stdout.write(f"{card.key} {dict(card.metrics)}\n")
    else:
        fit(arguments.variant, arguments.seed, arguments.steps)


if __name__ == "__main__":
    main()
