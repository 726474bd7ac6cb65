"""What is true of the simulated campaigns: for benchmarks and tests only, never for the app.

See ``data/build_campaigns.py`` for the formula.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from backend.datasets import DATA
from backend.insights import bundled_sets
from backend.insights.contents import F64
from backend.insights.drawing import Box
from backend.insights.pictures import DrawnPictures
from backend.protocols import F32, I64

KINDS: Final = ("helping", "neutral", "hurting", "copied")


@dataclass(frozen=True, slots=True, eq=False)
class Truth:
    """Effects are additions to the logit of success; NaN where a phrase is not used in a domain.

    Attributes:
        phrases, phrase_kinds: ``(p)``; phrase_effects: ``(p, domains)``.
        pictures, picture_kinds: ``(k)`` kinds of small pictures; picture_effects: ``(k, domains)``.
        button_effects: by label; ribbon_effects: by number of the ribbon.
        interactions: ``(i, 2)`` phrase and picture; interaction_effects: ``(i,)``.
        content_phrases: ``(n, 5)``, content_pictures: ``(n, 3)``; -1 is none.
        logit: ``(n,)``; audience, season, base: ``(n,)``, the parts of it that no content shows.
    """

    phrases: tuple[str, ...]
    phrase_kinds: tuple[str, ...]
    phrase_effects: F64
    pictures: tuple[str, ...]
    picture_kinds: tuple[str, ...]
    picture_effects: F64
    button_effects: Mapping[str, float]
    ribbon_effects: F64
    interactions: I64
    interaction_effects: F64
    content_phrases: I64
    content_pictures: I64
    logit: F64
    audience: F64
    season: F64
    base: F64

    @property
    def rate(self) -> F64:
        """The true success rates, ``(n,)``."""
        return np.asarray(1 / (1 + np.exp(-self.logit)), np.float64)

    def ranked(self, domain: int, k: int = 10) -> tuple[list[str], list[str]]:
        """The phrases that do most in a domain, and those that do least, k each, the extreme first.

        Interactions are not counted.
        """
        effect = self.phrase_effects[:, domain]
        used = np.flatnonzero(~np.isnan(effect))
        order = used[np.argsort(effect[used], kind="stable")]
        return [self.phrases[i] for i in order[::-1][:k]], [self.phrases[i] for i in order[:k]]


@cache
def load() -> Truth:
    """The truth of the bundled campaigns."""
    with np.load(DATA / "campaigns" / "truth.npz", allow_pickle=False) as file:
        held = {name: file[name] for name in file.files}
    button_effects = zip(held["buttons"].tolist(), held["button_effects"].tolist(), strict=True)
    texts = ("phrases", "phrase_kinds", "pictures", "picture_kinds")
    whole = ("interactions", "content_phrases", "content_pictures")
    effects = ("phrase_effects", "picture_effects", "ribbon_effects", "interaction_effects")
    values = (*effects, "logit", "audience", "season", "base")
    found: dict[str, Any] = {name: tuple(held[name].tolist()) for name in texts}
    found |= {name: held[name].astype(np.int64) for name in whole}
    found |= {name: held[name].astype(np.float64) for name in values}
    return Truth(**found, button_effects=dict(button_effects))


def boxes(row: int) -> list[tuple[str, Box]]:
    """Kind and box ``x, y, w, h`` of every picture in a content; shares of its side.

    The first is the product, which does nothing.
    """
    return _artist().artist.boxes(row)


def effect_map(row: int, shape: tuple[int, int] = (128, 128)) -> F32:
    """What each pixel of a content adds to the logit, ``(h, w)``; sums to its pictures' effects.

    A picture's effect is spread evenly over its box; words in the picture are left out.
    """
    held, found = bundled_sets.load("campaigns"), load()
    domain = int(held.domain[row])
    total = np.zeros(shape, np.float32)
    for name, (x, y, w, h) in boxes(row):
        if name in found.pictures:
            effect = found.picture_effects[found.pictures.index(name), domain]
        elif name.startswith("ribbon"):
            effect = found.ribbon_effects[held.choices["ribbon"].codes[row]]
        else:
            continue
        top, bottom = round(y * shape[0]), max(round(y * shape[0]) + 1, round((y + h) * shape[0]))
        left, right = round(x * shape[1]), max(round(x * shape[1]) + 1, round((x + w) * shape[1]))
        place = total[top:bottom, left:right]
        place += np.float32(effect / place.size)
    return total


def kind_at(row: int, box: Box) -> str:
    """The kind of the small picture that a patch shows most of, "" for none.

    Args:
        box: ``x, y, w, h`` in shares of the side.
    """
    best, most = "", 0.0
    for name, other in boxes(row):
        shared = _overlap(box, other) / min(box[2] * box[3], other[2] * other[3])
        if shared > most:
            best, most = name, shared
    return best if most >= 0.25 else ""


def _overlap(a: Box, b: Box) -> float:
    width = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    height = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    return max(0.0, width) * max(0.0, height)


def _artist() -> DrawnPictures:
    pictures = bundled_sets.load("campaigns").pictures
    assert isinstance(pictures, DrawnPictures)
    return pictures


def contains(phrase: int) -> NDArray[np.bool_]:
    """Which contents have a phrase, ``(n,)``."""
    return np.asarray((load().content_phrases == phrase).any(axis=1))
