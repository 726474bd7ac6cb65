"""What the history of a set tells: words, phrases and patches with their attributions.

One ``insights.history`` job makes it; ``recommend`` then answers from the arrays alone. No torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backend.insights.contents import Contents
from backend.protocols import F32, I64

F64 = NDArray[np.float64]
Text = NDArray[np.str_]


@dataclass(frozen=True, slots=True, eq=False)
class Occurrences:
    """Where each word or phrase stands.

    Attributes:
        names: (p,) in small letters; of: (o,) number of the name; row: (o,) content; value: (o,)
            mean attribution of its words there, in success rate.
    """

    names: Text
    of: I64
    row: I64
    value: F64


@dataclass(frozen=True, slots=True, eq=False)
class Patches:
    """Patches of pictures: row (p,), place (p, 2) row and column in cells, value (p,) its summed
    attribution, cluster (p,), distance (p,) to the centre, embedding (p, d).
    """

    row: I64
    place: I64
    value: F64
    cluster: I64
    distance: F64
    embedding: F32
    tried: I64
    inertia: F64
    chosen: int


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """Control and best treatment (m, 2) of held-out experiments, gained attribution (m,) each."""

    rows: I64
    gained: F64


@dataclass(frozen=True, slots=True, eq=False)
class History:
    """The artefacts of one set, model and method.

    Attributes:
        rows: the contents that were explained.
        text_pairs, image_pairs: ``None`` where the set has no text or no pictures.
    """

    held: Contents
    rows: I64
    words: Occurrences
    phrases: Occurrences
    patches: Patches
    text_pairs: Pairs | None
    image_pairs: Pairs | None

    @classmethod
    def of(cls, held: Contents, arrays: Mapping[str, NDArray[Any]]) -> History:
        """From the arrays of the job."""

        def seen(name: str) -> Occurrences:
            names, of, row, value = (
                arrays[f"{name}.{part}"] for part in ("names", "of", "row", "value")
            )
            return Occurrences(
                np.asarray(names),
                np.asarray(of, np.int64),
                np.asarray(row, np.int64),
                np.asarray(value, np.float64),
            )

        def pairs(name: str) -> Pairs | None:
            key = f"{name}_pairs.rows"
            return Pairs(arrays[key], arrays[f"{name}_pairs.gained"]) if key in arrays else None

        names = ("row", "place", "value", "cluster", "distance", "embedding", "tried", "inertia")
        told: dict[str, Any] = {name: arrays[f"patches.{name}"] for name in names}
        patches = Patches(**told, chosen=int(arrays["patches.chosen"][0]))
        return cls(
            held, arrays["rows"], seen("words"), seen("phrases"), patches,
            pairs("text"), pairs("image"),
        )  # fmt: skip
