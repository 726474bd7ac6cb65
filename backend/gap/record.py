"""What was measured of the bundled models over seeds, and what the RankCLIP study reports."""

from __future__ import annotations

import json
import tomllib
from functools import cache
from typing import Any, Final

import numpy as np

from backend.gap.bundled import FOLDER, VARIANTS

TITLES: Final = {**VARIANTS, "rankclip-sum": "RankCLIP, terms summed as printed"}
SHOWN: Final = (
    "centroid_gap", "mean_pair_gap", "alignment", "uniformity", "margin", "separability",
    "text_to_image_recall_at_1", "text_to_image_recall_at_5", "text_to_image_recall_at_10",
    "image_to_text_recall_at_1", "image_to_text_recall_at_5", "image_to_text_recall_at_10",
    "zero_shot_top_1", "zero_shot_top_3", "zero_shot_top_5", "linear_probe",
)  # fmt: skip


@cache
def _recorded() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((FOLDER / "measured.json").read_text(encoding="utf-8"))
    return found


def measured() -> dict[str, Any]:
    """``{rows: [{variant, title, seeds, bundled, values: {name: [mean, deviation]}}], settings,
    pairs}``: over the seeds of each model, on the test pairs; deviations are those of a sample.
    """
    held = _recorded()
    rows = []
    for variant, title in TITLES.items():
        runs = [run for run in held["runs"] if run["variant"] == variant]
        if not runs:
            continue
        values = {}
        for name in SHOWN:
            each = np.array([run[name] for run in runs])
            spread = float(each.std(ddof=1)) if len(each) > 1 else 0.0
            values[name] = [float(each.mean()), spread]
        rows.append(
            {
                "variant": variant, "title": title, "seeds": [run["seed"] for run in runs],
                "bundled": variant in VARIANTS, "values": values,
            }
        )  # fmt: skip
    return {"rows": rows, "settings": held["settings"], "pairs": held["pairs"]}


def runs() -> list[dict[str, Any]]:
    """Every run of the record: variant, seed, and what was measured."""
    found: list[dict[str, Any]] = _recorded()["runs"]
    return found


@cache
def reported() -> dict[str, Any]:
    """Tables of the RankCLIP study, as printed: ``{tables: [{title, columns, rows, note}]}``."""
    return tomllib.loads((FOLDER / "reported.toml").read_text(encoding="utf-8"))
