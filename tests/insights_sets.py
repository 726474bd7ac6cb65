"""A set of a few contents whose success is known, and a model of it, for tests of Insights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from backend.insights import fitting
from backend.insights.contents import Choice, Contents
from backend.insights.models import InsightModel
from backend.insights.registry import ModelInfo
from backend.settings import PROJECT

GOOD, BAD = "free trial", "hidden fees"
OTHERS = ("city guide", "weekly letter", "music library", "garden tools")
EFFECT = {GOOD: 0.8, BAD: -0.8}
BRIGHT = 0.6  # what a red square at the top left adds to the logit


@dataclass(frozen=True)
class Squares:
    """Grey pictures, some with a red square at the top left."""

    has_image: Any
    red: Any
    redraws: bool = False

    @property
    def source_pixels(self) -> Any:
        return np.where(self.has_image, 128 * 128, 0)

    def image(self, row: int, px: int = 128) -> Any:
        return self.images([row], px)[0]

    def images(self, rows: Sequence[int], px: int = 128) -> Any:
        chosen = np.asarray(rows, np.int64)
        drawn = [np.random.default_rng(int(row)).integers(90, 166, (16, 16, 3)) for row in chosen]
        coarse = np.array(drawn, np.uint8).reshape(-1, 16, 16, 3)
        made = coarse.repeat(px // 16, 1).repeat(px // 16, 2)
        side = px // 4
        made[self.red[chosen], :side, :side] = (255, 0, 0)
        made[~self.has_image[chosen]] = 0
        return made

    def draft(self, row: int, parts: Any, edits: Any = (), px: int = 128) -> Any:
        return self.image(row, px)


def tiny(experiments: int = 40, seed: int = 0) -> Contents:
    """Three contents an experiment: two domains, four phrases, one picture, one feature."""
    rng = np.random.default_rng(seed)
    n = 3 * experiments
    phrases = [str(rng.choice([GOOD, BAD, *OTHERS])) for _ in range(n)]
    red, device = rng.random(n) < 0.5, rng.integers(0, 2, n)
    domain = np.repeat(rng.integers(0, 2, experiments), 3)
    logit = -2.0 + 0.2 * domain + 0.1 * device + BRIGHT * red
    logit += np.array([EFFECT.get(phrase, 0.0) for phrase in phrases])
    shown = np.full(n, 20_000.0)
    clicks = rng.binomial(20_000, 1 / (1 + np.exp(-logit))).astype(np.float64)
    has_image = np.ones(n, bool)
    has_image[-1] = False
    experiment = np.repeat(np.arange(experiments), 3)
    split = np.repeat(np.array([0, 0, 0, 0, 0, 1, 2, 2, 2, 2])[np.arange(experiments) % 10], 3)
    return Contents(
        key="tiny", title="Tiny", simulated=True, source="a test", licence="none",
        fingerprint="0" * 16, ids=tuple(f"c{k}" for k in range(n)), fields=("headline", "button"),
        parts=tuple((f"Get the {phrase} today", "Read more") for phrase in phrases),
        domains=("shop", "club"), domain=domain.astype(np.int64), held_out=frozenset(),
        experiments=tuple(f"e{k}" for k in range(experiments)),
        experiment=experiment.astype(np.int64), is_control=np.arange(n) % 3 == 0,
        dates=np.array(["2026-01-01"] * n, "datetime64[D]"), impressions=shown, clicks=clicks,
        success=clicks / shown, numbers={"words": rng.normal(size=n)},
        choices={"device": Choice(("phone", "desk"), device.astype(np.int64))},
        split=split.astype(np.int64), pictures=Squares(has_image, red & has_image),
    )  # fmt: skip


@cache
def fitted(epochs: int = 8) -> InsightModel:
    """A model of the tiny set, trained for a second or two, once a test run."""
    made = fitting.fit(tiny(), fitting.Options(epochs=epochs))
    return fitting.model_of(made, info(made.told))


def info(told: dict[str, Any]) -> ModelInfo:
    """A card as the file of the model would say it."""
    names = ("title", "encoder", "loss", "seed", "metrics")
    return ModelInfo(
        key="tiny", set_key="tiny", fingerprint="f" * 16, told=told, path=PROJECT / "tiny",
        **{name: told[name] for name in names},
    )  # fmt: skip
