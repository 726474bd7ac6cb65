"""What the Zoom-In network is compared with: attention sampling in one stage, and a plain CNN.

Source: Advancing Vision Intelligence (dissertation, 2024), equations (2.1) to (2.3). Both use the
same ``f`` and ``g`` as the Zoom-In network, so that only the way of looking differs.
"""

from __future__ import annotations

from typing import cast

from torch import Tensor, nn

from models.zoom_net import (
    FEATURES,
    Form,
    attention_layers,
    feature_layers,
    normal,
    pooled_features,
)


class AtsNet(nn.Module):
    """One attention map over a view at the scale of the second stage; pieces drawn from it at once.

    Attributes:
        scale_px: pixels of the image per pixel of the view.
        subtile_px: side of a piece at full resolution.
    """

    def __init__(self, n_classes: int = 2, form: Form = "lenet") -> None:
        super().__init__()
        self.scale_px, self.subtile_px = 4, 32
        self.a = attention_layers(form)
        self.f = feature_layers(form)
        self.g = nn.Linear(FEATURES, n_classes)

    def place_logits(self, view: Tensor) -> Tensor:
        """Logits of all places, (n, h, w), of a view (n, 3, h, w) in [0, 1]."""
        return cast(Tensor, self.a(normal(view)))[:, 0]

    def features(self, pieces: Tensor) -> Tensor:
        """(n, 32) of full-resolution pieces (n, 3, h2, w2)."""
        return pooled_features(self.f, pieces)

    def forward(self, pieces: Tensor) -> Tensor:
        """Logits (classes,) of the plain mean over pieces drawn with replacement (n, 3, h, w)."""
        return cast(Tensor, self.g(self.features(pieces).mean(0)))


class DownscaledCnn(nn.Module):
    """The same features over the whole image, made smaller: (n, 3, h, w) in [0, 1] to logits.

    Attributes:
        scale_px: pixels of the image per pixel of what it sees. At 8 it sees as many pixels of a
            1,024 px square as 16 pieces of 32 px have.
    """

    def __init__(self, n_classes: int = 2, form: Form = "lenet") -> None:
        super().__init__()
        self.scale_px = 8
        self.f = feature_layers(form)
        self.g = nn.Linear(FEATURES, n_classes)

    def forward(self, view: Tensor) -> Tensor:
        """Logits (n, classes) of the reduced image."""
        return cast(Tensor, self.g(pooled_features(self.f, view)))
