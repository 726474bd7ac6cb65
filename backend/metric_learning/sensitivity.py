"""The table behind the heat map: how much an embedding clusters by each property, and how sure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from backend import metrics
from backend.metric_learning import counting, significance
from backend.metric_learning.counting import Counts
from backend.metric_learning.distances import pairs
from backend.metric_learning.neighbours import Ties
from backend.metric_learning.properties import Property
from backend.metrics import Sigma
from backend.protocols import JSON, Progress

TIE_RULES: Final = {
    "index": "Of images that are equally far, those that come first in the table count.",
    "expected": "Of images that are equally far, all count in proportion.",
}


@dataclass(frozen=True, slots=True)
class Sensitivity:
    """What an embedding clusters by.

    Attributes:
        frame: one row for each property, see :func:`sensitivity`.
        notes: sentences about what was left out and what the numbers rest on.
        n: images. ``distance``, ``sigma``, ``ties``, ``permutations``, ``seed``: as asked for.
    """

    frame: pd.DataFrame
    notes: tuple[str, ...]
    n: int
    distance: str
    sigma: str
    ties: str
    permutations: int
    seed: int

    def document(self) -> dict[str, JSON]:
        """All of it as JSON; what is not defined is null."""
        records = [
            {name: _plain(value) for name, value in row.items()}
            for row in self.frame.to_dict(orient="records")
        ]
        return {
            "n": self.n,
            "distance": self.distance,
            "sigma": self.sigma,
            "ties": self.ties,
            "permutations": self.permutations,
            "seed": self.seed,
            "significant_above": metrics.SIGNIFICANT,
            "notes": list(self.notes),
            "properties": records,
        }


def sensitivity(
    embeddings: ArrayLike,
    properties: Sequence[Property],
    distance: str = "euclidean",
    sigma: Sigma = "std",
    ties: Ties = "index",
    permutations: int = 0,
    seed: int = 0,
    progress: Progress | None = None,
    counted: Counts | None = None,
) -> Sensitivity:
    """NR-Prec of every property, from one pass over the distances.

    The frame's columns: ``property``; ``values`` (how many); ``queries`` (that ask a question);
    ``nr_precision``; ``r_precision``; ``chance`` (expected of it); ``kappa`` = (r_precision -
    chance) / (1 - chance), which does not grow with n; ``per_root_n`` = nr_precision / sqrt(n);
    ``p_normal`` and ``is_significant`` (the source's rule, nr_precision > 2.576); with permutations
    also ``z_permutation``, ``p_permutation`` and ``p_holm`` (over the properties); ``note``.

    Args:
        embeddings: ``(n, d)``.
        permutations: shufflings of each property's labels; 0 for none.
        counted: what these properties without the problematic ones were counted to, elsewhere.

    Raises:
        BadRequest: as :func:`backend.metric_learning.distances.pairs` and
            :func:`backend.metrics.scores`.
    """
    held = pairs(embeddings, distance)
    usable = [one for one in properties if not one.problem]
    if counted is None and usable:
        counted = counting.counts(held, usable, ties, permutations, seed, progress)
    place = {one.name: k for k, one in enumerate(usable)}
    rows = []
    for one in properties:
        row: dict[str, Any] = {"property": one.name, "values": len(one.values), "queries": 0}
        if counted is not None and one.name in place:
            k = place[one.name]
            row |= _row(one, counted.hits[k], sigma, len(held))
            if permutations:
                given = counted.by_index[k], counted.shuffled[k]
                null = significance.permutation_null(held, one, permutations, seed, counted=given)
                row |= {"z_permutation": null.z, "p_permutation": null.p}
        rows.append(row | {"note": one.problem or singles(one)})
    frame = pd.DataFrame(rows).reindex(columns=_columns(permutations))
    if permutations:
        frame["p_holm"] = significance.holm(frame["p_permutation"].to_numpy(np.float64))
    notes = _notes(held.duplicates, ties, frame["note"].tolist(), permutations, len(usable))
    return Sensitivity(frame, notes, len(held), distance, sigma, ties, permutations, seed)


def _columns(permutations: int) -> list[str]:
    names = ["property", "values", "queries", "nr_precision", "r_precision", "chance", "kappa"]
    names += ["per_root_n", "p_normal", "is_significant"]
    names += ["z_permutation", "p_permutation", "p_holm"] if permutations else []
    return [*names, "note"]


def _row(one: Property, hits: metrics.F64, sigma: Sigma, n: int) -> dict[str, Any]:
    value = float(metrics.scores(hits, one, sigma).mean())
    shares = metrics.r_precisions(hits, one)
    precision, chance = float(shares.mean()), metrics.chance_level(one)
    return {
        "queries": len(shares),
        "nr_precision": value,
        "r_precision": precision,
        "chance": chance,
        "kappa": (precision - chance) / (1 - chance),
        "per_root_n": value / float(np.sqrt(n)),
        "p_normal": significance.normal_p(value) if sigma == "std" else np.nan,
        "is_significant": bool(value > metrics.SIGNIFICANT) if sigma == "std" else None,
    }


def singles(one: Property) -> str:
    """A sentence about values of one image; empty where there is none."""
    if not one.singles:
        return ""
    shown = ", ".join(one.singles[:3]) + (" …" if len(one.singles) > 3 else "")
    return f"{len(one.singles)} values of {one.name} have one image and ask no question: {shown}."


def repeated(duplicates: int) -> str:
    """A sentence about embeddings that are there more than once."""
    return f"{duplicates} images repeat the embedding of another exactly."


def _notes(
    duplicates: int, ties: str, notes: list[str], permutations: int, tests: int
) -> tuple[str, ...]:
    said = [note for note in notes if note]
    if duplicates:
        said.append(repeated(duplicates))
    said.append(TIE_RULES[ties])
    if permutations and tests and tests / (permutations + 1) > significance.LEVEL:
        needed = int(np.ceil(tests / significance.LEVEL))
        said.append(
            f"{permutations} permutations cannot reach 1 % after Holm's correction of {tests} "
            f"tests; {needed} can."
        )
    return tuple(said)


def _plain(value: Any) -> JSON:
    if isinstance(value, float) and not np.isfinite(value):
        return None
    plain: JSON = value.item() if isinstance(value, np.generic) else value
    return plain
