"""Estimators of particle motion behind the :class:`backend.protocols.ModelBackend` protocol: a
network, Farnebäck's optical flow, and window cross-correlation.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from backend.errors import BadRequest, DeviceFull
from backend.protocols import F32
from backend.torch_backend import RANGE_SLACK, Calls, is_out_of_memory
from models import cross_correlation
from models.cards import ModelCard, WeightsMismatch
from models.farneback import farneback
from models.load import load_module

PIECE_PIXELS: Final = 8 * 128 * 128  # of a frame, in one go
MULTIPLE_PX: Final = 4
LEAST_PX: Final = 64
LEAST_CONTRAST: Final = 4 / 255


class PivMethod:
    """One estimator; safe to call from several threads.

    Args:
        estimate: frames (b, 2, s, s) float32 in [0, 1] to fields (b, 2, s/2, s/2).
        card: what it is.
        device: where it runs.
    """

    def __init__(self, estimate: Callable[[F32], F32], card: ModelCard, device: str) -> None:
        self.card = card
        self.device = device
        self.calls = Calls()
        self._estimate = estimate

    def predict(self, batch: F32) -> F32:
        """Displacements ``(b, 2, s/2, s/2)`` in px per pair, u right and v down, of frames
        ``(b, 2, s, s)`` in [0, 1]; NaN for pairs with a frame in which nothing can be seen.

        Raises:
            BadRequest: the frames are not float32 pairs of squares within [0, 1].
            DeviceFull: a few pairs do not fit into memory.
        """
        self._check(batch)
        half = batch.shape[-1] // 2
        found = np.empty((len(batch), 2, half, half), np.float32)
        step = max(1, PIECE_PIXELS // batch.shape[-1] ** 2)
        for start in range(0, len(batch), step):
            piece = batch[start : start + step]
            found[start : start + step] = self._answered(piece)
            self.calls.batches += 1
            self.calls.images += len(piece)
        found[~are_seen(batch)] = np.nan
        return found

    def _answered(self, piece: F32) -> F32:
        try:
            return self._estimate(piece)
        except RuntimeError as error:  # torch.OutOfMemoryError is one too
            if not is_out_of_memory(error):
                raise
            raise DeviceFull(
                f"{len(piece)} pairs of {piece.shape[-1]} px do not fit into the memory of "
                f"{self.device}.",
                "Free memory on the device, or run with LOUPE_DEVICE=cpu.",
            ) from error

    def _check(self, batch: F32) -> None:
        wanted = (
            f"{self.card.key} takes float32 (n, 2, side, side) from 0 to 1, sides being multiples "
            f"of {MULTIPLE_PX} from {LEAST_PX} px."
        )
        is_square = batch.ndim == 4 and batch.shape[1] == 2 and batch.shape[2] == batch.shape[3]
        if not is_square or batch.shape[3] % MULTIPLE_PX or batch.shape[3] < LEAST_PX:
            raise BadRequest(f"Frames of shape {batch.shape} do not fit.", wanted)
        if batch.dtype != np.float32:
            raise BadRequest(f"Frames of type {batch.dtype} do not fit.", wanted)
        # NaN fails both comparisons, so this tests for finite values too.
        if batch.size and not (batch.min() >= -RANGE_SLACK and batch.max() <= 1 + RANGE_SLACK):
            raise BadRequest("Pixel values are not all from 0 to 1.", wanted)


def are_seen(frames: F32) -> NDArray[np.bool_]:
    """Of which pairs of frames ``(b, 2, s, s)`` both hold something that can be seen ``(b,)``."""
    contrast = frames.max(axis=(2, 3)) - frames.min(axis=(2, 3))
    found: NDArray[np.bool_] = (contrast >= LEAST_CONTRAST).all(axis=1)
    return found


def build(card: ModelCard, device: str) -> PivMethod:
    """The estimator of a card.

    Raises:
        WeightsMismatch: its weights do not fit, or its method is not known.
    """
    if card.architecture == "Farneback":
        return PivMethod(farneback, card, "cpu")
    if card.architecture == "CrossCorrelation":
        return PivMethod(_in_torch(cross_correlation.estimate, device), card, device)
    if card.weights_file:
        return PivMethod(_in_torch(_prepared(load_module(card), device), device), card, device)
    raise WeightsMismatch(
        f"Card {card.key!r} asks for the method {card.architecture!r}; known are Farneback and "
        "CrossCorrelation."
    )


def _prepared(module: nn.Module, device: str) -> Callable[[Tensor], Tensor]:
    moved: nn.Module = module.to(device)
    # About a quarter faster on a CPU; torch's types do not know this form of ``to``.
    prepared: nn.Module = moved.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return prepared


def _in_torch(estimate: Callable[[Tensor], Tensor], device: str) -> Callable[[F32], F32]:
    def run(frames: F32) -> F32:
        with torch.inference_mode():
            found = estimate(torch.from_numpy(np.ascontiguousarray(frames)).to(device))
            return cast(F32, found.float().cpu().numpy())

    return run
