"""Grad-CAM on the last convolutional stage (Selvaraju et al. 2017), plain and differentiable.

``w_k = mean_ij dz_t / dA_kij`` and ``M = ReLU(sum_k w_k A_k)``. Where a mean over space and one
linear layer follow the stage, ``w_k = W_tk / (h w)`` for every image: no gradient is needed for the
map, and the loss on the map reaches all weights by one ordinary backward pass.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
import torch
from torch import Tensor

from backend.crayon.losses import normalise_max
from backend.protocols import F32, I64, Progress
from models.guided_nets import GuidedNet

BATCH: Final = 64
IMAGE_BATCH: Final = 8  # of whole images: what a larger one computes no longer fits a core's cache


def gradcam(
    logits: Tensor, features: Tensor, target: Tensor, *, create_graph: bool = False
) -> Tensor:
    """Raw Grad-CAM maps by automatic differentiation, for any network.

    Args:
        logits: ``(b, c)``, computed from ``features``.
        features: ``(b, k, h, w)``, part of the graph.
        target: ``(b,)`` int64: the class each map explains.
        create_graph: keep the graph, so that a loss on the maps can be differentiated.

    Returns:
        ``(b, h, w)``, >= 0, not normalised.
    """
    chosen = logits.gather(1, target[:, None]).sum()
    (gradient,) = torch.autograd.grad(
        chosen, features, create_graph=create_graph, retain_graph=create_graph
    )
    weights = gradient.mean(dim=(2, 3), keepdim=True)
    return (weights * features).sum(dim=1).relu()


def closed_form(net: GuidedNet, features: Tensor, target: Tensor) -> Tensor:
    """What :func:`gradcam` gives, without a backward pass; differentiable.

    Args:
        features: ``(b, k, h, w)`` of ``net.features``.
        target: ``(b,)`` int64.

    Returns:
        ``(b, h, w)``, >= 0, not normalised.
    """
    area = features.shape[2] * features.shape[3]
    weights = net.output.weight[target] * (net.mask / area)
    return torch.einsum("bk,bkhw->bhw", weights, features).relu()


@torch.inference_mode()
def whole_set(
    net: GuidedNet,
    read: Callable[[int, int], Tensor],
    target: I64 | None,
    count: int,
    *,
    is_inner: bool = False,
    batch: int | None = None,
    progress: Progress | None = None,
) -> tuple[F32, F32]:
    """Max-normalised maps and probabilities of a whole set, in evaluation mode.

    Args:
        read: ``(start, stop)`` to images ``(b, 3, h, w)`` in [0, 1], or to the trunk's activations.
        target: ``(n,)`` classes to explain; the highest logit unless given.
        is_inner: ``read`` gives the trunk's activations.

    Returns:
        Maps ``(n, h, w)`` float32 in [0, 1] and probabilities ``(n, c)``. A map that is zero
        everywhere stays zero everywhere here, as there is nothing to show.

    Raises:
        Cancelled: by ``progress``.
    """
    net.eval()
    maps, answers = [], []
    batch = batch or (BATCH if is_inner else IMAGE_BATCH)
    for start in range(0, count, batch):
        stop = min(start + batch, count)
        x = read(start, stop)
        x = x.contiguous(memory_format=torch.channels_last)
        features = net.features(x if is_inner else net.trunk(x))
        logits = net.logits(features)
        chosen = logits.argmax(1) if target is None else torch.from_numpy(target[start:stop])
        raw = closed_form(net, features, chosen.to(logits.device))
        shown = normalise_max(raw) * (raw.amax(dim=(1, 2), keepdim=True) > 0)
        maps.append(shown.cpu().numpy())
        answers.append(logits.softmax(1).cpu().numpy())
        if progress is not None:
            progress(stop, count)
    return np.concatenate(maps), np.concatenate(answers)
