"""A tiny set of contents and what the method would say of it, for tests of the Insights page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from backend.insights.contents import Choice, Contents

ROWS = 6
TEXTS = (
    ("Free trial today", "No card needed"),
    ("Buy <b>now</b>", "Terms apply"),
    ("Free songs", ""),
    ("Pay monthly", "Credit card needed"),
    ("مرحبا 👋", "Try it"),
    ("", "Only a body"),
)


@dataclass(frozen=True)
class Flat:
    """Pictures of one colour each; the last content has none."""

    redraws: bool = False

    @property
    def has_image(self) -> np.ndarray[Any, np.dtype[np.bool_]]:
        return np.arange(ROWS) < ROWS - 1

    @property
    def source_pixels(self) -> np.ndarray[Any, np.dtype[np.int64]]:
        return np.where(self.has_image, 128 * 128, 0)

    def image(self, row: int, px: int = 128) -> np.ndarray[Any, np.dtype[np.uint8]]:
        return np.full((px, px, 3), 40 * row, np.uint8)

    def images(self, rows: Any, px: int = 128) -> np.ndarray[Any, np.dtype[np.uint8]]:
        return np.stack([self.image(int(row), px) for row in rows])

    def draft(self, row: int, parts: Any, edits: Any = (), px: int = 128) -> Any:
        return self.image(row, px)


def contents(**more: Any) -> Contents:
    """Six contents of two domains, three experiments of a control and a treatment."""
    told: dict[str, Any] = {
        "key": "tiny",
        "title": "Tiny",
        "simulated": True,
        "source": "a test",
        "licence": "none",
        "fingerprint": "0123456789abcdef",
        "ids": tuple(f"c{i}" for i in range(ROWS)),
        "fields": ("headline", "body"),
        "parts": TEXTS,
        "domains": ("Shop", "Ads"),
        "domain": np.array([0, 0, 0, 0, 1, 1]),
        "held_out": frozenset({1}),
        "experiments": ("e0", "e1", "e2"),
        "experiment": np.array([0, 0, 1, 1, 2, 2]),
        "is_control": np.array([True, False] * 3),
        "dates": np.array(["2026-01-01", "2026-01-02", "2026-02-01", "NaT", "NaT", "NaT"], "M8[D]"),
        "impressions": np.full(ROWS, 1000.0),
        "clicks": np.array([50.0, 20.0, 60.0, 10.0, 30.0, 30.0]),
        "success": np.array([0.05, 0.02, 0.06, 0.01, 0.03, 0.03]),
        "numbers": {"length": np.array([3.0, 2.0, 2.0, 2.0, np.nan, 3.0])},
        "choices": {"colour": Choice(("red", "blue"), np.array([0, 1, 0, 1, -1, 0]))},
        "split": np.array([0, 0, 2, 2, 3, 3]),
        "pictures": Flat(),
    }
    return Contents(**(told | more))
