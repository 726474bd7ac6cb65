"""Trains the networks of the metric-learning page: ``python -m backend.metric_learning.training``.

Needs what ``python -m data.build_cars`` drew. Features of the frozen stages are computed once
(about ten minutes on one core); then fourteen losses are trained in three folds, 60 steps of 64
images each (about fifteen minutes), and five of them once more on cars before changed backgrounds.
What is there already is kept, so that a run that was stopped goes on.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from backend.metric_learning import backgrounds
from models import metric_features, metric_losses, metric_net
from models.metric_net import Tail

ROOT: Final = Path(__file__).resolve().parents[2]
IMAGES: Final = ROOT / "data" / "cache" / "cars"
TABLES: Final = ROOT / "data" / "cars"
FOLDS: Final = 3
STEPS, BATCH, EACH = 60, 64, 8  # eight classes of eight images
RATE, PROXY_RATE = 5e-3, 5e-2
SHAPES: Final = 3  # of each training model; they are in one fold together
BG: Final = "+bg"
ROBUST: Final = ("contrastive", "triplet", "multi-similarity", "arcface", "normalized-softmax")


@dataclass(frozen=True, slots=True)
class Training:
    """The training images: ``front`` (n, 192, 4, 4) float16 features, ``labels`` (n,) classes, and
    ``group`` (n,) the 3D model that a class is a shape of."""

    front: NDArray[np.float16]
    labels: NDArray[np.int64]
    group: NDArray[np.int64]


def training(front: Path) -> Training:
    """Features and classes; shapes of one 3D model share a group."""
    names = pd.read_parquet(TABLES / "train.parquet")["car_model"]
    classes = sorted(names.unique())
    bases = [name.removesuffix(" long").removesuffix(" tall") for name in classes]
    group_of = np.array([sorted(set(bases)).index(base) for base in bases])
    labels = names.map({name: k for k, name in enumerate(classes)}).to_numpy(np.int64)
    return Training(mapped(front), labels, group_of[labels])


def batches(labels: NDArray[np.int64], seed: int) -> NDArray[np.int64]:
    """Rows (STEPS, BATCH): EACH images of BATCH / EACH classes a step."""
    rng = np.random.default_rng(seed)
    classes = np.unique(labels)
    rows = {k: np.flatnonzero(labels == k) for k in classes}
    found = []
    for _ in range(STEPS):
        chosen = rng.choice(classes, BATCH // EACH, replace=False)
        found.append(np.concatenate([rng.choice(rows[k], EACH, replace=False) for k in chosen]))
    return np.stack(found)


def train(tail: nn.Module, loss: str, held: Training, fold: int, rate: float = RATE) -> list[float]:
    """Trains a tail on all but one fold of the 3D models; returns the loss of every step."""
    rows = np.flatnonzero(held.group % FOLDS != fold)
    classes, labels = np.unique(held.labels[rows], return_inverse=True)
    with torch.random.fork_rng():
        torch.manual_seed(1_000 + fold)
        criterion = metric_losses.make(loss, len(classes), metric_net.DIMENSIONS)
    own = list(criterion.parameters())
    groups: list[dict[str, Any]] = [{"params": list(tail.parameters()), "lr": rate}]
    groups += [{"params": own, "lr": PROXY_RATE}] if own else []
    optimizer = torch.optim.Adam(groups)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, [group["lr"] for group in groups], total_steps=STEPS, pct_start=0.15
    )
    losses = []
    for batch in batches(labels, fold):
        features = torch.from_numpy(held.front[rows[batch]].astype(np.float32))
        value: Tensor = criterion(tail(features), torch.from_numpy(labels[batch]))
        optimizer.zero_grad()
        value.backward()  # type: ignore[no-untyped-call]  # untyped in torch
        optimizer.step()
        schedule.step()
        losses.append(float(value.detach()))
    return losses


def embed(tail: nn.Module, front: NDArray[np.float16]) -> NDArray[np.float32]:
    """Embeddings (n, 128) of stored features."""
    found = []
    with torch.inference_mode():
        for first in range(0, len(front), 256):
            part = torch.from_numpy(np.asarray(front[first : first + 256], np.float32))
            found.append(tail(part).numpy())
    return np.concatenate(found)


def mapped(path: Path) -> NDArray[Any]:
    """An array of the cache, read as needed."""
    found: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    return found


def features(said: Any, wanted: Sequence[tuple[str, str]]) -> None:
    """The features that are not there yet, of (split, ``plain`` or ``bg``)."""
    for split, name in wanted:
        folder = IMAGES / split
        if (folder / f"{name}-front.npy").exists():
            continue
        images = mapped(folder / "images.npy")
        if name == "bg":
            masks = mapped(folder / "masks.npy")
            behind = backgrounds.pool("train")
            chosen = backgrounds.drawn("train", len(images), 0)
            images = np.concatenate(
                [
                    backgrounds.corrupted(
                        images[rows], masks[rows].astype(np.float32) / 255, behind[chosen[rows]]
                    )
                    for rows in np.array_split(np.arange(len(images)), 20)
                ]
            )
        metric_features.write(folder, name, images, said)


def one(loss: str, fold: int, with_bg: bool, said: Any) -> None:
    """Trains and keeps one network: its weights, embeddings of the test images, what was told."""
    name = f"{loss}{BG if with_bg else ''}-{fold}"
    folder = IMAGES / "models"
    folder.mkdir(exist_ok=True)
    if (folder / f"{name}.json").exists():
        return
    start = time.perf_counter()
    held = training(IMAGES / "train" / f"{'bg' if with_bg else 'plain'}-front.npy")
    tail = metric_net.new_tail(metric_net.trunk(), fold)
    losses = train(tail.train(), loss, held, fold) if loss != metric_losses.NONE.key else []
    stored = {key: x.half().contiguous() for key, x in tail.state_dict().items()}
    save_file(stored, folder / f"{name}.safetensors")
    tail = metric_net.loaded(metric_net.trunk(), stored)  # what is kept is what is measured
    test = embed(tail, mapped(IMAGES / "test" / "plain-front.npy"))
    np.save(folder / f"{name}.npy", test.astype(np.float32), allow_pickle=False)
    told = {
        "loss": loss,
        "fold": fold,
        "with_bg": with_bg,
        "steps": len(losses),
        "first_loss": float(np.mean(losses[:5])) if losses else None,
        "last_loss": float(np.mean(losses[-10:])) if losses else None,
        "seconds": time.perf_counter() - start,
    }
    (folder / f"{name}.json").write_text(json.dumps(told) + "\n", encoding="utf-8")
    said(f"{name}: loss {told['first_loss']} -> {told['last_loss']}, {told['seconds']:.0f} s")


def kept(loss: str, fold: int, with_bg: bool) -> Tail:
    """A network that :func:`one` trained."""
    name = f"{loss}{BG if with_bg else ''}-{fold}"
    stored = load_file(IMAGES / "models" / f"{name}.safetensors")
    return metric_net.loaded(metric_net.trunk(), stored)


def finished() -> list[int]:
    """The folds in which every network on changed backgrounds is trained."""
    names = [f"{loss}{BG}" for loss in ROBUST]
    return [
        fold
        for fold in range(FOLDS)
        if all((IMAGES / "models" / f"{name}-{fold}.json").exists() for name in names)
    ]


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--loss", choices=list(metric_losses.BY_KEY), help="this one only")
    asked = parser.parse_args(arguments)

    def said(text: str) -> None:
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()

    features(said, (("test", "plain"), ("train", "plain")))
    keys = [asked.loss] if asked.loss else [card.key for card in metric_losses.ALL]
    for fold in range(FOLDS):
        for key in keys:
            one(key, fold, False, said)
    features(said, (("train", "bg"),))
    for fold in range(FOLDS):
        for key in [key for key in keys if key in ROBUST]:
            one(key, fold, True, said)


if __name__ == "__main__":
    main()
