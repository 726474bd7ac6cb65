"""The bundled pool of drawn people: attributes, embeddings of "CLIP-style, small", queries.

Attributes are exact because whoever drew the emoji said them; they say nothing about people.
Reading the pool loads no torch.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final, Literal, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from backend.errors import BadRequest
from backend.fair.groups import F64, I8
from backend.protocols import F32, I64
from backend.settings import PROJECT
from models.people_prompts import prompts_of

__all__ = [
    "ATTRIBUTES",
    "GROUP_WORDS",
    "NAMES",
    "SHEET",
    "Attribute",
    "Pool",
    "kept",
    "people",
    "prompts_of",
]
Attribute = Literal["gender", "tone"]
ATTRIBUTES: Final = get_args(Attribute)
FOLDER: Final = PROJECT / "data" / "people"
GENDERS: Final = {"man": 1, "woman": -1, "person": 0}
TONES: Final = {
    "light": 1,
    "medium-light": 1,
    "medium": 0,
    "unspecified": 0,
    "medium-dark": -1,
    "dark": -1,
}
NAMES: Final[dict[str, tuple[str, str, str]]] = {
    "gender": ("drawn as a woman", "drawn as neither", "drawn as a man"),
    "tone": ("darker tones", "medium or none", "lighter tones"),
}
"""Names of the groups -1, 0 and +1 of each attribute."""
GROUP_WORDS: Final = frozenset(
    [
        "man",
        "woman",
        "men",
        "women",
        "male",
        "female",
        "boy",
        "girl",
        "he",
        "she",
        "his",
        "her",
        "lady",
        "gentleman",
        "guy",
        "policeman",
        "businessman",
        "fireman",
        "waitress",
        "actress",
        "dark-skinned",
        "light-skinned",
        "black",
        "white",
    ]
)
"""A typed query with one of these is not neutral, and the page says so."""
SHEET: Final = {"columns": 40, "side_px": 64}


@dataclass(frozen=True, slots=True)
class Pool:
    """Drawn people with what the encoder makes of them; rows of embeddings have length 1.

    Attributes:
        fingerprint: of the table and the embeddings.
        activities: names of the activities, which are the neutral queries.
        activity: (n,) what each does; looks: (n,) gender, tone and style in words.
        groups: (n,) for each attribute, exact.
        images: (n, d); queries: (q, d).
        words: for each attribute (2, d) of the words for +1 and -1.
        prompts: for each attribute (q, 2, d) of the queries behind those words.
        logits: for each attribute (n, 3) of the supervised predictor, order -1, 0, +1.
        informative: for each attribute (d,) mutual information of each dimension with the group,
            in nats, estimated on the people of training.
        xy: (n, 2) UMAP of the images.
    """

    fingerprint: str
    activities: tuple[str, ...]
    activity: I64
    looks: tuple[str, ...]
    groups: dict[str, I8]
    images: F32
    queries: F32
    words: dict[str, F32]
    prompts: dict[str, F32]
    logits: dict[str, F32]
    informative: dict[str, F64]
    xy: F32

    def __len__(self) -> int:
        return len(self.activity)

    def relevant(self, query: int) -> I64:
        """Indices of the pictures of one activity."""
        return np.flatnonzero(self.activity == query)

    def number(self, activity: str) -> int:
        """Number of an activity.

        Raises:
            BadRequest: the pool has no such activity.
        """
        if activity not in self.activities:
            raise BadRequest(
                f"{activity[:60]!r} is no query of the list.", "Choose one, or type your own."
            )
        return self.activities.index(activity)


@cache
def people(folder: Path = FOLDER) -> Pool:
    """The pool, read once.

    Args:
        folder: of the embeddings; another one has those of an encoder of another seed.
    """
    table = pd.read_parquet(FOLDER / "people.parquet")
    path = folder / "embeddings.npz"
    with np.load(path, allow_pickle=False) as file:
        held: dict[str, NDArray[Any]] = dict(file)
    names = tuple(sorted(set(table["activity"])))
    number = {name: i for i, name in enumerate(names)}
    content = path.read_bytes() + (FOLDER / "people.parquet").read_bytes()
    looks = table["gender"] + ", " + table["tone"] + " tone, " + table["style"]
    wide = {name: array.astype(np.float32) for name, array in held.items()}
    return Pool(
        hashlib.sha256(content).hexdigest(),
        names,
        table["activity"].map(number).to_numpy(np.int64),
        tuple(looks),
        {
            "gender": table["gender"].map(GENDERS).to_numpy(np.int8),
            "tone": table["tone"].map(TONES).to_numpy(np.int8),
        },
        _unit(wide["images"]),
        _unit(wide["queries"]),
        {name: _unit(wide[f"{name}_words"]) for name in ATTRIBUTES},
        {name: _unit(wide[f"{name}_prompts"]) for name in ATTRIBUTES},
        {name: wide[f"{name}_logits"] for name in ATTRIBUTES},
        {name: wide[f"{name}_information"].astype(np.float64) for name in ATTRIBUTES},
        wide["xy"],
    )


def _unit(rows: F32) -> F32:
    """Half precision leaves lengths off by 1e-3."""
    found: F32 = rows / np.linalg.norm(rows, axis=-1, keepdims=True)
    return found


def kept(pool: Pool, attribute: Attribute, share_plus: float, seed: int = 0) -> I64:
    """Rows, in order, of a pool in which ``share_plus`` of those with a group are in group +1.

    The group that must shrink loses the same share within every activity and nothing else is
    taken out, so every query stays possible.

    Raises:
        BadRequest: the share is not 0.1 to 0.9.
    """
    if not 0.1 <= share_plus <= 0.9:
        raise BadRequest(f"A share of {share_plus:g} is out of range.", "Allowed are 0.1 to 0.9.")
    signs = pool.groups[attribute]
    shrunk = -1 if share_plus > 0.5 else 1
    ratio = min(share_plus, 1 - share_plus) / max(share_plus, 1 - share_plus)
    draw = np.random.default_rng(seed)
    gone = []
    for activity in range(len(pool.activities)):
        here = np.flatnonzero((pool.activity == activity) & (signs == shrunk))
        other = int(((pool.activity == activity) & (signs == -shrunk)).sum())
        stay = min(len(here), round(ratio * other))
        gone.append(draw.permutation(here)[stay:])
    return np.setdiff1d(np.arange(len(pool)), np.concatenate(gone))
