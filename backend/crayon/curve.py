"""Accuracy against the number of answers, and what more of them would bring. No torch."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import stdtrit

from backend.cache import ArrayStore
from backend.crayon import requests, sets
from backend.crayon.answers import AnswerStore
from backend.crayon.requests import RefineRequest
from backend.errors import BadRequest, NotFound
from backend.jobs import JobRequest
from backend.protocols import JSON

METHODS: Final = ("attention", "pruning+attention")
FEWEST_SEEDS, MOST_SEEDS, MOST_POINTS = 3, 10, 12
SHARE: Final = 8  # the estimate looks at the points from this part of the largest number up
FEWEST_POINTS: Final = 3
CONFIDENCE: Final = 0.95


@dataclass(frozen=True, slots=True)
class CurveRequest:
    """Runs at growing numbers of answers.

    Attributes:
        run: settings of every run; its seed is that of the first one and its budget is not read.
        seeds: how many runs a point has, 3 to 10, with seeds counting up.
        budgets: numbers of items with a verdict; chosen by halving unless given. 0, which is the
            training without answers, is always among them.
    """

    run: RefineRequest
    seeds: int = FEWEST_SEEDS
    budgets: tuple[int, ...] = ()

    def job(self, answers: AnswerStore, store: ArrayStore, view: str = "") -> JobRequest:
        """The runs as one job.

        Raises:
            NotFound: as :meth:`RefineRequest.job`; or no item has a verdict.
            BadRequest: the method has no map answers, or a number is out of range.
        """
        if self.run.method not in METHODS:
            raise BadRequest(
                f"There is no curve of {self.run.method[:40]!r}.", f"Choose {' or '.join(METHODS)}."
            )
        if not FEWEST_SEEDS <= self.seeds <= MOST_SEEDS:
            raise BadRequest(
                f"{self.seeds} seeds are not usable.",
                f"A band needs {FEWEST_SEEDS} to {MOST_SEEDS} seeds.",
            )
        run = replace(self.run, budget=0).canonical()
        guide, told = run.guidance(answers, store)
        total = int(np.count_nonzero(guide["verdict"]))
        params: dict[str, JSON] = {**requests.named(run.item_set, run.parent), **asdict(run)}
        params |= told | {"guidance": requests.stored(guide, store), "seeds": self.seeds}
        params["budgets"] = list(_points(self.budgets, total))
        title = f"{sets.load(run.item_set).title}: accuracy against answers, {run.method}"
        return JobRequest("crayon.curve", params, title, view)

    @classmethod
    def of(cls, values: Mapping[str, JSON]) -> CurveRequest:
        """From JSON: the fields of :class:`RefineRequest`, ``seeds`` and ``budgets``.

        Raises:
            BadRequest: a value is of another kind.
        """
        seeds, budgets = values.get("seeds", FEWEST_SEEDS), values.get("budgets", ())
        if type(seeds) is not int:
            raise BadRequest(f"seeds={str(seeds)[:40]!r} is not a whole number.")
        if not isinstance(budgets, list | tuple) or not all(type(b) is int for b in budgets):
            raise BadRequest(f"budgets={str(budgets)[:40]!r} is not a list of whole numbers.")
        return cls(RefineRequest.of(values), seeds, tuple(budgets))


def _points(budgets: Sequence[int], total: int) -> tuple[int, ...]:
    """The numbers of items of a curve, ascending, 0 first."""
    if not total:
        raise NotFound("No item has a verdict yet.", "Annotate some items, or ask for fewer votes.")
    chosen = set(budgets) or {max(1, total >> k) for k in range(5)}
    if min(chosen) < 0 or max(chosen) > total:
        raise BadRequest(
            f"A point at {max(chosen)} items cannot be computed.", f"Allowed are 0 to {total}."
        )
    if len(chosen) > MOST_POINTS:
        raise BadRequest(f"{len(chosen)} points are too many.", f"At most {MOST_POINTS}.")
    return tuple(sorted(chosen | {0}))


@dataclass(frozen=True, slots=True)
class Estimate:
    """What ``more`` items with a verdict would bring, in accuracy (1 is 100 points).

    Attributes:
        gain, low, high: mean over the seeds and its interval of 95 %; NaN where unknown for want
            of points or seeds.
        is_known: the interval does not cover 0.
    """

    more: int
    gain: float
    low: float
    high: float
    is_known: bool
    sentence: str


def estimate(budgets: ArrayLike, accuracy: ArrayLike, more: int = 50) -> Estimate:
    """Goes on along a straight line in log(items).

    Each seed has a least-squares line through its points with at least an eighth of the largest
    number of items; the gain is its slope times ``log((n + more) / n)``. The interval is Student's
    t over the seeds. Show it for the validation split: whether to go on annotating is a choice, and
    choices do not look at the test split.

    Args:
        budgets: ``(b,)`` numbers of items; accuracy: ``(s, b)`` in [0, 1].

    Raises:
        BadRequest: the shapes differ, or ``more`` is not positive.
    """
    x, y = np.asarray(budgets, np.float64), np.asarray(accuracy, np.float64)
    if y.ndim != 2 or y.shape[1:] != x.shape or more < 1:
        raise BadRequest(f"{y.shape} values at {x.shape} points make no estimate of {more} more.")
    y = y[np.isfinite(y).all(axis=1)]
    largest = float(x.max(initial=0))
    used = (x > 0) & (x >= largest / SHARE)
    if used.sum() < FEWEST_POINTS or len(y) < FEWEST_SEEDS:
        few = f"{int(used.sum())} points of {len(y)} seeds"
        return _unknown(more, f"there are {few}, and {FEWEST_POINTS} of {FEWEST_SEEDS} are needed")
    log = np.log(x[used]) - np.log(x[used]).mean()
    slopes = y[:, used] @ log / (log @ log)
    gains = slopes * math.log((largest + more) / largest)
    mean, count = float(gains.mean()), len(gains)
    half = float(stdtrit(count - 1, (1 + CONFIDENCE) / 2) * gains.std(ddof=1) / math.sqrt(count))
    low, high = mean - half, mean + half
    told = f"{100 * mean:+.1f} points, 95 % interval {100 * low:+.1f} to {100 * high:+.1f}"
    if low <= 0 <= high:
        return replace(_unknown(more, f"the estimate is {told}"), gain=mean, low=low, high=high)
    verb = "bring about" if mean > 0 else "cost about"
    sentence = f"{more} more answered items would {verb} {told} ({count} seeds)."
    return Estimate(more, mean, low, high, True, sentence)


def _unknown(more: int, why: str) -> Estimate:
    nan = float("nan")
    sentence = f"What {more} more answered items would bring is unknown: {why}."
    return Estimate(more, nan, nan, nan, False, sentence)


def bands(found: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Mean and standard deviation (n - 1) over seeds of an array of ``crayon.curve``.

    Args:
        name: wga, mga, wga_validation or mga_validation.

    Returns:
        ``budgets``, ``mean``, ``std`` of shape ``(b,)`` and ``count``, the seeds.
    """
    values = np.asarray(found[name], np.float64)
    std = values.std(axis=0, ddof=1) if len(values) > 1 else np.full(values.shape[1], np.nan)
    budgets = np.asarray(found["budgets"])
    return {"budgets": budgets, "mean": values.mean(axis=0), "std": std, "count": len(values)}
