"""What the choice of training pictures changes: a record of three, each harder than the one before.

The supervised predictor reads the encoder's embeddings, so what the encoder never saw bounds it.
Each number is of one random start; weights of the two harder choices were not kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Split:
    """One choice of training pictures.

    Attributes:
        seen: what training saw of the people of the pool.
        precision_at_10: share of right pictures among the first ten, mean over the 57 queries.
    """

    seen: str
    precision_at_10: float


SHIPPED: Final = Split("people in another style, yellow figures in the pool's two", 0.986)
OTHER_STYLE: Final = Split("people in another style only", 0.22)
NO_ACTIVITY: Final = Split("none of the activities", 0.07)
SPLITS: Final = (SHIPPED, OTHER_STYLE, NO_ACTIVITY)
