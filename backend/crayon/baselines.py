"""Baselines of the study that are cheap enough to run here.

Their networks see the frozen trunk's activations, so "input gradients" of RRR and GradMask are
those with respect to these activations, not to pixels: a deviation from the papers.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from backend.crayon.gradcam import closed_form
from backend.crayon.losses import TINY, Terms, normalise_max
from backend.crayon.methods import NEEDS_MASKS
from backend.protocols import I64
from models.guided_nets import GuidedNet


@torch.inference_mode()
def misclassified(original: GuidedNet, x: Tensor, y: I64, strength: float) -> Tensor:
    """``(n,)`` weights: ``strength`` for items that ``original`` gets wrong, 1 for the others.

    Liu et al. 2021, "Just Train Twice".
    """
    original.eval()
    guess = torch.cat(
        [original.logits(original.features(part.float())).argmax(1) for part in torch.split(x, 256)]
    )
    return torch.where(guess != torch.from_numpy(y), strength, 1.0)


def boxes(masks: Tensor) -> Tensor:
    """Masks ``(b, h, w)`` filled up to their bounding boxes, 0 and 1."""
    inside = masks > 0
    return (inside.any(2, keepdim=True) & inside.any(1, keepdim=True)).to(masks.dtype)


def hidden_region(maps: Tensor, size: tuple[int, int]) -> Tensor:
    """What MaskTune hides: pixels whose attention exceeds the map's mean plus two deviations.

    Asgari et al. 2022. Maps ``(b, h, w)``; returns ``(b, 1, *size)`` bool.
    """
    large = functional.interpolate(maps[:, None], size, mode="bilinear", align_corners=False)
    mean, deviation = large.mean(dim=(2, 3), keepdim=True), large.std(dim=(2, 3), keepdim=True)
    return large > mean + 2 * deviation


def terms(
    net: GuidedNet, train: Any, plan: Any, rows: Tensor, y: Tensor, item_weights: Tensor | None
) -> Terms:
    """One batch's loss of a baseline; its own term stands in the place of the relevant one."""
    source = train.hidden if plan.method == "masktune" else train.x
    x = source[rows].float().requires_grad_(plan.method in ("rrr", "gradmask"))
    features = net.features(x)
    logits = net.logits(features)
    losses = functional.cross_entropy(logits, y, reduction="none")
    if item_weights is not None:
        losses = losses * item_weights[rows]
    own = zero = logits.new_zeros(())
    if plan.method in NEEDS_MASKS and plan.strength > 0:
        masks = torch.from_numpy(train.masks)[rows]
        own = plan.strength * _own(net, plan.method, x, features, logits, y, masks)
    return Terms(losses.sum(), own, zero)


def _own(
    net: GuidedNet,
    method: str,
    x: Tensor,
    features: Tensor,
    logits: Tensor,
    y: Tensor,
    masks: Tensor,
) -> Tensor:
    if method == "box":
        m = normalise_max(closed_form(net, features, y))
        outside = (m * (1 - boxes(masks))).sum(dim=(1, 2))
        return (outside / m.sum(dim=(1, 2)).clamp_min(TINY)).sum()
    if method == "rrr":  # Ross et al. 2017: the summed log-probabilities' gradient
        told = logits.log_softmax(1).sum()
    else:  # Simpson et al. 2019: the contrast between the true class and the others
        true = logits.gather(1, y[:, None]).sum()
        told = 2 * true - logits.sum()
    (gradient,) = torch.autograd.grad(told, x, create_graph=True)
    off = 1 - functional.adaptive_avg_pool2d(masks[:, None], (x.shape[2], x.shape[3]))
    return (gradient * off).square().sum()
