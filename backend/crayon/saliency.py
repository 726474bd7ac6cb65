"""Other saliency methods for the maps that annotators see.

Training moves the new model's Grad-CAM maps towards or away from the maps that were answered, so
answers about these are answers about another explanation: say which one was shown.
"""

from __future__ import annotations

from typing import Final

import torch
from captum.attr import IntegratedGradients
from torch import Tensor
from torch.nn import functional

from backend.crayon.gradcam import closed_form
from backend.errors import BadRequest
from models.guided_nets import GuidedNet

METHODS: Final = ("gradcam", "integrated-gradients", "score-cam")
STEPS: Final = 16
STRONGEST: Final = 32  # channels that Score-CAM tries; all would cost a forward pass each


def maps(net: GuidedNet, x: Tensor, target: Tensor, method: str = "gradcam") -> Tensor:
    """Maps of images ``(b, c, h, w)`` on the grid of the last stage, ``(b, gh, gw)`` in [0, 1].

    ``integrated-gradients`` (Sundararajan et al. 2017): absolute values from a black baseline,
    summed over channels, mean in each cell. ``score-cam`` (Wang et al. 2020): channels weighted by
    the softmax of the class's probability when the image is masked by them, for the ``STRONGEST``
    channels of each image.

    Args:
        target: ``(b,)`` int64 classes.

    Raises:
        BadRequest: the method is unknown.
    """
    if method not in METHODS:
        raise BadRequest(
            f"There is no saliency {method[:40]!r}.", f"There is {', '.join(METHODS)}."
        )
    net.eval()
    with torch.no_grad():
        features = net.features(net.trunk(x))
    if method == "gradcam":
        raw = closed_form(net, features, target).detach()
    elif method == "score-cam":
        raw = _score_cam(net, x, features, target)
    else:
        found = IntegratedGradients(net).attribute(x, target=target, n_steps=STEPS)
        size = features.shape[2], features.shape[3]
        raw = functional.adaptive_avg_pool2d(found.abs().sum(1, keepdim=True), size)[:, 0].float()
    peak = raw.amax(dim=(1, 2), keepdim=True)
    return torch.where(peak > 0, raw / peak.clamp_min(1e-30), raw)


@torch.no_grad()
def _score_cam(net: GuidedNet, x: Tensor, features: Tensor, target: Tensor) -> Tensor:
    size = x.shape[2], x.shape[3]
    found = []
    for i in range(len(x)):
        count = min(STRONGEST, features.shape[1])
        channels = (features[i].amax(dim=(1, 2)) * net.mask).topk(count).indices
        chosen = features[i, channels]
        large = functional.interpolate(chosen[:, None], size, mode="bilinear", align_corners=False)
        low, high = large.amin((2, 3), keepdim=True), large.amax((2, 3), keepdim=True)
        masks = (large - low) / (high - low).clamp_min(1e-10)
        scores = net(x[i : i + 1] * masks).softmax(1)[:, target[i]]
        weights = scores.softmax(0)
        found.append((weights[:, None, None] * chosen).sum(0).relu())
    return torch.stack(found)
