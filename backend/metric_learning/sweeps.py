"""One car, one property changed: pictures, distances, changed ranks, a slope with an interval."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from backend.errors import BadRequest
from backend.metric_learning import cars
from backend.metric_learning.distances import pairwise
from backend.metric_learning.meshes import Mesh

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
U8 = NDArray[np.uint8]

NEAREST: Final = 20
PERIODS: Final = {"car_rotation": 360.0, "sun_rotation": 360.0, "car_hue": 1.0, "bg_hue": 1.0}


@dataclass(frozen=True, slots=True)
class Strip:
    """The scenes of a sweep: ``images`` (k, h, w, 3), ``shares`` (k, h, w) of the car, ``values``
    (k,) as texts, ``steps`` (k,) away from the scene's own value, ``own`` its place."""

    images: U8
    shares: F32
    values: tuple[str, ...]
    steps: F64
    own: int


def strip(model: str, values: Mapping[str, float], name: str, meshes: Mapping[str, Mesh]) -> Strip:
    """Draws the scene once for every value of one property.

    Raises:
        BadRequest: there is no such property or model.
    """
    from backend.metric_learning.rendering import render

    if model not in meshes:
        raise BadRequest(f"There is no car {model[:80]!r}.", f"There is {', '.join(meshes)}.")
    if name == cars.MODEL:
        names = list(meshes)
        scenes = [(other, dict(values)) for other in names]
        shown, own = names, names.index(model)
        steps = np.array([float(other != model) for other in names])
    else:
        (knob,) = cars.chosen_knobs([name])
        scenes = [(model, {**values, name: value}) for value in knob.values]
        shown = [f"{value:g}{knob.unit}" for value in knob.values]
        own = int(np.argmin(np.abs(np.array(knob.values) - values[name])))
        steps = distance_of(name, np.array(knob.values), values[name])
    drawn = [render(meshes[which], scene) for which, scene in scenes]
    images, shares = (np.stack(part) for part in zip(*drawn, strict=True))
    return Strip(images, shares, tuple(shown), steps, own)


def distance_of(name: str, values: F64, origin: float) -> F64:
    """How far values of a property are from one, the short way round where it is periodic."""
    away = np.abs(values - origin)
    period = PERIODS.get(name)
    return away if period is None else np.minimum(away, period - away)


def slope(steps: F64, distances: F64) -> tuple[float, float, float]:
    """Slope through the origin of distance over change, with its 95 % interval (Student's t).

    NaN where there are fewer than three changed values.
    """
    from scipy.stats import t

    moved = steps > 0
    x, y = steps[moved], distances[moved]
    if len(x) < 3:
        return float("nan"), float("nan"), float("nan")
    found = float((x * y).sum() / (x**2).sum())
    spread = float(np.sqrt(((y - found * x) ** 2).sum() / (len(x) - 1) / (x**2).sum()))
    half = float(t.ppf(0.975, len(x) - 1)) * spread
    return found, found - half, found + half


def swaps(before: F64, after: F64, nearest: int = NEAREST) -> float:
    """Share of the pairs among the nearest images of a query that change their order, in [0, 1].

    Args:
        before, after: ``(n,)`` distances of the same images to the query as it was and as changed.
    """
    first = np.argsort(before, kind="stable")[:nearest]
    later = after[first]
    i, j = np.triu_indices(len(first), 1)
    return float((later[i] > later[j]).mean())


def answers(
    embeddings: F32, own: int, steps: F64, others: F32, distance: str, itself: int
) -> dict[str, F64]:
    """``distances`` (k,), ``swaps`` (k,) and ``slope`` (3,) of one model along a strip.

    Args:
        embeddings: ``(k, d)`` of the strip. ``own``: the row of the unchanged scene.
        others: ``(n, d)`` embeddings of the data set, ``itself`` the scene's row in it.
    """
    away = pairwise(embeddings[own][None], embeddings, distance)[0].astype(np.float64)
    away -= away[own]  # minus a dot product is not 0 for equal vectors
    far = pairwise(embeddings, others, distance).astype(np.float64)
    far = np.delete(far, itself, axis=1)
    return {
        "distances": away,
        "swaps": np.array([swaps(far[own], one) for one in far]),
        "slope": np.array(slope(steps, away)),
    }


def spearman(values: F64, distances: F64) -> float:
    """Rank correlation of change and distance; NaN where one does not vary."""
    from scipy.stats import rankdata

    a, b = rankdata(values), rankdata(distances)
    if a.std() == 0 or b.std() == 0:
        return float("nan")
    return float(np.corrcoef(a, b)[0, 1])
