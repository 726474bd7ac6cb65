"""Trying C phrases or patches on M contents: C + M encoder passes and C x M fusions.

A phrase is tried as a line of its own: lines are encoded one by one and pooled, so the result is
that of the edited text. A patch is tried at one place: its cells, encoded alone, replace those of
the content. At its edges the real features see 12 px across, so a chosen patch is predicted again
as a whole (``whatif``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from backend.errors import BadRequest
from backend.insights import encoding
from backend.insights.contents import Contents
from backend.insights.models import InsightModel
from backend.protocols import F32, I64, U8
from models.insights import InsightNet, Modality
from models.insights_cells import CELL_PX, CELLS
from models.insights_parts import Lines, MiniLmEncoder

MOST: Final = 20_000  # combinations
F64 = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Trial:
    """Success rates (m,) as they are and (m, c) with each candidate; encoder passes made."""

    before: F64
    after: F64
    n_encoded: int

    @property
    def difference(self) -> F64:
        """(m, c) what each candidate adds to each content."""
        return self.after - self.before[:, None]


def checked(contents: int, candidates: int) -> None:
    """Nothing.

    Raises:
        BadRequest: there is nothing to try, or too much.
    """
    if not 0 < contents * candidates <= MOST:
        raise BadRequest(
            f"{candidates} candidates on {contents} contents cannot be tried.",
            f"Together they make 1 to {MOST:,} combinations.",
        )


def lines_total(net: InsightNet, lines: Lines) -> tuple[Tensor, Tensor]:
    """Sums (n, width) of the vectors of lines, and how many lines there are (n,)."""
    entered = net.text.entered(net.text.embed(lines.ids))
    tokens = net.text.tokens(entered, lines.mask)
    vectors = net.text.line(tokens, lines.mask)
    total = vectors.new_zeros(lines.n, vectors.shape[1]).index_add(0, lines.owner, vectors)
    return total, torch.bincount(lines.owner, minlength=lines.n)


def text_embedding(net: InsightNet, total: Tensor, count: Tensor) -> Tensor:
    """(n, width) of texts from the sums and numbers of their lines."""
    if isinstance(net.text, MiniLmEncoder):
        mean = total / count.clamp(min=1)[:, None]
        found: Tensor = net.text.project(mean)
        return found
    return total


def phrases(
    model: InsightModel, held: Contents, rows: Sequence[int] | I64, candidates: Sequence[str]
) -> Trial:
    """Phrases as further lines of contents.

    Raises:
        BadRequest: there is nothing to try, or too much.
    """
    checked(len(rows), len(candidates))
    net = model.net
    inputs = model.inputs(held, rows)
    with torch.inference_mode():
        embedded = net.embed(inputs)
        total, count = lines_total(net, inputs.lines)
        cut = [encoding.cut(" ".join(phrase.split())) for phrase in candidates]
        lines, _ = encoding.batched(cut, net.shape.encoder)
        more, further = lines_total(net, lines)
        m, c = len(rows), len(candidates)
        whole = (total[:, None] + more[None]).flatten(0, 1)
        counts = (count[:, None] + further[None]).flatten()
        after = _fused(net, embedded, "text", text_embedding(net, whole, counts), m, c)
        before = net.rate(embedded).double().numpy()
    return Trial(before, after, m + c)


def patches(
    model: InsightModel,
    held: Contents,
    rows: Sequence[int] | I64,
    candidates: U8,
    place: tuple[int, int],
) -> Trial:
    """Patches (c, side, side, 3), sides whole cells of 8 px, at one row and column of cells.

    Raises:
        BadRequest: a patch does not fit there; nothing to try, or too much.
    """
    checked(len(rows), len(candidates))
    side, (row, column) = candidates.shape[1] // CELL_PX, place
    if side < 1 or min(row, column) < 0 or max(row, column) + side > CELLS:
        raise BadRequest(f"A patch of {side} cells does not fit at {place}.", "There are 16 x 16.")
    net = model.net
    inputs = model.inputs(held, rows)
    with torch.inference_mode():
        embedded = net.embed(inputs)
        if inputs.pixels is None:
            raise BadRequest("These contents have no picture.", "Try phrases instead.")
        features = net.image.features(net.image.centred(inputs.pixels))
        own = net.image.features(net.image.centred(encoding.pixels_tensor(candidates)))
        hole = features[:, :, row : row + side, column : column + side].sum((2, 3))
        rest = features.sum((2, 3)) - hole
        m, c = len(rows), len(candidates)
        mean = (rest[:, None] + own.sum((2, 3))[None]) / CELLS**2
        there = inputs.has_image[:, None, None]
        pooled = net.image.pool(mean.flatten(0, 1)[..., None, None]).view(m, c, -1) * there
        after = _fused(net, embedded, "image", pooled.flatten(0, 1), m, c)
        before = net.rate(embedded).double().numpy()
    return Trial(before, after, m + c)


def _fused(
    net: InsightNet, embedded: dict[Modality, Tensor], changed: Modality, values: Tensor, m: int,
    c: int,
) -> F64:  # fmt: skip
    whole = {name: e.repeat_interleave(c, 0) for name, e in embedded.items()}
    whole[changed] = values
    return np.asarray(net.rate(whole).double().view(m, c).numpy())


def patch_pixels(held: Contents, row: int, box: tuple[int, int, int, int]) -> U8:
    """(h, w, 3) what a content shows in a box x, y, width, height in pixels of 128."""
    if held.pictures is None:
        raise BadRequest("These contents have no picture.")
    x, y, w, h = box
    return held.pictures.image(row)[y : y + h, x : x + w]


__all__ = ["F32", "Trial", "patch_pixels", "patches", "phrases"]
