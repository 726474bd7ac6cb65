"""Kernel SHAP and feature ablation, both captum's: words, blocks of 16 px, domain, features."""

from __future__ import annotations

import warnings
from typing import Any, Final

import torch
from captum.attr import FeatureAblation, KernelShap
from torch import Tensor

from backend.insights import parts as taken
from backend.insights.parts import Opened
from backend.protocols import I64
from models.insights import InsightNet, Modality
from models.insights_cells import CELL_PX, CELLS

BLOCK: Final = 2  # cells on a side
SAMPLES: Final = 200  # of Kernel SHAP, a content
AT_ONCE: Final = 50


def raw(
    net: InsightNet, contents: Opened, method: str, columns: I64, seed: int = 0
) -> dict[Modality, Tensor]:
    """What captum tells of each content, in the shapes of ``attributions.gauss_legendre``.

    Args:
        columns: (c,) the feature of each column of F; a feature is left out whole.
    """
    rows = [
        _one(net, contents.of(torch.tensor([k])), method, columns, seed)
        for k in range(len(contents))
    ]
    return {m: torch.cat([row[m] for row in rows]) for m in contents.parts}


def _one(
    net: InsightNet, content: Opened, method: str, columns: I64, seed: int
) -> dict[Modality, Tensor]:
    names = tuple(content.parts)
    groups = masks(content, columns)
    given = tuple(content.parts[m] for m in names)
    baselines = tuple(_zero(m, x, content) for m, x in zip(names, given, strict=True))

    def rate(*changed: Tensor) -> Tensor:
        about = content.repeated(len(changed[0]))
        with torch.inference_mode():
            return taken.rate(net, dict(zip(names, changed, strict=True)), about).double()

    settings: dict[str, Any] = {
        "baselines": baselines,
        "feature_mask": tuple(groups[m] for m in names),
        "perturbations_per_eval": AT_ONCE,
    }
    if method == "feature-ablation":
        found = FeatureAblation(rate).attribute(given, **settings)
    else:
        count = 1 + max(int(mask.max()) for mask in settings["feature_mask"])
        with warnings.catch_warnings(), torch.random.fork_rng():
            warnings.simplefilter("ignore")  # captum on how it draws
            torch.manual_seed(seed)
            found = KernelShap(rate).attribute(
                given, n_samples=max(SAMPLES, 2 * count), show_progress=False, **settings
            )
    return {m: _spread(m, value, groups[m], content) for m, value in zip(names, found, strict=True)}


def masks(content: Opened, columns: I64) -> dict[Modality, Tensor]:
    """The number of the feature that each entry of each part belongs to, from 0 over all parts.

    Tokens outside words, which are the same in the baseline, go with the first word.
    """
    found: dict[Modality, Tensor] = {}
    start = 0
    for m, x in content.parts.items():
        if m == "text":
            own = content.word.clamp(min=0)
            found[m] = (start + own)[..., None].expand(x.shape)
            start += max(1, len(content.texts[0].words))
        elif m == "image":
            side = CELLS // BLOCK
            place = torch.arange(x.shape[2]) // (CELL_PX * BLOCK)
            blocks = place[:, None] * side + place[None]
            found[m] = (start + blocks)[None, None].expand(x.shape)
            start += side * side
        elif m == "domain":
            found[m] = torch.full(x.shape, start)
            start += 1
        else:
            found[m] = start + torch.from_numpy(columns)[None]
            start += int(columns.max()) + 1
    return found


def _zero(modality: Modality, x: Tensor, content: Opened) -> Tensor:
    if modality != "text":
        return torch.zeros_like(x)
    return x * (content.mask & (content.word < 0))[..., None]


def _spread(modality: Modality, value: Tensor, groups: Tensor, content: Opened) -> Tensor:
    """A feature's number, which captum writes at each of its entries, shared out between them."""
    value = value.detach().float()
    if modality == "image":
        return value[:, 0, ::CELL_PX, ::CELL_PX] / BLOCK**2
    if modality == "text":
        is_word = content.word >= 0
        numbers = value[..., 0] * is_word
        counts = torch.bincount(content.word[is_word], minlength=1).clamp(min=1)
        return numbers / counts[content.word.clamp(min=0)]
    counts = torch.bincount(groups.ravel() - groups.min())
    return value / counts[groups - groups.min()]
