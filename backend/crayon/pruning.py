"""Removing neurons of the last stage, and what the removal of each alone would do."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from backend.errors import BadRequest
from backend.protocols import F32, I64
from models.guided_nets import GuidedNet

CHUNK: Final = 256  # images whose altered answers are held at a time


def apply_mask(net: GuidedNet, keep: NDArray[Any]) -> None:
    """Prunes ``net`` in place; pruned neurons stay pruned in training and at test time.

    Args:
        keep: ``(k,)`` bool, True for neurons that stay.

    Raises:
        BadRequest: not one value for each neuron, or no neuron would stay.
    """
    if keep.shape != tuple(net.mask.shape):
        raise BadRequest(
            f"The mask has the shape {keep.shape}; the model has {len(net.mask)} neurons.",
            "Masks hold for the model they were made for only.",
        )
    if not keep.any():
        raise BadRequest(
            "Every neuron would be pruned, and nothing would be left to answer with.",
            "Check the answers about patches: at least one neuron must stay.",
        )
    with torch.no_grad():
        net.mask.copy_(torch.from_numpy(keep.astype(np.float32)))


def random_mask(keep: NDArray[Any], seed: int) -> NDArray[Any]:
    """A mask that prunes as many neurons as ``keep`` does, drawn at random: a control."""
    order = np.random.default_rng(seed).permutation(len(keep))
    drawn: NDArray[Any] = keep[order]
    return drawn


def logits_without_each(pooled: F32, weight: F32, bias: F32) -> F32:
    """Logits if each neuron alone were pruned, in closed form: ``z - W_k mean(A_k)``.

    Args:
        pooled: ``(n, k)`` mean activations, already masked.
        weight: ``(c, k)``; bias: ``(c,)`` of the last layer.

    Returns:
        ``(n, k, c)``.
    """
    whole = pooled @ weight.T + bias
    without: F32 = whole[:, None, :] - pooled[:, :, None] * weight.T[None]
    return without


def accuracy_without_each(pooled: F32, weight: F32, bias: F32, y: I64) -> NDArray[np.float64]:
    """Accuracy if each neuron alone were pruned, ``(k,)`` in [0, 1]; shapes as above, y ``(n,)``.

    Raises:
        BadRequest: there is no image.
    """
    if not len(y):
        raise BadRequest("There is no image to measure on.", "Open a set with images.")
    hits = np.zeros(pooled.shape[1])
    for start in range(0, len(y), CHUNK):
        part = slice(start, start + CHUNK)
        guess = logits_without_each(pooled[part], weight, bias).argmax(axis=2)
        hits += (guess == y[part, None]).sum(axis=0)
    share: NDArray[np.float64] = hits / len(y)
    return share
