"""Contents taken apart into what attributions are about, and the success rate as its function.

All parts are zero at the baseline: no word vectors, the mean colour, no domain, mean features.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import torch
from torch import Tensor

from backend.insights import encoding
from backend.insights.contents import Contents
from backend.insights.encoding import Text
from backend.insights.models import InsightModel
from backend.protocols import I64
from models.insights import MODALITIES, Inputs, InsightNet, Modality
from models.insights_parts import Lines

Which = Literal["joint", "text", "image"]
WHICH: Final[tuple[Which, ...]] = ("joint", "text", "image")
Parts = Mapping[Modality, Tensor]


@dataclass(frozen=True, slots=True, eq=False)
class Opened:
    """Some contents, ready to be explained.

    Attributes:
        parts: text (b, L, t, width) what enters of its word vectors; image (b, 3, 128, 128) less
            the mean colour; domain (b, d); features (b, c). What no content has is left out.
        mask: (b, L, t) bool where there is a token; word: (b, L, t) number of its word, -1 none.
        has_image: (b,) bool.
        texts: the words of each.
        which: the whole model, or one modality with its own head.
    """

    parts: Parts
    mask: Tensor
    word: Tensor
    has_image: Tensor
    texts: tuple[Text, ...]
    which: Which

    def __len__(self) -> int:
        return len(self.has_image)

    def repeated(self, times: int) -> Opened:
        """Each content ``times`` times in a row, without its parts."""
        aux = (self.mask, self.word, self.has_image)
        mask, word, has_image = (one.repeat_interleave(times, 0) for one in aux)
        return Opened({}, mask, word, has_image, (), self.which)

    def of(self, rows: Tensor) -> Opened:
        """Some of the contents."""
        parts = {m: x[rows] for m, x in self.parts.items()}
        texts = tuple(self.texts[row] for row in rows.tolist())
        return Opened(
            parts, self.mask[rows], self.word[rows], self.has_image[rows], texts, self.which
        )


def opened(
    model: InsightModel, texts: Sequence[Text], inputs: Inputs, which: Which = "joint"
) -> Opened:
    """Contents taken apart."""
    net = model.net
    ids, mask, word = laid_out(net, texts)
    parts: dict[Modality, Tensor] = {}
    if mask.any() and which != "image":
        entered = net.text.entered(net.text.embed(ids.flatten(0, 1))).detach()
        parts["text"] = entered.view(*ids.shape, -1) * mask[..., None]
    if inputs.pixels is not None and inputs.has_image.any() and which != "text":
        there = inputs.has_image[:, None, None, None]
        parts["image"] = net.image.centred(inputs.pixels) * there
    if which == "joint":
        parts["domain"] = inputs.domain
        if net.shape.n_features:
            parts["features"] = inputs.features
    return Opened(parts, mask, word, inputs.has_image, tuple(texts), which)


def laid_out(net: InsightNet, texts: Sequence[Text]) -> tuple[Tensor, Tensor, Tensor]:
    """Token ids, whether there is a token, and the number of its word: (b, L, t) each."""
    lines, words = encoding.batched(texts, net.shape.encoder)
    b, t = len(texts), lines.ids.shape[1]
    counts = torch.bincount(lines.owner, minlength=b)
    longest = max(1, int(counts.max()) if b else 1)
    starts = counts.cumsum(0) - counts
    place = torch.arange(len(lines.owner)) - starts[lines.owner]
    ids = torch.zeros(b, longest, t, dtype=torch.int64)
    mask, word = torch.zeros(ids.shape, dtype=torch.bool), torch.full(ids.shape, -1)
    ids[lines.owner, place], mask[lines.owner, place] = lines.ids, lines.mask
    word[lines.owner, place] = torch.from_numpy(words)
    return ids, mask, word


def open_rows(
    model: InsightModel, held: Contents, rows: Sequence[int] | I64, which: Which = "joint"
) -> Opened:
    """Some contents of a set, taken apart."""
    texts = [encoding.cut(held.text(int(row))) for row in np.asarray(rows, np.int64)]
    return opened(model, texts, model.inputs(held, rows), which)


def rate(net: InsightNet, parts: Parts, about: Opened) -> Tensor:
    """Success rates (b,) of parts that may have been changed."""
    found = {m: embedding(net, m, parts, about) for m in MODALITIES}
    if about.which == "joint":
        return net.rate(found)
    return net.single_rate(about.which, found[about.which])


def embedding(net: InsightNet, modality: Modality, parts: Parts, about: Opened) -> Tensor:
    """The embedding (b, width) of one part; zero where it is missing."""
    b = len(about.has_image)
    if modality not in parts:
        return torch.zeros(b, net.widths[modality])
    x = parts[modality]
    if modality == "image":
        return net.embed_image(x, about.has_image)
    if modality == "domain":
        return net.embed_domain(x)
    if modality == "features":
        return net.embed_features(x)
    has_line = about.mask.any(2)
    owner = has_line.nonzero()[:, 0]
    mask = about.mask[has_line]
    # The tokens themselves are not read again, only how many lines there are.
    return net.embed_text(Lines(mask.long(), mask, owner, b), x[has_line])


def is_mark(net: InsightNet, about: Opened) -> Tensor:
    """(b, L, t) True at MiniLM's marks of beginning and end: they are part of every baseline."""
    return about.mask & (about.word < 0)


Rate = Callable[[Parts, Opened], Tensor]
