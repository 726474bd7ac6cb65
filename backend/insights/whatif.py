"""A content with edits: its predicted success, the interval, and the difference to what it was."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import torch

from backend.errors import BadRequest
from backend.insights import encoding
from backend.insights.contents import Contents
from backend.insights.encoding import Text
from backend.insights.models import InsightModel
from backend.insights.parts import Opened, Which, opened
from models.insights import Inputs
from models.insights_cells import IMAGE_PX

MOST_EDITS: Final = 50
Z95: Final = 1.959964  # two-sided 95 % of the normal distribution


@dataclass(frozen=True, slots=True)
class Draft:
    """What a user has changed of a content; ``None`` and missing names leave it as it is.

    Attributes:
        fields: texts by field; domain: number; features: values by name.
        edits: ``{op: "blank", box}`` or ``{op: "swap", box, from: row, from_box}``, boxes in shares
            of the picture's sides.
    """

    fields: Mapping[str, str] = field(default_factory=dict)
    domain: int | None = None
    features: Mapping[str, float | str] = field(default_factory=dict)
    edits: Sequence[Mapping[str, Any]] = ()

    @classmethod
    def of(cls, values: object) -> Draft:
        """From JSON.

        Raises:
            BadRequest: a value is of another kind.
        """
        if values is None:
            return cls()
        if not isinstance(values, Mapping):
            raise BadRequest("A draft is an object.", "fields, domain, features, edits.")
        fields, features = values.get("fields") or {}, values.get("features") or {}
        edits, domain = values.get("edits") or [], values.get("domain")
        if not isinstance(fields, Mapping) or not all(isinstance(v, str) for v in fields.values()):
            raise BadRequest("The fields of a draft are texts by name.")
        if not isinstance(features, Mapping) or not all(
            isinstance(v, str | int | float) for v in features.values()
        ):
            raise BadRequest("The features of a draft are numbers or texts by name.")
        if not isinstance(edits, list) or not all(isinstance(one, Mapping) for one in edits):
            raise BadRequest("The edits of a draft are a list of objects.")
        if len(edits) > MOST_EDITS:
            raise BadRequest(f"{len(edits)} edits are too many.", f"At most {MOST_EDITS}.")
        if domain is not None and type(domain) is not int:
            raise BadRequest(f"domain={str(domain)[:40]!r} is not a whole number.")
        return cls(dict(fields), domain, dict(features), tuple(edits))


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


def texts_of(held: Contents, row: int, draft: Draft) -> tuple[str, ...]:
    """The fields of a content with the draft's texts.

    Raises:
        BadRequest: a field is not one of the set's.
    """
    for name in draft.fields:
        if name not in held.fields:
            raise BadRequest(
                f"There is no field {name[:40]!r}.", f"Fields are {', '.join(held.fields)}."
            )
    old = held.parts[row]
    return tuple(draft.fields.get(name, old[k]) for k, name in enumerate(held.fields))


def edited(model: InsightModel, held: Contents, row: int, draft: Draft) -> tuple[Text, Inputs]:
    """The edited content, cut and as tensors.

    Raises:
        NotFound: there is no such row or domain.
        BadRequest: an edit is not usable.
    """
    held.checked_row(row)
    parts = texts_of(held, row, draft)
    text = encoding.cut("\n".join(part for part in parts if part))
    lines, _ = encoding.batched([text], model.net.shape.encoder)
    pixels, has_image = None, False
    if held.pictures is not None and bool(held.pictures.has_image[row]):
        has_image = True
        drawn = held.pictures.draft(row, parts, draft.edits, IMAGE_PX)
        pixels = encoding.pixels_tensor(drawn[None])
    number = int(held.domain[row]) if draft.domain is None else draft.domain
    held.rows(domain=number)
    told = encoding.features_of(held, row) | _features(held, draft)
    inputs = Inputs(
        lines,
        pixels,
        torch.tensor([has_image]),
        torch.from_numpy(encoding.domain_code(model.design, [held.domains[number]])),
        torch.from_numpy(encoding.feature_columns(model.design, [told])),
    )
    return text, inputs


def _features(held: Contents, draft: Draft) -> dict[str, float | str]:
    found: dict[str, float | str] = {}
    for name, value in draft.features.items():
        if name in held.numbers and not isinstance(value, str) and np.isfinite(value):
            found[name] = float(value)
        elif name in held.choices and value in held.choices[name].values:
            found[name] = value
        else:
            known = (*held.numbers, *held.choices)
            told = f"{name[:40]}={str(value)[:40]!r} is not usable."
            raise BadRequest(told, f"Features are {', '.join(known)}.")
    return found


def opened_draft(
    model: InsightModel, held: Contents, row: int, draft: Draft, which: Which = "joint"
) -> Opened:
    """The edited content, ready to be explained. Raises as :func:`edited`."""
    text, inputs = edited(model, held, row, draft)
    return opened(model, [text], inputs, which)


def predict(model: InsightModel, held: Contents, row: int, draft: Draft) -> Prediction:
    """The edited content's success beside that of the content itself. Raises as :func:`edited`."""
    start = time.perf_counter()
    heads = []
    with torch.inference_mode():
        for version in (draft, Draft()):
            _, inputs = edited(model, held, row, version)
            logits = model.net.head_logits(model.net.embed(inputs))[0].double()
            heads.append(logits)
    after, before = (float(torch.sigmoid(one.mean())) for one in heads)
    low, high = model.interval(np.array([after]))
    each = (torch.sigmoid(heads[0]) - torch.sigmoid(heads[1])).numpy()
    half = Z95 * float(each.std(ddof=1)) if len(each) > 1 else float("nan")
    gained = after - before
    took_ms = 1000 * (time.perf_counter() - start)
    return Prediction(
        after, float(low[0]), float(high[0]), before, gained, gained - half, gained + half, took_ms
    )
