"""Stand-ins for models: seeded, counting their calls, and failing when told to. No torch needed."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from backend.errors import DeviceFull
from backend.protocols import F32, I64
from models.cards import InputSpec, ModelCard

DIGITS = tuple("0123456789")


def card(
    key: str = "fake", size: int = 28, channels: int = 1, classes: tuple[str, ...] = DIGITS
) -> ModelCard:
    """A card of a model that does not exist on disk."""
    return ModelCard(
        key=key,
        title=key.title(),
        task="digits",
        summary="A stand-in.",
        architecture="DigitCNN",
        input=InputSpec(channels, size, size),
        classes=classes,
        layers=("block1", "block6"),
        licence="none",
        data="none",
        command="none",
        metrics={},
        weights_file="none.safetensors",
        weights_sha256="0" * 64,
        limits="Knows nothing.",
    )


def softmax(scores: NDArray[np.floating]) -> F32:
    """Rows of positive numbers that sum to 1."""
    raised = np.exp(scores - scores.max(axis=1, keepdims=True))
    return (raised / raised.sum(axis=1, keepdims=True)).astype(np.float32)


@dataclass
class FakeBackend:
    """A linear classifier with fixed random weights.

    Attributes:
        fails_at: the call, counted from 1, that says the device is full; 0 for none.
        batches: the sizes of the batches it was given.
    """

    size: int = 28
    channels: int = 1
    seed: int = 0
    fails_at: int = 0
    device: str = "cpu"
    batches: list[int] = field(default_factory=list)

    @property
    def card(self) -> ModelCard:
        return card(size=self.size, channels=self.channels)

    def predict(self, batch: F32) -> F32:
        """Class probabilities (b, 10)."""
        self.batches.append(len(batch))
        if len(self.batches) == self.fails_at:
            raise DeviceFull("A single image does not fit.", "Free memory.")
        pixels = self.channels * self.size**2
        weights = np.random.default_rng(self.seed).normal(size=(pixels, 10)) / np.sqrt(pixels)
        # In double precision, so that the size of a batch cannot show in the result.
        return softmax(batch.reshape(len(batch), -1).astype(np.float64) @ weights * 10)


def grey_model(batch: F32) -> F32:
    """Sees the mean grey value only, so no rotation about the centre that keeps it can matter."""
    grey = batch.mean(axis=(1, 2, 3), dtype=np.float64)
    return softmax(np.stack([grey * (i + 1) for i in range(10)], axis=1))


def disc_images(n: int = 4, size: int = 28) -> tuple[NDArray[np.uint8], I64]:
    """Smooth random images that vanish outside the inscribed circle, with labels."""
    rng = np.random.default_rng(7)
    y, x = np.mgrid[:size, :size] - (size - 1) / 2
    fade = np.clip(size / 2 - 2 - np.hypot(x, y), 0, 4) / 4
    waves = [
        np.sin(rng.normal() * x / 4 + rng.normal() * y / 4 + rng.normal() * 3) for _ in range(n)
    ]
    images = np.round(np.array([(wave + 1) / 2 * fade for wave in waves]) * 255)
    return images.astype(np.uint8), rng.integers(0, 10, n)


def noise_images(
    n: int = 3, size: int = 28, channels: int = 0, seed: int = 1
) -> tuple[NDArray[np.uint8], I64]:
    """Random pixels (n, h, w[, c]) and labels: the hardest case for interpolation."""
    rng = np.random.default_rng(seed)
    shape = (n, size, size, channels) if channels else (n, size, size)
    return rng.integers(0, 256, shape, dtype=np.uint8), rng.integers(0, 10, n)
