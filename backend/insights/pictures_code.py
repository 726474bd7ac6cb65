"""Kinds of places in the pictures of a set, learned without success rates."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import torch
from safetensors.torch import load_file
from sklearn.cluster import MiniBatchKMeans
from torch import Tensor

from backend.datasets import DATA
from backend.insights.prepared import Prepared
from backend.protocols import I64
from models.cards import WEIGHTS
from models.insights import InsightNet
from models.insights_training import Report

BATCH = 64
SAMPLE = 40_000  # places that the centres are fitted to
SMALLEST_SPREAD = 0.05  # of the largest
FRESH = DATA / "cache" / "insights-cells.safetensors"  # written by backend.insights.distilling
SHIPPED = WEIGHTS / "insights-campaigns.safetensors"
PREFIX = "image."


@cache
def trained_layers() -> dict[str, Tensor]:
    """The weights of ``models.insights_parts.cell_layers`` and ``origin``, freshly made or those
    that the campaigns' model has.
    """
    if FRESH.is_file():
        return {name: value.float() for name, value in load_file(FRESH).items()}
    stored = load_file(SHIPPED)
    found = {name.removeprefix(PREFIX): v for name, v in stored.items() if name.startswith(PREFIX)}
    layers = {name.removeprefix("layers."): v for name, v in found.items() if "layers." in name}
    return {**layers, "origin": found["origin"]}


def fit_kinds(net: InsightNet, data: Prepared, rows: I64, seed: int, report: Report) -> None:
    """Sets the layers, the centres and how much of each kind a training picture has."""
    image = net.image
    own = image.layers.state_dict()
    stored = trained_layers()
    image.origin.copy_(stored["origin"])
    image.layers.load_state_dict({k: stored[k].to(v.dtype) for k, v in own.items()})
    image.layers.eval().requires_grad_(False)
    shown = rows[data.has_image[torch.from_numpy(rows)].numpy()]
    rng = np.random.default_rng(seed)
    each = max(1, SAMPLE // len(shown))
    places = []
    with torch.inference_mode():
        for start in range(0, len(shown), BATCH):
            pixels = data.pixels(torch.from_numpy(shown[start : start + BATCH]))
            assert pixels is not None  # all of these have a picture
            found = image.layers(image.centred(pixels)).flatten(2).permute(0, 2, 1)
            picked = rng.choice(found.shape[1], min(each, found.shape[1]), replace=False)
            places.append(found[:, picked].flatten(0, 1).numpy())
            report("image", min(start + BATCH, len(shown)), 2 * len(shown), math.nan)
    whole = np.concatenate(places)
    whole = np.unique(whole.round(4), axis=0)
    kinds = min(len(image.centres), len(whole))
    model = MiniBatchKMeans(kinds, n_init=1, batch_size=2048, max_iter=40, random_state=seed)
    centres = model.fit(whole).cluster_centers_
    image.centres[:kinds] = torch.from_numpy(np.asarray(centres, np.float32))
    _, found = raw(net, data, rows)
    image.middle.copy_(found.mean(0))
    spread = found.std(0)
    # A kind that hardly varies must not be blown up: off the training pictures it may vary.
    image.scale.copy_(spread.clamp(min=max(1e-4, SMALLEST_SPREAD * float(spread.max()))))


def raw(net: InsightNet, data: Prepared, rows: I64) -> tuple[Tensor, Tensor]:
    """The rows (k,) that have a picture, and how much of each kind theirs have (k, kinds)."""
    shown = torch.from_numpy(rows)
    shown = shown[data.has_image[shown]]
    found = []
    with torch.inference_mode():
        for part in torch.split(shown, BATCH):
            pixels = data.pixels(part)
            assert pixels is not None  # all of these have a picture
            found.append(net.image.raw(net.image.features(net.image.centred(pixels))))
    return shown, torch.cat(found).clone()
