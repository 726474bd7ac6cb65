"""Whether answers are about what is shown today: the same picture and the same map. No torch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from backend.crayon.panels import map_hash
from backend.crayon.sets import GuidedSet
from backend.protocols import F32

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Checked:
    """How many answers are used, and how many are not because something else had been shown.

    Attributes:
        other_maps: the map has changed since, or came from another saliency method.
        other_pictures: the item's picture has changed since.
        unmarked: of the used ones, those that do not say what was shown (imported, for example).
    """

    used: int = 0
    other_maps: int = 0
    other_pictures: int = 0
    unmarked: int = 0

    @property
    def sentence(self) -> str:
        """What is left out, in words; empty where nothing is."""
        parts = []
        if self.other_maps:
            parts.append(f"Not used, as they are about other maps: {_answers(self.other_maps)}.")
        if self.other_pictures:
            count = _answers(self.other_pictures)
            parts.append(f"Not used, as they are about other pictures: {count}.")
        if self.unmarked:
            count = _answers(self.unmarked)
            parts.append(f"Used, though which map was shown is not recorded: {count}.")
        return " ".join(parts)


def _answers(count: int) -> str:
    return f"{count:,} answer{'' if count == 1 else 's'}"


def checked(rows: Iterable[Row], held: GuidedSet, maps: F32 | None) -> tuple[list[Row], Checked]:
    """The answers that are about these maps and pictures, and the counts.

    A map's hash is compared where the answer has one and ``maps`` are given; else the picture's;
    an answer with neither is used, and counted.

    Args:
        rows: ``item_id``, ``map_hash``, ``item_hash`` and more; of items that are not in the set
            they are passed on, as whoever reads them has a sentence for that.
        maps: ``(n, h, w)`` in the set's order.
    """
    kept: list[Row] = []
    maps_changed = pictures_changed = unmarked = 0
    for row in rows:
        item = int(row["item_id"])
        is_known = 0 <= item < len(held)
        if is_known and row.get("map_hash") and maps is not None:
            if row["map_hash"] != map_hash(np.asarray(maps[item], np.float32)):
                maps_changed += 1
                continue
        elif is_known and row.get("item_hash"):
            if row["item_hash"] != held.item_hash(item):
                pictures_changed += 1
                continue
        else:
            unmarked += 1
        kept.append(row)
    return kept, Checked(len(kept), maps_changed, pictures_changed, unmarked)
