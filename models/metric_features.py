"""What the frozen stages answer about images, kept on disk: training then skips them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.lib.format import open_memmap
from numpy.typing import NDArray

from models import metric_net

U8 = NDArray[np.uint8]
F16 = NDArray[np.float16]
BATCH: Final = 32


def write(
    folder: Path,
    name: str,
    images: U8,
    said: Callable[[str], object] = lambda text: None,
) -> None:
    """Writes ``<name>-front.npy`` (n, 192, 4, 4) and ``<name>-pooled.npy`` (n, 992), float16.

    Args:
        images: ``(n, 128, 128, 3)``.
    """
    held = metric_net.trunk()
    n, side = len(images), metric_net.SIDE // 32
    parts = {
        "front": open_memmap(folder / f"{name}-front.part", "w+", np.float16, (n, 192, side, side)),
        "pooled": open_memmap(
            folder / f"{name}-pooled.part", "w+", np.float16, (n, metric_net.POOLED)
        ),
    }
    for first in range(0, n, BATCH):
        rows = slice(first, min(first + BATCH, n))
        with torch.inference_mode():
            outputs = metric_net.stages(held, tensor(images[rows]))
            parts["front"][rows] = outputs[-1].numpy()
            parts["pooled"][rows] = metric_net.pooled(outputs).numpy()
        if first % (20 * BATCH) == 0:
            said(f"{name}: features of {first} of {n} images")
    for kind in parts:
        parts[kind].flush()
        (folder / f"{name}-{kind}.part").replace(folder / f"{name}-{kind}.npy")


def tensor(images: U8) -> torch.Tensor:
    """Images (n, h, w, 3) uint8 as the networks take them: (n, 3, h, w) float32 in [0, 1]."""
    moved = np.ascontiguousarray(np.moveaxis(images, -1, 1))
    return torch.from_numpy(moved).float() / 255
