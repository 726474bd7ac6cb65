"""A tiny guided network and data it can learn, for tests."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from backend.crayon.refinement import Examples
from models.guided_nets import ConvBlock, GuidedNet


def tiny(seed=0, neurons=6, n_classes=2):
    """Grey images (b, 1, 6, 6) to maps of 6 x 6."""
    torch.manual_seed(seed)
    stage = nn.Sequential(ConvBlock(1, neurons, 3), ConvBlock(neurons, neurons, 1))
    net = GuidedNet(nn.Identity(), stage, neurons, n_classes)
    with torch.no_grad():
        for block in stage:
            block[1].running_mean.normal_(0, 0.1)
            block[1].running_var.uniform_(0.5, 1.5)
    return net.eval().requires_grad_(False)


def examples(count=40, seed=0):
    """The class is a bright cell left or right; the confounder a line at the top or bottom."""
    rng = np.random.default_rng(seed)
    y = np.arange(count) % 2
    place = np.where(rng.random(count) < 0.9, y, 1 - y)
    x = rng.random((count, 1, 6, 6), dtype=np.float32) * 0.1
    masks = np.zeros((count, 6, 6), np.float32)
    for i in range(count):
        x[i, 0, 2:4, 1 + 3 * y[i]] += 1
        masks[i, 2:4, 1 + 3 * y[i]] = 1
        x[i, 0, 5 * place[i]] += 1
    hidden = torch.from_numpy(x * 0.5)
    return Examples(torch.from_numpy(x), y, y * 2 + place, masks, hidden)
