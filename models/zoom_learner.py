"""One training run of the Zoom-In network or a baseline on needle images: phases and steps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from models import needle_scenes
from models.zoom_baselines import AtsNet, DownscaledCnn
from models.zoom_metrics import measure
from models.zoom_net import ZoomNet
from models.zoom_training import ats_loss, ats_pass, cnn_loss, shrunk, zoom_loss, zoom_pass
from models.zoom_warmup import piece_loss, place_features, whole_ats_loss, whole_zoom_loss

Kind = Literal["zoom", "ats", "cnn"]
KINDS: tuple[Kind, ...] = ("zoom", "ats", "cnn")
TILES = 16
TILE_PX = 128
LEARNING_RATE = 2e-3
ATTENTION_RATE = 6e-3
CLIP = 5.0


@dataclass(frozen=True, slots=True)
class Phase:
    """Images of one size, how many at once, how often.

    Attributes:
        pool: so many images are made once and seen again and again; 0: always new ones.
        rate: times the learning rates.
    """

    size_px: int
    batch: int
    steps: int
    pool: int = 0
    rate: float = 1.0


PHASES = (
    Phase(64, 64, 200),  # single pieces teach f
    Phase(256, 16, 700, pool=640),  # attention over 4 tiles, with f as it is
    Phase(512, 8, 300, pool=160),  # and over 16
    Phase(1024, 8, 50, rate=0.2),  # all of it, by what is drawn
)


def images_of(phase: Phase, count: int, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Images (n, 3, s, s) uint8, every second one with a needle, and labels (n,)."""
    held = needle_scenes.parts("train")
    images, labels = [], []
    for i in range(count):
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

    def __init__(self, kind: Kind, seed: int) -> None:
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
        groups: list[dict[str, Any]] = [
            {"params": [], "base": r} for r in (LEARNING_RATE, ATTENTION_RATE)
        ]
        for name, parameter in self.net.named_parameters():
            is_attention = name.partition(".")[0] in ("a", "b", "sharpness")
            groups[is_attention]["params"].append(parameter)
        self.optimiser = torch.optim.Adam([g for g in groups if g["params"]], lr=LEARNING_RATE)

    def run(self, phase: Phase, rng: np.random.Generator) -> float:
        """All steps of a phase; the running mean of the loss at its end."""
        for group in self.optimiser.param_groups:
            group["lr"] = group["base"] * phase.rate
        pool = images_of(phase, phase.pool, rng) if phase.pool else None
        features = self._features(pool[0]) if pool else None
        mean = 0.0
        for step in range(phase.steps):
            if pool is None:
                images, labels = images_of(phase, phase.batch, rng)
                loss = self._loss(images, labels, None)
            else:
                rows = torch.from_numpy(rng.choice(phase.pool, phase.batch, replace=False))
                part = features[rows] if features is not None else None
                loss = self._loss(pool[0][rows], pool[1][rows], part)
            self.optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(self.net.parameters(), CLIP)
            self.optimiser.step()
            mean = loss.item() if step == 0 else 0.95 * mean + 0.05 * loss.item()
        return mean

    def _features(self, images: Tensor) -> Tensor | None:
        """Those of all places, where the network has attention to learn from them."""
        if isinstance(self.net, ZoomNet):
            sizes = self.net.geometry
            step = sizes.tile_px // sizes.view_px
            return place_features(self.net.f, images, sizes.subtile_px, step)
        if isinstance(self.net, AtsNet):
            return place_features(self.net.f, images, self.net.subtile_px, self.net.scale_px)
        return None

    def _loss(self, images: Tensor, labels: Tensor, features: Tensor | None) -> Tensor:
        net = self.net
        if isinstance(net, ZoomNet):
            if features is not None:
                return whole_zoom_loss(net, images, labels, features)
            if images.shape[-1] < TILE_PX:
                return piece_loss(net, images, labels, self.generator)
            return zoom_loss(net, images, labels, TILES, self.generator)
        if isinstance(net, AtsNet):
            if features is not None:
                return whole_ats_loss(net, images, labels, features)
            if images.shape[-1] < TILE_PX:
                return piece_loss(net, images, labels, self.generator)
            loss, self.baseline = ats_loss(
                net, images, labels, TILES, self.generator, self.baseline
            )
            return loss
        assert isinstance(net, DownscaledCnn)
        return cnn_loss(net, images, labels)

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
    learner = Learner(kind, seed)
    rng = np.random.default_rng(seed)
    for phase in PHASES:
        loss = learner.run(phase, rng)
        report(f"{kind} {seed}: {phase.steps} steps at {phase.size_px} px, loss {loss:.3f}")
    return learner
