"""How well attention finds what it was never shown: measured on held-out needle images."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models import needle_scenes
from models.zoom_training import Drawn

BATCH = 10
Pass = Callable[[Tensor], tuple[Tensor, Drawn | None]]


@dataclass(slots=True)
class Tally:
    """Collected over images.

    Attributes:
        right: for each image, whether the answer was right.
        attention, amount: for each tile of positive images, the attention on it and how many
            pixels of the needle's strokes lie in it.
        joint, inside: for each piece looked at in positive images, its attention and the share of
            it that strokes cover.
        covered: for each positive image, the share of the strokes that some piece shows.
    """

    right: list[bool] = field(default_factory=list)
    attention: list[float] = field(default_factory=list)
    amount: list[float] = field(default_factory=list)
    joint: list[float] = field(default_factory=list)
    inside: list[float] = field(default_factory=list)
    covered: list[float] = field(default_factory=list)

    def metrics(self) -> dict[str, float]:
        """Accuracy; where something was drawn, also Spearman correlations and recall."""
        found = {"accuracy": float(np.mean(self.right))}
        if self.covered:
            covered = np.array(self.covered)
            found["attention_spearman"] = spearman(self.attention, self.amount)
            found["subtile_spearman"] = spearman(self.joint, self.inside)
            found["needle_hit"] = float((covered > 0.1).mean())
            found["needle_recall"] = float(covered.mean())
        return found


@torch.inference_mode()
def measure(run: Pass, count: int, tile_px: int, side_px: int) -> dict[str, float]:
    """Accuracy and attention metrics on the first ``count`` evaluation images.

    Args:
        run: logits (n, classes), and what was drawn, of images (n, 3, h, w) uint8.
        tile_px: side of the tiles over which attention is compared with the needle.
        side_px: side of the pieces.
    """
    held = needle_scenes.parts("eval")
    tally = Tally()
    for start in range(0, count, BATCH):
        scenes = [needle_scenes.held_out(row) for row in range(start, min(count, start + BATCH))]
        images = np.stack([needle_scenes.render(held, scene) for scene in scenes])
        logits, drawn = run(torch.from_numpy(images.transpose(0, 3, 1, 2).copy()))
        for i, scene in enumerate(scenes):
            tally.right.append(int(logits[i].argmax()) == scene.label)
            if drawn is not None and scene.label:
                mask = needle_scenes.mask(held, scene)
                _add(tally, drawn, i, mask, tile_px, side_px)
    return tally.metrics()


def _add(
    tally: Tally, drawn: Drawn, i: int, mask: NDArray[np.bool_], tile_px: int, side_px: int
) -> None:
    rows = mask.shape[0] // tile_px
    amount = mask.reshape(rows, tile_px, rows, tile_px).sum((1, 3))
    side = round(drawn.alpha.shape[1] ** 0.5)
    attention = drawn.alpha[i].reshape(rows, side // rows, rows, side // rows).sum((1, 3))
    tally.attention += attention.flatten().tolist()
    tally.amount += amount.flatten().tolist()
    seen = np.zeros_like(mask)
    for row in (drawn.pieces[:, 0] == i).nonzero().flatten().tolist():
        _, y, x = drawn.pieces[row].tolist()
        top, left = max(0, y - side_px // 2), max(0, x - side_px // 2)
        part = slice(top, y - side_px // 2 + side_px), slice(left, x - side_px // 2 + side_px)
        tally.joint.append(float(drawn.joint[row]))
        tally.inside.append(float(mask[part].sum()) / side_px**2)
        seen[part] = True
    tally.covered.append(float((seen & mask).sum() / mask.sum()))


def spearman(one: list[float], other: list[float]) -> float:
    """Rank correlation, ties sharing their rank; 0 where one side is constant."""
    x, y = _ranks(np.array(one)), _ranks(np.array(other))
    x, y = x - x.mean(), y - y.mean()
    spread = float(np.sqrt((x @ x) * (y @ y)))
    return float(x @ y) / spread if spread > 0 else 0.0


def _ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    middle: NDArray[np.float64] = (last - (counts - 1) / 2)[inverse]
    return middle
