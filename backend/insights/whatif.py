"""A content with edits: its predicted success, the interval, and the difference to what it was."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch

from backend.insights import encoded_features, encoding
from backend.insights.changes import Changes
from backend.insights.contents import Contents
from backend.insights.encoding import Text
from backend.insights.models import InsightModel
from backend.insights.parts import Opened, Which, opened
from models.insights import Inputs
from models.insights_cells import IMAGE_PX

Z95: Final = 1.959964  # two-sided 95 % of the normal distribution


@dataclass(frozen=True, slots=True)
class Prediction:
    """Success rates; the interval of ``rate`` covers 90 % of contents like those the model was
    checked on, that of ``difference`` is 95 % from the spread of the fusion networks.
    """

    rate: float
    low: float
    high: float
    before: float
    difference: float
    difference_low: float
    difference_high: float
    took_ms: float


def edited(model: InsightModel, held: Contents, row: int, draft: Changes) -> tuple[Text, Inputs]:
    """The edited content, cut and as tensors.

    Raises:
        NotFound: there is no such row.
    """
    held.checked_row(row)
    parts = draft.parts(held, row)
    text = encoding.cut("\n".join(part for part in parts if part))
    lines, _ = encoding.batched([text], model.net.shape.encoder)
    pixels, has_image = None, False
    if held.pictures is not None and bool(held.pictures.has_image[row]):
        has_image = True
        drawn = held.pictures.draft(row, parts, draft.edits, IMAGE_PX)
        pixels = encoding.pixels_tensor(drawn[None])
    number = int(held.domain[row]) if draft.domain is None else draft.domain
    told = encoded_features.features_of(held, row)
    for name, value in draft.features.items():
        told.pop(name, None)
        if value is not None:
            told[name] = value
    inputs = Inputs(
        lines,
        pixels,
        torch.tensor([has_image]),
        torch.from_numpy(encoding.domain_code(model.design, [held.domains[number]])),
        torch.from_numpy(encoding.feature_columns(model.design, [told])),
    )
    return text, inputs


def opened_draft(
    model: InsightModel, held: Contents, row: int, draft: Changes, which: Which = "joint"
) -> Opened:
    """The edited content, ready to be explained. Raises as :func:`edited`."""
    text, inputs = edited(model, held, row, draft)
    return opened(model, [text], inputs, which)


def predict(model: InsightModel, held: Contents, row: int, draft: Changes) -> Prediction:
    """The edited content's success beside that of the content itself. Raises as :func:`edited`."""
    start = time.perf_counter()
    heads = []
    with torch.inference_mode():
        for version in (draft, Changes()):
            _, inputs = edited(model, held, row, version)
            logits = model.net.head_logits(model.net.embed(inputs))[0].double()
            heads.append(logits)
    after, before = (float(torch.sigmoid(one.mean())) for one in heads)
    low, high = model.interval(np.array([after]))
    each = (torch.sigmoid(heads[0]) - torch.sigmoid(heads[1])).numpy()
    # One network has no spread: then half the interval of the prediction, which is wider.
    half = Z95 * float(each.std(ddof=1)) if len(each) > 1 else float(high[0] - low[0]) / 2
    gained = after - before
    took_ms = 1000 * (time.perf_counter() - start)
    return Prediction(
        after, float(low[0]), float(high[0]), before, gained, gained - half, gained + half, took_ms
    )
