"""A set's modalities, encoded once, for training: tokens, pixels, codes and columns by row."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from backend.insights import encoded_features, encoding
from backend.insights.contents import Contents
from backend.insights.encoding import Design
from backend.protocols import I64, U8
from models.insights_cells import IMAGE_PX
from models.insights_parts import Encoder, Lines
from models.insights_training import Target

READ: int = 256  # pictures read at a time


class Prepared:
    """The rows of a set that are asked for; others have no text and no picture.

    Attributes:
        held: the set; rows: those asked for; design: how its domains and features become numbers.
        has_image: (n,) bool; domain: (n, d); features: (n, c), all by row of the set.
    """

    def __init__(self, held: Contents, rows: I64, design: Design, encoder: Encoder) -> None:
        self.held, self.design, self.encoder = held, design, encoder
        self.rows = torch.from_numpy(rows)
        names = [held.domains[int(d)] for d in held.domain]
        self.domain = torch.from_numpy(encoding.domain_code(design, names))
        told = [encoded_features.features_of(held, row) for row in range(len(held))]
        self.features = torch.from_numpy(encoding.feature_columns(design, told))
        self._texts = {int(row): encoding.cut(held.text(int(row))) for row in rows}
        self.has_image = torch.zeros(len(held), dtype=torch.bool)
        self._place = torch.zeros(len(held), dtype=torch.int64)
        self._pixels: U8 | None = None
        if held.pictures is not None:
            shown = rows[held.pictures.has_image[rows]]
            self.has_image[shown] = True
            self._place[shown] = torch.arange(len(shown))
            read = [held.pictures.images(shown[k : k + READ]) for k in range(0, len(shown), READ)]
            self._pixels = np.concatenate(read) if read else None

    def lines(self, rows: Tensor) -> Lines:
        """The texts of some rows."""
        return encoding.batched([self._texts[row] for row in rows.tolist()], self.encoder)[0]

    def pixels(self, rows: Tensor) -> Tensor | None:
        """(b, 3, 128, 128) float32 in [0, 1], zero where there is no picture; ``None`` for none."""
        if self._pixels is None or not self.has_image[rows].any():
            return None
        shown = np.zeros((len(rows), IMAGE_PX, IMAGE_PX, 3), np.uint8)
        there = self.has_image[rows].numpy()
        shown[there] = self._pixels[self._place[rows].numpy()[there]]
        return encoding.pixels_tensor(shown)

    def mean_colour(self) -> Tensor:
        """(3,) in [0, 1] of the pictures; grey without any."""
        if self._pixels is None:
            return torch.full((3,), 0.5)
        return torch.from_numpy(self._pixels.mean((0, 1, 2)) / 255.0).float()


def target(held: Contents) -> Target:
    """Rates, impressions and experiments of a whole set."""
    shown = np.where(np.isfinite(held.impressions), held.impressions, 1.0)
    _, group = np.unique(held.experiment, return_inverse=True)
    return Target(
        torch.from_numpy(np.asarray(held.success, np.float32)),
        torch.from_numpy(shown.astype(np.float32)),
        torch.from_numpy(group.astype(np.int64)),
    )
