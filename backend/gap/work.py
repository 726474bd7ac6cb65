"""What the workers do for the page: layouts, measures, the slider, retrieval, token maps."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

import numpy as np

from backend.cache import ArrayStore
from backend.gap import joint_map, slider, spaces
from backend.gap.measures import Progress
from backend.gap.measures import measure as measured
from backend.gap.slider import Direction, Point, Slider
from backend.gap.spaces import Space
from backend.params import number, whole
from backend.protocols import I64, JSON, Arrays

BOOTSTRAP: Final = 200
BINS: Final = 96
COSINES: Final = (-1.0, 1.0)
BLOCK: Final = 1_024
COUNTED: Final = 20_000
PLACES: Final = 41
DRAGGED_TO: Final = 10_000
DRAGGED: Final = 5_000
"""Pairs that the slider moves where there are more than DRAGGED_TO."""
TOPS: Final = (1, 5, 10)
_lock = threading.Lock()


def space_of(params: Mapping[str, JSON], ticket: Any) -> Space:
    """The space that a job names.

    Raises:
        NotFound: there is none.
    """
    store: ArrayStore = ticket.store
    return spaces.load(str(params["space"]), store)


def layout(params: Mapping[str, JSON], ticket: Any) -> Arrays:
    """``gap.map``: ``rows`` (m,), ``images`` and ``texts`` (m, 2) of a joint UMAP.

    Params: ``space, count, seed, neighbours, min_dist``.
    """
    held = space_of(params, ticket)
    found = joint_map.joint_map(
        held.images,
        held.texts,
        count=whole(params, "count"),
        neighbours=whole(params, "neighbours"),
        min_dist=number(params, "min_dist"),
        seed=whole(params, "seed"),
    )
    return {"rows": found.rows, "images": found.images, "texts": found.texts}


def numbers(params: Mapping[str, JSON], ticket: Any) -> Arrays:
    """``gap.measure``: every number of a space with its interval, the gaps of its pairs, and how
    the cosines of all unmatched pairs are spread. Params: ``space``.

    ``names`` are those of :data:`NAMES`; ``values`` and ``ends`` (k,) and (k, 2).
    """
    held = space_of(params, ticket)
    report = measured(held.images, held.texts, bootstrap=BOOTSTRAP, seed=0, progress=ticket)
    values = [float(getattr(report, name)) for name in NAMES]
    ends = [report.intervals.get(name, (np.nan, np.nan)) for name in NAMES]
    return {
        "values": np.array(values),
        "ends": np.array(ends, np.float64),
        "gaps": report.pair_gaps,
        "unmatched": unmatched(held, ticket),
        "is_exact": np.array(report.is_uniformity_exact),
    }


NAMES: Final = (
    "centroid_gap", "mean_pair_gap", "median_pair_gap", "alignment", "uniformity",
    "unmatched_cosine", "margin", "separability", "effective_rank_images", "effective_rank_texts",
)  # fmt: skip
"""Rows of the table of numbers, in order; ``alignment`` is the mean cosine of matched pairs."""


def unmatched(held: Space, progress: Progress = lambda done, total: None) -> I64:
    """(BINS,) counts of the cosines of images with texts of other pairs, all n (n - 1) of them, or
    those of COUNTED drawn pairs where there are more, in equal bins over COSINES.
    """
    counts = np.zeros(BINS, np.int64)
    drawn = held.pairs.take(joint_map.sample(len(held), COUNTED))
    for start in range(0, len(drawn), BLOCK):
        rows = drawn.images[start : start + BLOCK] @ drawn.texts.T
        own = np.arange(len(rows))
        counts += np.histogram(np.clip(rows, *COSINES), bins=BINS, range=COSINES)[0]
        mine = np.clip(rows[own, start + own], *COSINES)
        counts -= np.histogram(mine, bins=BINS, range=COSINES)[0]
        progress(min(start + BLOCK, len(drawn)), len(drawn))
    return counts


@lru_cache(maxsize=4)
def _slider(key: str, folder: str) -> Slider:
    held = spaces.load(key, _stores[folder])
    rows = dragged(len(held))
    return Slider(
        held.images[rows],
        held.texts[rows],
        concepts=held.concepts[rows],
        groups=[held.groups[row] for row in rows] if held.groups else None,
        labels=None if held.labels is None else held.labels[rows],
        classes=held.classes,
        tops=TOPS,
        temperature=held.temperature,
    )


_stores: dict[str, ArrayStore] = {}


def dragged(n: int) -> I64:
    """Which of n pairs the slider moves: all, or DRAGGED of them drawn with seed 0."""
    return joint_map.sample(n, n if n <= DRAGGED_TO else DRAGGED)


def slider_of(params: Mapping[str, JSON], ticket: Any) -> Slider:
    """The slider of a space, made once per process."""
    held = space_of(params, ticket)
    with _lock:
        _stores[str(ticket.store.root)] = ticket.store
        return _slider(held.key, str(ticket.store.root))


def place(params: Mapping[str, JSON], ticket: Any) -> Arrays:
    """``gap.at``: one place of the slider. Params: ``space, delta``."""
    moved = slider_of(params, ticket)
    return packed([moved.at(number(params, "delta"))])


def swept(params: Mapping[str, JSON], ticket: Any) -> Arrays:
    """``gap.sweep``: places from -1 to 2 gaps. Params: ``space``."""
    moved = slider_of(params, ticket)
    gap = moved.at(0.0).gap
    points = []
    deltas = slider.places(gap, PLACES)
    for i, delta in enumerate(deltas):
        points.append(moved.at(delta))
        ticket(i + 1, len(deltas))
    return packed(points)


def packed(points: list[Point]) -> Arrays:
    """Points of the slider as arrays: ``delta, gap, loss, accuracy`` (p,), ``recall`` (p, 2, k)
    text to image first, ``by_group`` (p, g); ``tops`` (k,) and ``groups`` as text.
    """
    first = points[0]
    tops = sorted(first.recall["text_to_image"])
    names = sorted(first.by_group)
    ways: tuple[Direction, ...] = ("text_to_image", "image_to_text")
    return {
        "delta": np.array([p.delta for p in points]),
        "gap": np.array([p.gap for p in points]),
        "loss": np.array([p.loss for p in points]),
        "accuracy": np.array([np.nan if p.accuracy is None else p.accuracy for p in points]),
        "recall": np.array([[[p.recall[way][k] for k in tops] for way in ways] for p in points]),
        "by_group": np.array([[p.by_group[name] for name in names] for p in points]),
        "tops": np.array(tops),
        "groups": np.array(names or [""]),
    }
