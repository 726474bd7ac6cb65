"""The models for needle images: their networks by key, and each as an ordinary classifier."""

from __future__ import annotations

import threading

import numpy as np
import torch
from torch import Tensor, nn

from backend.errors import BadRequest, WeightsRefused
from backend.protocols import F32, ModelBackend
from backend.zoom import own
from models.cards import WEIGHTS, ModelCard, WeightsMismatch
from models.load import load_module
from models.zoom_baselines import AtsNet, DownscaledCnn
from models.zoom_net import ZoomNet

TILES = 16


_loaded: dict[str, nn.Module] = {}
_loading = threading.Lock()


def load_network(key: str) -> ZoomNet | AtsNet | DownscaledCnn:
    """The network of a model for large images, in eval mode, frozen, on the CPU; loaded once.

    Raises:
        NotFound: no model has this key. BadRequest: it is for another task.
        WeightsRefused: its weights are missing or do not match the card.
    """
    card = own.card(key)
    if card.task != own.TASK:
        raise BadRequest(
            f"{key} is not a model for large images.", f"Models are {', '.join(own.models())}."
        )
    with _loading:
        module = _loaded.get(card.weights_sha256)
        if module is None:
            folder = own.folder() if own.KEY.match(key) else WEIGHTS
            try:
                module = _loaded[card.weights_sha256] = load_module(card, folder)
            except WeightsMismatch as error:
                raise WeightsRefused(
                    str(error), "Restore the file from the repository, or train it again."
                ) from error
    if not isinstance(module, ZoomNet | AtsNet | DownscaledCnn):
        raise BadRequest(f"{key} is not a network for large images.", "Choose another model.")
    return module


class LargeImageBackend:
    """A model for needles as a ``ModelBackend``: whole images in, probabilities out.

    What is drawn is drawn with seed 0, so equal images get equal answers.
    """

    def __init__(self, card: ModelCard, device: str) -> None:
        self.card, self.device = card, device

    def predict(self, batch: F32) -> F32:
        """Class probabilities ``(b, k)`` of images ``(b, 3, h, w)`` in [0, 1].

        Raises:
            BadRequest: the batch is of another shape or not finite.
        """
        if batch.ndim != 4 or batch.shape[1] != 3 or not np.isfinite(batch).all():
            raise BadRequest(
                f"A batch of shape {batch.shape} cannot be looked at.",
                "It must be (n, 3, height, width) of finite numbers.",
            )
        from backend.zoom.compare import look

        images = np.round(np.clip(batch, 0, 1) * 255).astype(np.uint8).transpose(0, 2, 3, 1)
        return np.stack([look(self.card.key, image, TILES, 0).answer for image in images])


def build(card: ModelCard, device: str) -> ModelBackend:
    """What the catalog calls for cards of this task."""
    load_network(card.key)
    return LargeImageBackend(card, device)


def to_tensor(pixels: np.ndarray) -> Tensor:
    """``(h, w, 3)`` uint8 as (1, 3, h, w) float32 in [0, 1]."""
    planes = np.ascontiguousarray(pixels.transpose(2, 0, 1))
    return torch.from_numpy(planes)[None].float() / 255.0
