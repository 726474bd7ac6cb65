"""The trained embeddings of cars: which there are, and images in, embeddings out."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file

from backend.errors import BadRequest
from models import metric_losses, metric_net
from models.cards import CARDS, read_card, verify_weights, weights_path
from models.efficientnet_lite import EfficientNetLite0
from models.metric_features import tensor
from models.metric_net import Tail

F32 = NDArray[np.float32]
U8 = NDArray[np.uint8]
CARD = "metric-cars"


@lru_cache(maxsize=1)
def tails() -> dict[str, Tail]:
    """The trained last blocks by loss; those trained on changed backgrounds end in ``+bg``."""
    card = read_card(CARDS / f"{CARD}.toml")
    verify_weights(card)
    stored: dict[str, dict[str, Any]] = {}
    for name, x in load_file(weights_path(card)).items():
        loss, _, inside = name.partition("/")
        stored.setdefault(loss, {})[inside] = x
    with torch.inference_mode(False):
        held = metric_net.trunk()
        return {loss: metric_net.loaded(held, parts) for loss, parts in stored.items()}


@lru_cache(maxsize=1)
def trunk() -> EfficientNetLite0:
    """The shared first stages, for inference and gradients of the input."""
    with torch.inference_mode(False):  # first asked for inside it, no gradient would pass later
        return metric_net.folded(metric_net.trunk())


def tail(loss: str) -> Tail:
    """The last block of one loss.

    Raises:
        BadRequest: there is none.
    """
    held = tails()
    if loss not in held:
        raise BadRequest(f"There is no model {loss[:80]!r}.", f"There is {', '.join(held)}.")
    return held[loss]


def distance(loss: str) -> str:
    """The distance that a loss was trained with."""
    return metric_losses.BY_KEY[loss.removesuffix("+bg")].distance


def embeddings(images: U8, losses: Sequence[str], batch: int = 32) -> F32:
    """Embeddings ``(len(losses), n, 128)`` of images ``(n, 128, 128, 3)``.

    Raises:
        BadRequest: a loss is unknown.
    """
    chosen = [tail(loss) for loss in losses]
    found = np.zeros((len(chosen), len(images), metric_net.DIMENSIONS), np.float32)
    with torch.inference_mode():
        for first in range(0, len(images), batch):
            rows = slice(first, first + batch)
            features = metric_net.front(trunk(), tensor(images[rows]))
            for k, one in enumerate(chosen):
                found[k, rows] = one(features).numpy()
    return found
