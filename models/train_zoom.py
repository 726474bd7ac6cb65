"""Trains the Zoom-In network, one-stage sampling and a plain CNN on needle images.

``python -m models.train_zoom --seeds 0 1 2`` (after ``python -m data.build_needles``). The first
seed's weights and cards are written, with mean and range over all seeds.

Budget: all three see the same images in the same order, the same number of steps with the same
optimiser, and have the same ``f`` and ``g``; what ``f`` sees of a 1,024 px image has 16,384 pixels
in each (16 pieces of 32 px, or the whole image at an eighth). Only labels of images are used. The
images grow from 64 px, hardly more than the needle, to 1,024 px: at full size at once, the few
pieces drawn at first would hardly ever show the needle. The evaluation images, on photographs,
digits and clothes that training does not have, are read once, after the last step.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from models import needle_scenes
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
        groups = [{"params": others}, {"params": looking, "lr": ATTENTION_LR * MAX_LR}]
        self.optimiser = torch.optim.Adam([g for g in groups if g["params"]], lr=MAX_LR)
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
