"""Which phrase goes with which patch: a table whose parts add up to the predicted success.

Words and places are players of two games. ``own`` are the Shapley values of phrases without the
picture and of patches without the text; ``pair`` shares out what only both together add, by the
product of both games' Shapley weights, so base + own + pair is the prediction exactly. All subsets
of up to six phrases and six patches cost 64 + 64 encoder passes, not 4,096.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import comb
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from backend.insights import parts as taken
from backend.insights.models import InsightModel
from backend.insights.parts import Opened
from backend.insights.patches import SIDE
from backend.protocols import I64
from models.insights import MODALITIES, Modality
from models.insights_cells import CELL_PX, CELLS

MOST: Final = 6  # players of each game, the rest of the text or picture among them
F64 = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """All in success rate: ``base + main_text.sum() + main_image.sum() + pair.sum()`` is
    ``prediction``.

    Attributes:
        base: with neither text nor picture; main_text (t,), main_image (i,), pair (t, i); the last
            player of either game is the rest.
    """

    base: float
    main_text: F64
    main_image: F64
    pair: F64
    prediction: float
    n_encoded: int


def subsets(count: int) -> Bools:
    """(2^count, count) all subsets of players, the empty one first."""
    numbers = np.arange(2**count)[:, None]
    return np.asarray(numbers >> np.arange(count) & 1 == 1)


def shapley(count: int) -> F64:
    """(count, 2^count) weights that give the Shapley value of each player from all subsets."""
    inside = subsets(count)
    size = inside.sum(1)
    made = np.zeros((count, len(inside)))
    for player in range(count):
        for k, own in enumerate(inside):
            if own[player]:
                made[player, k] = 1 / (count * comb(count - 1, int(size[k]) - 1))
            else:
                made[player, k] = -1 / (count * comb(count - 1, int(size[k])))
    return made


def table(
    model: InsightModel, content: Opened, phrases: list[I64], places: list[tuple[int, int]]
) -> Table:
    """The table of one content.

    Args:
        phrases: numbers of the words of each phrase, disjoint, at most five.
        places: row and column of each patch of 3 x 3 cells, at most five; a cell belongs to the
            first that has it.
    """
    net = model.net
    words = _players_of_words(content, phrases[: MOST - 1])
    cells = _players_of_cells(places[: MOST - 1])
    with torch.inference_mode():
        n = {"text": words.max() + 1, "image": cells.max() + 1}
        embedded: dict[Modality, Tensor] = {
            "text": _masked(model, content, "text", torch.from_numpy(words), int(n["text"])),
            "image": _masked(model, content, "image", torch.from_numpy(cells), int(n["image"])),
        }
        texts, images = len(embedded["text"]), len(embedded["image"])
        rest = {
            m: taken.embedding(net, m, content.parts, content).expand(texts * images, -1)
            for m in MODALITIES
            if m not in embedded
        }
        whole = {
            "text": embedded["text"].repeat_interleave(images, 0),
            "image": embedded["image"].repeat(texts, 1),
            **rest,
        }
        v = net.rate(whole).double().view(texts, images).numpy()
    by_text, by_image = shapley(int(n["text"])), shapley(int(n["image"]))
    return Table(
        float(v[0, 0]), by_text @ v[:, 0], by_image @ v[0], by_text @ v @ by_image.T,
        float(v[-1, -1]), texts + images,
    )  # fmt: skip


def _players_of_words(content: Opened, phrases: list[I64]) -> I64:
    """(words,) the player of each word; those of no phrase are the last one."""
    owner = np.full(max(1, len(content.texts[0].words)), len(phrases), np.int64)
    for k, own in enumerate(phrases):
        owner[own] = k
    owner[owner == len(phrases)] = len(phrases)
    return owner if (owner == len(phrases)).any() else np.append(owner, len(phrases))


def _players_of_cells(places: list[tuple[int, int]]) -> I64:
    """(16, 16) the player of each cell."""
    owner = np.full((CELLS, CELLS), len(places), np.int64)
    for k, (row, column) in reversed(list(enumerate(places))):
        owner[row : row + SIDE, column : column + SIDE] = k
    return owner


def _masked(
    model: InsightModel, content: Opened, modality: Modality, owner: Tensor, count: int
) -> Tensor:
    """Embeddings (2^count, width) of one part with only some players in it."""
    inside = torch.from_numpy(subsets(count))
    about = content.repeated(len(inside))
    if modality not in content.parts:
        return torch.zeros(len(inside), model.net.widths[modality])
    x = content.parts[modality]
    if modality == "text":
        word = content.word[0]
        kept = inside[:, owner[word.clamp(min=0)]] | (word < 0)[None]
        changed = x * kept[..., None]
    else:
        cells = inside[:, owner]
        kept = cells.repeat_interleave(CELL_PX, 1).repeat_interleave(CELL_PX, 2)
        changed = x * kept[:, None]
    parts: dict[Modality, Any] = {modality: changed}
    return taken.embedding(model.net, modality, parts, about)
