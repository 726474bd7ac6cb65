"""Trains the small net of pictures: ``python -m backend.insights.distilling``, ten minutes.

It learns to tell what the third stage of EfficientNet-Lite0 (ImageNet weights, Apache-2.0) tells of
every place of the campaigns' training and validation pictures. No success rate is read.
"""

from __future__ import annotations

import sys
from typing import Final

import numpy as np
import torch
from safetensors.torch import save
from torch import Tensor, nn

from backend.files import write_atomic
from backend.insights import contents, encoding
from backend.insights.pictures_code import FRESH
from models.cards import CARDS, read_card
from models.efficientnet_lite import EfficientNetLite0
from models.insights_parts import cell_layers
from models.load import load_module

BATCH: Final = 32
EPOCHS: Final = 10
RATE: Final = 4e-3
STAGES: Final = ("stem", "stage1", "stage2", "stage3")


def taught(pixels: Tensor, teacher: EfficientNetLite0) -> Tensor:
    """The third stage (b, 40, 16, 16) of pictures (b, 3, 128, 128) in [0, 1]."""
    x = (pixels * 255.0 - 127.0) / 128.0
    with torch.inference_mode():
        for name in STAGES:
            x = teacher.get_submodule(name)(x)
    return x


def distil(seed: int = 0) -> dict[str, Tensor]:
    """The weights of ``models.insights_parts.cell_layers``, and the mean colour as ``origin``."""
    held = contents.load("campaigns")
    if held.pictures is None:
        raise AssertionError("the campaigns have pictures")
    rows = np.concatenate([held.rows("training"), held.rows("validation")])
    teacher = load_module(read_card(CARDS / "imagenet-lite0.toml"))
    assert isinstance(teacher, EfficientNetLite0)
    pixels = [encoding.pixels_tensor(held.pictures.images(part)) for part in _parts(rows)]
    wanted = torch.cat([taught(part, teacher).half() for part in pixels])
    origin = torch.stack([part.mean((0, 2, 3)) for part in pixels]).mean(0)
    x = torch.cat([(part * 255).round().byte() for part in pixels])
    middle = wanted.float().mean((0, 2, 3), keepdim=True)[0]
    scale = wanted.float().std((0, 2, 3))[:, None, None]
    torch.manual_seed(seed)
    net, rng = cell_layers(), np.random.default_rng(seed)
    optimiser = torch.optim.Adam(net.parameters(), lr=RATE)
    total = EPOCHS * (len(rows) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, total_steps=total)
    for epoch in range(EPOCHS):
        losses = 0.0
        for part in rng.permutation(len(rows))[: total // EPOCHS * BATCH].reshape(-1, BATCH):
            told = net(x[part].float() / 255 - origin[:, None, None])
            loss = nn.functional.mse_loss(told, (wanted[part].float() - middle) / scale)
            optimiser.zero_grad()
            torch.autograd.backward(loss)
            optimiser.step()
            schedule.step()
            losses += float(loss.detach())
        sys.stderr.write(f"epoch {epoch + 1}: {losses * EPOCHS / total:.3f} of the variance left\n")
    return {**net.eval().state_dict(), "origin": origin}


def _parts(rows: np.ndarray) -> list[np.ndarray]:
    return np.array_split(rows, max(1, len(rows) // 128))


def main() -> None:
    """Writes the file."""
    torch.set_num_threads(1)
    made = distil()
    halves = {k: v.half() if v.is_floating_point() else v for k, v in made.items()}
    data = save(halves)
    write_atomic(FRESH, lambda out: out.write(data))


if __name__ == "__main__":
    main()
