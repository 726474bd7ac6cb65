"""Where a model is wrong and where it looks, by group: one job a set and model, and sums of it.

No torch here: the job reads the maps that ``crayon.maps`` has stored.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from backend.cache import ArrayStore
from backend.crayon import metrics, requests, sets, simulate
from backend.errors import NotFound
from backend.jobs import JobRequest
from backend.protocols import JSON, Arrays

Held = Mapping[str, NDArray[Any]]
BATCH: Final = 200  # masks at once
Z95: Final = 1.959964  # two-sided 95 % of the normal distribution


class Ticket(Protocol):
    """What a work function is handed: progress with cancel, and earlier results."""

    @property
    def store(self) -> ArrayStore: ...

    def __call__(self, done: int, total: int) -> None: ...


def items_job(item_set: str, parent: str = "", view: str = "") -> JobRequest:
    """``crayon.items``: what the maps say of each item. Raises as ``requests.maps_job``."""
    maps = requests.maps_job(item_set, parent)
    params: dict[str, JSON] = {**maps.params, "maps": maps.key}
    title = f"{sets.load(item_set).title}: energy on the object"
    return JobRequest("crayon.items", params, title, view)


def items(params: Mapping[str, JSON], ticket: Ticket) -> Arrays:
    """``crayon.items``: one row an item of the set.

    Returns:
        pred (n,) the answered class; confidence (n,) its probability; truth (n,) the probability of
        the true class; energy (n,) share of the map on the object, NaN where no mask is known or
        the map is zero; yes (n,) 1 where a simulated annotator without errors would say yes; cover
        (n, h, w) share of each cell of the map that the object covers.

    Raises:
        NotFound: the maps are not stored.
    """
    held = sets.load(str(params["set"]))
    found = ticket.store.get(str(params["maps"]))
    if found is None:
        raise NotFound("The maps are not computed yet.", "Compute them first.")
    maps = np.asarray(found["maps"], np.float32)
    p = np.asarray(found["probabilities"], np.float32)
    told: dict[str, Any] = {
        "pred": p.argmax(1),
        "confidence": p.max(1),
        "truth": p[np.arange(len(p)), held.labels],
        "energy": np.full(len(held), np.nan, np.float32),
        "yes": np.zeros(len(held), np.int8),
    }
    if held.cover is None:
        return told
    cover = np.zeros_like(maps)
    for start in range(0, len(held), BATCH):
        ticket(start, len(held))
        rows = list(range(start, min(len(held), start + BATCH)))
        cover[start : start + BATCH] = held.cover(rows, maps.shape[1:])
    told["energy"] = metrics.energy_in_mask(maps, cover).astype(np.float32)
    told["yes"] = simulate.says_yes(maps, cover).astype(np.int8)
    return told | {"cover": cover}


def wilson(right: int, n: int) -> tuple[float, float]:
    """The 95 % interval of a share by Wilson's score, which stays within [0, 1]; NaN for n = 0."""
    if not n:
        return math.nan, math.nan
    share, z = right / n, Z95
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return max(0.0, middle - half), min(1.0, middle + half)


def by_group(held: sets.GuidedSet, told: Held, split: str) -> list[dict[str, Any]]:
    """One row a group of a split: counts, accuracy with its 95 % interval, mean energy.

    ``rare`` marks the group of fewest training items of its class: that confounder seldom goes with
    that class. Numbers that are not defined are NaN.

    Raises:
        NotFound: there is no such split.
    """
    rows, training = held.rows(split), held.rows("training")
    right = np.asarray(told["pred"]) == held.labels
    counts = np.bincount(held.groups[training], minlength=len(held.group_names))
    found = []
    for group, name in enumerate(held.group_names):
        mine = rows[held.groups[rows] == group]
        n, correct = len(mine), int(right[mine].sum())
        low, high = wilson(correct, n)
        twins = [g for g in range(len(counts)) if g // 2 == group // 2]
        energy = np.asarray(told["energy"], np.float64)[mine]
        found.append(
            {
                "group": group,
                "name": name,
                "n": n,
                "correct": correct,
                "accuracy": correct / n if n else math.nan,
                "low": low,
                "high": high,
                "energy": float(np.nanmean(energy)) if np.isfinite(energy).any() else math.nan,
                "n_training": int(counts[group]),
                "rare": bool(len(twins) > 1 and counts[group] == min(counts[g] for g in twins)),
            }
        )
    return found


def summary(groups: list[dict[str, Any]]) -> dict[str, Any]:
    """Worst and mean group accuracy, their gap, and the accuracy of the split as it is.

    A group without items has no accuracy and is left out; ``absent`` names those.
    """
    there = [row for row in groups if row["n"]]
    if not there:
        return {"absent": [row["name"] for row in groups]}
    worst = min(there, key=lambda row: float(row["accuracy"]))
    mean = float(np.mean([row["accuracy"] for row in there]))
    return {
        "worst": worst["accuracy"],
        "worst_name": worst["name"],
        "worst_group": worst["group"],
        "mean": mean,
        "gap": mean - worst["accuracy"],
        "accuracy": sum(row["correct"] for row in there) / sum(row["n"] for row in there),
        "n": sum(row["n"] for row in there),
        "absent": [row["name"] for row in groups if not row["n"]],
    }


def ordered(
    held: sets.GuidedSet, told: Held, split: str, group: int, order: str
) -> NDArray[np.int64]:
    """The items of a split, or of one group of it, as a gallery shows them.

    Args:
        group: -1 for all.
        order: wrong (wrong answers first, the surest of them first), unsure (least probability of
            the true class first), energy (least energy on the object first) or item.

    Raises:
        NotFound: there is no such split.
    """
    rows = held.rows(split)
    if group >= 0:
        rows = rows[held.groups[rows] == group]
    truth = np.asarray(told["truth"], np.float64)[rows]
    if order == "wrong":
        right = np.asarray(told["pred"])[rows] == held.labels[rows]
        place = np.lexsort((truth, right))
    elif order == "unsure":
        place = np.argsort(truth, kind="stable")
    elif order == "energy":  # NaN is last
        place = np.argsort(np.asarray(told["energy"], np.float64)[rows], kind="stable")
    else:
        place = np.arange(len(rows))
    chosen: NDArray[np.int64] = rows[place]
    return chosen
