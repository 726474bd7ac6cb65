"""A CLIP-style dual encoder, small: two frozen towers and a trained head on each.

Images go through EfficientNet-Lite0 (ImageNet weights) to 1,280 numbers, texts through
all-MiniLM-L6-v2 to 384; each head takes them to one space of 128 dimensions. Only the heads and the
logit scale were trained, so a file of weights holds no tower.
"""

from __future__ import annotations

import math
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.efficientnet_lite import HEAD, STAGES, EfficientNetLite0
from models.text_encoder import WIDTH as TEXT_WIDTH

WIDTH: Final = 128
HIDDEN: Final = 128
IMAGE_PX: Final = 160  # what pictures are scaled to before the tower; a multiple of 32
FIRST_SCALE: Final = 1 / 0.07
MOST_SCALE: Final = 100.0


class Head(nn.Module):
    """Tower features to unit vectors of the common space."""

    def __init__(self, into: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(into, elementwise_affine=False)
        self.hidden = nn.Linear(into, HIDDEN)
        self.drop = nn.Dropout(0.3)
        self.out = nn.Linear(HIDDEN, WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        """(n, into) to (n, WIDTH), rows of length 1."""
        x = self.drop(functional.gelu(self.hidden(self.norm(x))))
        return functional.normalize(self.out(x), dim=-1)


class Heads(nn.Module):
    """Both heads and the logit scale, which is stored as its logarithm, as CLIP does."""

    def __init__(self) -> None:
        super().__init__()
        self.image = Head(HEAD)
        self.text = Head(TEXT_WIDTH)
        self.log_scale = nn.Parameter(torch.tensor(math.log(FIRST_SCALE)))

    def forward(self, images: Tensor, texts: Tensor) -> tuple[Tensor, Tensor]:
        """Features (n, 1280) and (n, 384) to unit vectors (n, WIDTH) each."""
        return self.image(images), self.text(texts)

    @property
    def scale(self) -> Tensor:
        """What cosines are multiplied by before the softmax: 1 to 100."""
        return self.log_scale.exp().clamp(1.0, MOST_SCALE)


def image_features(tower: EfficientNetLite0, pictures: Tensor) -> Tensor:
    """Pooled features (n, 1280) of RGB pictures (n, 3, h, w) in [0, 1], sides multiples of 32."""
    x = tower.stem((pictures * 255.0 - 127.0) / 128.0)
    for i in range(1, len(STAGES) + 1):
        x = tower.get_submodule(f"stage{i}")(x)
    pooled: Tensor = tower.pool(tower.head(x)).flatten(1)
    return pooled


def scaled(pictures: Tensor) -> Tensor:
    """RGB bytes (n, h, w, 3) to (n, 3, IMAGE_PX, IMAGE_PX) float32 in [0, 1], bilinear."""
    x = pictures.permute(0, 3, 1, 2).float() / 255.0
    side = (IMAGE_PX, IMAGE_PX)
    return functional.interpolate(x, side, mode="bilinear", align_corners=False, antialias=True)
