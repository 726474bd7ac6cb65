"""What the page and its routes ask the workers for, checked before a job starts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from backend.cache import key_of
from backend.errors import BadRequest
from backend.gap.joint_map import FEWEST, MIN_DIST, NEIGHBOURS, SHOWN
from backend.gap.spaces import METHODS, MOST_PAIRS, Space
from backend.jobs import JobRequest
from backend.params import number, whole
from backend.protocols import JSON

MOST_SEED: Final = 1_000_000
PLAIN_TO: Final = 2_500
"""Pairs up to which umap-learn lays out a map at once and plotly draws it."""
PICTURES: Final = 8
"""Pictures of a refinement, the last of which is the result."""
LISTED_TO: Final = 20_000
"""Pairs up to which neighbours are found by comparing all, in the web process."""


@dataclass(frozen=True, slots=True)
class MapSettings:
    """How pairs are drawn and laid out."""

    count: int = SHOWN
    seed: int = 0
    neighbours: int = NEIGHBOURS
    min_dist: float = MIN_DIST

    def checked(self) -> MapSettings:
        """Itself.

        Raises:
            BadRequest: a number is out of range.
        """
        if not FEWEST <= self.count <= MOST_PAIRS:
            raise BadRequest(
                f"{self.count:,} pairs cannot be drawn.",
                f"Allowed are {FEWEST} to {MOST_PAIRS:,}; more than there are means all.",
            )
        if not 0 <= self.seed <= MOST_SEED:
            raise BadRequest(f"Seed {self.seed} is out of range.", f"Allowed: 0 to {MOST_SEED:,}.")
        if not 2 <= self.neighbours <= 200 or not 0 <= self.min_dist <= 0.99:
            raise BadRequest(
                f"{self.neighbours} neighbours with a least distance of {self.min_dist:g} are out "
                "of range.",
                "Allowed are 2 to 200 neighbours and distances from 0 to 0.99.",
            )
        return self


def named(held: Space) -> dict[str, JSON]:
    """What a job about a space is named by: a new file of weights makes new results."""
    return {"space": held.key, "fingerprint": held.fingerprint}


def is_large(held: Space, settings: MapSettings) -> bool:
    """Whether a map is drawn from landmarks first, and by points instead of a figure."""
    return min(settings.count, len(held)) > PLAIN_TO


def map_job(held: Space, settings: MapSettings) -> JobRequest:
    """``gap.map``: a joint UMAP of drawn pairs; more than there are means all.

    Raises:
        BadRequest: a setting is out of range.
    """
    return JobRequest("gap.map", _laid_out(held, settings), f"Joint UMAP of {held.title}")


def first_job(held: Space, settings: MapSettings) -> JobRequest:
    """``gap.first``: the first picture of a large map. Raises ``BadRequest`` as above."""
    return JobRequest("gap.first", _laid_out(held, settings), f"First map of {held.title}")


def refined_job(held: Space, settings: MapSettings) -> JobRequest:
    """``gap.refined``: the large map itself. Raises ``BadRequest`` as above."""
    return JobRequest("gap.refined", _laid_out(held, settings), f"Map of {held.title}, refined")


def graph_job(held: Space, settings: MapSettings) -> JobRequest:
    """``gap.graph``: neighbours of drawn pairs, whatever the least distance."""
    params = {k: v for k, v in _laid_out(held, settings).items() if k != "min_dist"}
    return JobRequest("gap.graph", params, f"Neighbours in {held.title}")


def settings_of(params: Mapping[str, JSON]) -> MapSettings:
    """The settings that the params of such a job name."""
    return MapSettings(
        count=whole(params, "count"),
        seed=whole(params, "seed"),
        neighbours=whole(params, "neighbours"),
        min_dist=number(params, "min_dist"),
    )


def _laid_out(held: Space, settings: MapSettings) -> dict[str, JSON]:
    asked = settings.checked()
    return {
        **named(held),
        "count": min(asked.count, len(held)),
        "seed": asked.seed,
        "neighbours": asked.neighbours,
        "min_dist": round(asked.min_dist, 4),
    }


def picture_key(key: str, number: int) -> str:
    """Under which the n-th picture of a refinement lies while it goes on."""
    return key_of("gap.picture", 1, of=key, number=number)


def index_job(held: Space) -> JobRequest:
    """``gap.index``: what finds neighbours among very many pairs."""
    return JobRequest("gap.index", named(held), f"Index of {held.title}")


def measure_job(held: Space) -> JobRequest:
    """``gap.measure``: the numbers with their intervals."""
    return JobRequest("gap.measure", named(held), f"Gap of {held.title}")


def sweep_job(held: Space) -> JobRequest:
    """``gap.sweep``: retrieval and loss along the gap."""
    return JobRequest("gap.sweep", named(held), f"Shifts of {held.title}")


def tokens_job(held: Space, row: int, method: str = "occlusion") -> JobRequest:
    """``gap.tokens``: words and places of a pair.

    Raises:
        BadRequest: the space has no encoder, or the method does not apply to it.
        NotFound: there is no such pair.
    """
    if not held.has_encoder:
        raise BadRequest(
            "Imported embeddings have no encoder to ask about words and places.",
            "Choose one of the bundled models, or a registered one.",
        )
    if method not in held.methods:
        left = ", ".join(METHODS[one] for one in held.methods)
        raise BadRequest(
            f"{METHODS.get(method, method[:40])} does not apply to {held.title}.",
            f"Choose {left}." if left else "Its tokenizer does not say where its words lie.",
        )
    params = {**named(held), "row": held.row(row), "method": method}
    return JobRequest("gap.tokens", params, "Words and places")
