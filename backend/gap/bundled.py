"""The bundled image-text pairs: table, pictures, and what the trained models make of them.

Reading any of it needs no torch. Pictures lie on sheets of 32 x 16 cells; the test split comes
first, so that its pictures fill the first sheets.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from backend.errors import NotFound
from backend.protocols import F32, I64, U8
from backend.settings import PROJECT

FOLDER: Final = PROJECT / "data" / "pairs"
SIDE_PX: Final = 64
PER_ROW: Final = 32
PER_SHEET: Final = 512
SPLITS: Final = ("test", "validation", "train")
SOURCE: Final = "Noto Emoji, OpenMoji, Tux Paint stamps and Open Clip Art with their captions"
VARIANTS: Final = {
    "clip": "CLIP",
    "rankclip": "RankCLIP",
    "rankclip-c": "RankCLIP-C",
    "rankclip-i": "RankCLIP-I",
    "random": "Random init",
}
"""The trained models by the end of their key, ``pairs-<variant>``."""
PROMPT_OF: Final = "a picture of {}"
PROMPTS: Final = {
    "face": "a face",
    "person": "a person",
    "animal": "an animal",
    "plant": "a plant",
    "food or drink": "food or drink",
    "place": "a building or a place",
    "vehicle": "a vehicle",
    "sky or weather": "the sky or the weather",
    "clock": "a clock showing the time",
    "clothing": "clothing",
    "music": "a musical instrument",
    "sport, game or feast": "a sport, a game or a feast",
    "tool or object": "a tool or a household object",
    "sign": "a sign or symbol",
    "heart or feeling": "a heart",
    "part of the body": "a part of the body, such as a hand",
}
"""The text of each class of the zero-shot test, chosen before anything was measured."""


@dataclass(frozen=True, slots=True)
class PairTable:
    """Every bundled pair, a row each, test split first.

    Attributes:
        ids, captions, sources, kinds, concepts, splits: (n,) texts.
    """

    ids: tuple[str, ...]
    captions: tuple[str, ...]
    sources: tuple[str, ...]
    kinds: tuple[str, ...]
    concepts: tuple[str, ...]
    splits: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.ids)

    def rows(self, split: str) -> I64:
        """Rows of a split, in order."""
        return np.flatnonzero(np.asarray(self.splits) == split)

    def labels(self) -> I64:
        """(n,) number of each pair's kind, in the order of PROMPTS."""
        order = {kind: i for i, kind in enumerate(PROMPTS)}
        return np.array([order[kind] for kind in self.kinds])


@cache
def table() -> PairTable:
    """The table, read once."""
    frame = pd.read_parquet(FOLDER / "pairs.parquet")
    names = ("id", "caption", "source", "kind", "concept", "split")
    return PairTable(*(tuple(frame[name].astype(str)) for name in names))


def sheet_path(number: int) -> Path:
    """The file of a sheet.

    Raises:
        NotFound: there is none of that number.
    """
    path = FOLDER / f"sheet-{number:02d}.webp"
    if not 0 <= number < 100 or not path.is_file():
        raise NotFound(f"There is no sheet {number} of pictures.", "Reload the page.")
    return path


@cache
def _sheet(number: int) -> U8:
    from PIL import Image

    with Image.open(sheet_path(number)) as picture:
        return np.asarray(picture.convert("RGB"))


def pictures(rows: NDArray[Any]) -> U8:
    """RGB bytes (len(rows), 64, 64, 3) of some pairs."""
    found = np.empty((len(rows), SIDE_PX, SIDE_PX, 3), np.uint8)
    for i, row in enumerate(rows):
        number, cell = divmod(int(row), PER_SHEET)
        top, left = (SIDE_PX * place for place in divmod(cell, PER_ROW))
        found[i] = _sheet(number)[top : top + SIDE_PX, left : left + SIDE_PX]
    return found


def embeddings(variant: str) -> dict[str, F32]:
    """``images``, ``texts`` (n, d) of the test split and ``classes`` (16, d), of seed 0.

    Raises:
        NotFound: there is no such model.
    """
    if variant not in VARIANTS:
        raise NotFound(f"There is no model {variant[:40]!r} of the pairs.", ", ".join(VARIANTS))
    with np.load(FOLDER / f"embeddings-{variant}.npz", allow_pickle=False) as held:
        return {name: held[name].astype(np.float32) for name in held.files}
