"""Two heads that bring pictures and texts into one space, and what tells a group from a picture.

"CLIP-style, small": both towers are frozen (EfficientNet-Lite0 and all-MiniLM-L6-v2); trained are
a two-layer head on each (after Zhai et al. 2022, "LiT", which trains one) and, on the embeddings of
pictures, a classifier of groups with three hidden layers.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Final, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.efficientnet_lite import EfficientNetLite0

PICTURE_WIDTH: Final = 40 + 112 + 1280  # stages 3 and 5 and the head, averaged over space
TEXT_WIDTH: Final = 384
HIDDEN: Final = 512
WIDTH: Final = 256
INPUT_PX: Final = 128
UNITS: Final = 64
STAGES: Final = (3, 5)
GROUPS: Final = (-1, 0, 1)
"""Order of a classifier's outputs."""


class Head(nn.Module):
    """Two layers, then length 1."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Linear(width, HIDDEN)
        self.drop = nn.Dropout(0.2)
        self.second = nn.Linear(HIDDEN, WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        """(n, width) to unit rows (n, 256)."""
        return functional.normalize(self.second(self.drop(functional.gelu(self.first(x)))), dim=-1)


class GroupMlp(nn.Module):
    """Logits of the groups -1, 0 and +1 from an embedding, three hidden layers (table 4.5)."""

    def __init__(self) -> None:
        super().__init__()
        widths = (WIDTH, UNITS, UNITS, UNITS)
        self.hidden = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(widths))
        self.output = nn.Linear(UNITS, len(GROUPS))

    def forward(self, x: Tensor) -> Tensor:
        """Unit rows (n, 256) to logits (n, 3)."""
        for layer in self.hidden:
            x = functional.relu(layer(x))
        return cast(Tensor, self.output(x))


class PeopleClip(nn.Module):
    """Both heads, and a classifier for each attribute.

    Attributes:
        mean, scale: (1432,) that features of pictures are standardised by.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(PICTURE_WIDTH))
        self.register_buffer("scale", torch.ones(PICTURE_WIDTH))
        self.picture = Head(PICTURE_WIDTH)
        self.text = Head(TEXT_WIDTH)
        self.gender = GroupMlp()
        self.tone = GroupMlp()

    def pictures(self, features: Tensor) -> Tensor:
        """Features (n, 1432) of :func:`picture_features` to unit rows (n, 256)."""
        return cast(Tensor, self.picture((features - self.mean) / self.scale))

    def texts(self, vectors: Tensor) -> Tensor:
        """MiniLM's vectors (n, 384) to unit rows (n, 256)."""
        return cast(Tensor, self.text(vectors * TEXT_WIDTH**0.5))


def picture_features(tower: EfficientNetLite0, pixels: Tensor, batch: int = 64) -> Tensor:
    """Features (n, 1432) of pictures (n, 3, h, w) in [0, 1], resized to 128 px."""
    found = []
    with torch.inference_mode():
        for part in torch.split(pixels, batch):
            size = (INPUT_PX, INPUT_PX)
            x = functional.interpolate(part, size=size, mode="bicubic", align_corners=False)
            x = tower.stem((x.clamp(0, 1) * 255.0 - 127.0) / 128.0)
            kept = []
            for stage in range(1, 8):
                x = tower.get_submodule(f"stage{stage}")(x)
                if stage in STAGES:
                    kept.append(x.mean((2, 3)))
            found.append(torch.cat([*kept, tower.head(x).mean((2, 3))], dim=1))
    return torch.cat(found)
