"""The arrays of the quick works as JSON: attributions, what-if and interactions. No torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backend.insights import changes, patches
from backend.insights.contents import Contents
from models.insights_cells import CELLS

Arrays = Mapping[str, NDArray[Any]]
PATCHES_SHOWN = 8


def attribution_told(
    held: Contents, row: int, arrays: Arrays, draft: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """One attribution: words with their place in their field, patches, the map, and sums.

    ``modalities`` add up to ``prediction - baseline``.
    """
    prediction, low, high, baseline, error, steps = (float(v) for v in arrays["numbers"])
    values = np.asarray(arrays["word_values"], np.float64)
    features = np.asarray(arrays["features"], np.float64)
    sums = {"text": float(values.sum()), "domain": float(np.sum(arrays["domain"])),
            "features": float(features.sum()), "image": 0.0}  # fmt: skip
    heat, boxes = None, []
    if "map" in arrays:
        whole = np.asarray(arrays["map"], np.float64)
        sums["image"] = float(whole.sum())
        heat = {"shape": list(whole.shape), "values": whole.ravel().tolist()}
        side = patches.SIDE / CELLS
        for r, c, value in patches.strongest(whole.astype(np.float32), PATCHES_SHOWN):
            boxes.append({"box": [c / CELLS, r / CELLS, side, side], "value": value})
    names = [str(name) for name in arrays["feature_names"]]
    return {
        "prediction": prediction, "low": low, "high": high, "baseline": baseline,
        "completeness_error": error, "steps": int(steps), "flagged": bool(arrays["flagged"][0]),
        "modalities": sums, "words": words_told(held, row, arrays, draft), "patches": boxes,
        "features": [
            {"name": name, "value": float(v)} for name, v in zip(names, features, strict=False)
        ],
        "map": heat,
    }  # fmt: skip


def words_told(
    held: Contents, row: int, arrays: Arrays, draft: Mapping[str, Any] | None
) -> list[dict[str, Any]]:
    """Each word with its field and its place in the text of that field."""
    parts = changes.checked(held, draft).parts(held, row)
    starts: list[tuple[int, str]] = []
    at = 0
    for name, part in zip(held.fields, parts, strict=True):
        if part:
            starts.append((at, name))
            at += len(part) + 1
    told = []
    both = zip(arrays["words"], arrays["spans"], arrays["word_values"], strict=True)
    for word, (start, end), value in both:
        offset, name = [one for one in starts if one[0] <= start][-1]
        told.append(
            {"field": name, "start": int(start) - offset, "end": int(end) - offset,
             "text": str(word), "value": float(value)}
        )  # fmt: skip
    return told


def whatif_told(arrays: Arrays) -> dict[str, Any]:
    """An edit's prediction, its 90 % interval, and the difference to the content as it was."""
    rate, low, high, before, gained, gained_low, gained_high, took = (
        float(v) for v in arrays["numbers"]
    )
    return {
        "predicted": rate, "low": low, "high": high, "draft": {"predicted": before},
        "delta": gained, "delta_low": gained_low, "delta_high": gained_high, "ms": took,
    }  # fmt: skip


def interactions_told(
    held: Contents, row: int, arrays: Arrays, draft: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Phrases by patches: baseline, rest, each alone and each pair add up to the prediction."""
    baseline, base, prediction = (float(v) for v in arrays["numbers"])
    texts = [str(text) for text in arrays["texts"]]
    return {
        "rows": [{"text": text} for text in [*texts, "other words"]],
        "columns": [{"box": list(map(float, box))} for box in arrays["boxes"]]
        + [{"box": [0.0, 0.0, 1.0, 1.0], "text": "the rest of the picture"}],
        "table": np.asarray(arrays["pair"], np.float64).tolist(),
        "row_own": np.asarray(arrays["own_text"], np.float64).tolist(),
        "column_own": np.asarray(arrays["own_image"], np.float64).tolist(),
        "rest": base - baseline,
        "baseline": baseline,
        "prediction": prediction,
    }
