"""Trains the flow network on synthetic particle pairs and writes its weights and card.

``python -m models.train_piv --seeds 0 1 2`` (after ``python -m data.build_piv``) trains three times
under one budget, measures each along the 16 symmetries of the square and of time beside Farnebäck's
method, and ships seed 0. A seed whose run lies in ``data/cache`` is not trained again.

Pairs are drawn while it trains, from the families of the evaluation set with other random streams.
There is no symmetry augmentation: as in public PIV sets, half of the families flow from left to
right, which is what makes the network prefer a direction. The evaluation set is read once a seed,
after the last step.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import time
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional

from models.cards import CARDS, MODELS, WEIGHTS, InputSpec, ModelCard, dump_card
from models.farneback import farneback
from models.piv_flows import FAMILIES, SIZE_PX
from models.piv_measure import Curve, along_symmetries
from models.piv_net import PivNet
from models.piv_particles import draw_pair

STREAM = 3
STEPS = 1200
PAIRS = 4  # a step; each pair is cut into four crops
CROP_PX = SIZE_PX // 2
MAX_LR = 2e-3
WEIGHT_DECAY = 1e-4
LEVEL_WEIGHTS = (0.3, 0.5, 1.0)  # coarse, fine, refined
KEY = "piv-net"
MORE = "seeds_with_more_variance_than_farneback"
SUMMARY = (
    "Two levels of features, correlation volumes and a refinement (after LiteFlowNet), trained on "
    "synthetic pairs of six flow families without symmetry augmentation."
)
TRAINED_ON = (
    "Synthetic particle pairs drawn by models.piv_particles: uniform, backstep and cylinder flows "
    "mostly from left to right, SQG-like, DNS-like and isotropic random fields. None is from a "
    "simulation or a recording"
)
LIMITS = (
    "It has only seen bright Gaussian particles that move by up to 6 px, and no recorded images: "
    "on a recorded pair whose particles fall by 5 px it answered 2 px where both untrained methods "
    "agree."
)
CACHE = MODELS.parent / "data" / "cache"
EVAL_FILE = MODELS.parent / "data" / "piv" / "eval.npz"


class Batches:
    """An endless run of training batches."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng([STREAM, seed])
        self.turn = 0

    def next(self) -> tuple[Tensor, Tensor]:
        """Frames (16, 2, 64, 64) in [0, 1] and displacements (16, 2, 32, 32) in px, float32."""
        frames, fields = [], []
        for _ in range(PAIRS):
            pair, field = draw_pair(FAMILIES[self.turn % len(FAMILIES)], self.rng)
            self.turn += 1
            frames.append(torch.from_numpy(pair).float() / 255)
            fields.append(torch.from_numpy(field))
        return quarters(torch.stack(frames)), quarters(torch.stack(fields))


def quarters(images: Tensor) -> Tensor:
    """(b, c, 2h, 2w) cut into four crops each, (4·b, c, h, w)."""
    rows = torch.cat(images.chunk(2, 2))
    return torch.cat(rows.chunk(2, 3))


def loss_of(levels: list[Tensor], truth: Tensor) -> Tensor:
    """The weighted sum of the mean lengths of the error vectors of all parts, in px."""
    total = torch.zeros(())
    for weight, flow in zip(LEVEL_WEIGHTS, levels, strict=True):
        wanted = functional.adaptive_avg_pool2d(truth, (flow.shape[2], flow.shape[3]))
        total = total + weight * ((flow - wanted).square().sum(1) + 1e-6).sqrt().mean()
    return total


def train(module: PivNet, batches: Batches, steps: int) -> None:
    """Runs exactly ``steps`` steps of AdamW under a one-cycle schedule; ends in eval mode."""
    optimiser = torch.optim.AdamW(module.parameters(), lr=MAX_LR, weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, MAX_LR, total_steps=steps)
    module.train()
    for step in range(steps):
        frames, truth = batches.next()
        levels = module.levels(frames)
        loss = loss_of(levels, truth)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(module.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        if (step + 1) % 50 == 0:
            error = (levels[-1] - truth).square().sum(1).sqrt().mean().item()
            sys.stderr.write(f"step {step + 1}/{steps}: error {error:.3f} px\n")
    module.eval()


def run(seed: int, steps: int) -> dict[str, float]:
    """Trains one seed and measures it, or reads the run that is there."""
    path = CACHE / f"{KEY}-seed{seed}-{steps}.safetensors"
    record = path.with_suffix(".json")
    if path.is_file() and record.is_file():
        return dict(json.loads(record.read_text(encoding="utf-8")))
    torch.manual_seed(seed)
    module = PivNet().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    start = time.process_time()
    train(module, Batches(seed), steps)
    seconds = time.process_time() - start
    # Half precision is what is stored, so it is what is measured.
    state = {name: value.contiguous().half() for name, value in module.state_dict().items()}
    CACHE.mkdir(exist_ok=True)
    save_file(state, path)
    module.load_state_dict({name: value.float() for name, value in load_file(path).items()})
    curve = measured(module)
    metrics = {
        "rmse_px": curve.at_identity,
        "orbit_rmse_px": curve.mean,
        "variance_px2": curve.variance,
        "cpu_seconds": round(seconds, 1),
    }
    record.write_text(json.dumps(metrics), encoding="utf-8")
    return metrics


def measured(module: PivNet) -> Curve:
    """The network on the evaluation set, along the 16 symmetries."""

    def predict(frames: NDArray[np.float32]) -> NDArray[Any]:
        with torch.inference_mode():
            return np.asarray(module(torch.from_numpy(frames)).numpy())

    frames, fields = read_eval()
    return along_symmetries(predict, frames, fields)


def read_eval() -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Frames (120, 2, 128, 128) uint8 and fields (120, 2, 64, 64) float32."""
    with np.load(EVAL_FILE, allow_pickle=False) as file:
        return file["frames"], file["fields"].astype(np.float32)


def card_metrics(runs: dict[int, dict[str, float]], steps: int) -> dict[str, float]:
    """What the card says: the shipped seed, every seed, and Farnebäck's method beside them."""
    shipped = min(runs)
    other = along_symmetries(farneback, *read_eval())
    metrics: dict[str, float] = dict(runs[shipped])
    for seed, values in runs.items():
        for name in ("rmse_px", "orbit_rmse_px", "variance_px2"):
            metrics[f"seed{seed}_{name}"] = values[name]
    return metrics | {
        "farneback_rmse_px": other.at_identity,
        "farneback_orbit_rmse_px": other.mean,
        "farneback_variance_px2": other.variance,
        MORE: sum(run["variance_px2"] > other.variance for run in runs.values()),
        "parameters": sum(p.numel() for p in PivNet().parameters()),
        "seed": shipped,
        "steps": steps,
        "batch_size": 4 * PAIRS,
    }


def write_card(runs: dict[int, dict[str, float]], steps: int) -> ModelCard:
    """Copies the first seed's weights and writes the card; returns what it says."""
    weights = (CACHE / f"{KEY}-seed{min(runs)}-{steps}.safetensors").read_bytes()
    (WEIGHTS / f"{KEY}.safetensors").write_bytes(weights)
    metrics = card_metrics(runs, steps)
    command = f"python -m models.train_piv --seeds {' '.join(str(seed) for seed in sorted(runs))}"
    if steps != STEPS:
        command += f" --steps {steps}"
    card = ModelCard(
        key=KEY,
        title="PIV, small flow network",
        task="piv",
        summary=SUMMARY,
        architecture="PivNet",
        input=InputSpec(channels=2, height=SIZE_PX, width=SIZE_PX),
        classes=FAMILIES,
        layers=("stem", "deeper", "coarse", "fine", "refine"),
        licence="Trained for Loupe; under Loupe's own licence",
        data=TRAINED_ON,
        command=command,
        metrics=metrics,
        weights_file=f"{KEY}.safetensors",
        weights_sha256=hashlib.sha256(weights).hexdigest(),
        limits=f"Its variance over the 16 symmetries is larger than that of Farnebäck's method "
        f"for {metrics[MORE]:.0f} of {len(runs)} seeds: it learned that flows go from left to "
        f"right. {LIMITS}",
    )
    (CARDS / f"{KEY}.toml").write_text(dump_card(card), encoding="utf-8")
    return card


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--threads", type=int, default=1, help="CPU threads")
    parser.add_argument("--no-card", action="store_true", help="only train and measure")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    runs = {seed: run(seed, arguments.steps) for seed in arguments.seeds}
    for seed, values in runs.items():
        sys.stdout.write(f"seed {seed}: {values}\n")
    if not arguments.no_card:
        write_card(runs, arguments.steps)


if __name__ == "__main__":
    main()
