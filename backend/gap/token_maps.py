"""Which words of a caption go with which places of its picture, and a check by deletion.

The cosine of a pair is v . t. Three methods say what a word or a place adds to it:

* ``occlusion``: t without the word and v with the place painted white, which is the empty ground of
  the pictures. What word and place do together is the difference of differences,
  (v - v without the place) . (t - t without the word). Nothing in it is an approximation.
* ``gradient``: gradient x input, one backward pass. The Jacobian of t by a word's input vectors
  times their difference to a masked word's; the gradient by the pixels times their distance from
  white. Of first order only, and the towers saturate: the slope at the finished picture says little
  of the way to it, which is why the check often fails.
* ``integrated``: the same with the mean slope over 8 places of that way, from masked words and
  from white (after integrated gradients, Sundararajan, Taly and Yan 2017, arXiv:1703.01365). The
  parts do not add up to the cosine: beside a blank picture slopes are so steep that more places
  make the sum worse, not better.

The check paints the places white in order of their relevance, and compares the fall of the cosine
with that of random orders.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from backend.errors import BadRequest
from backend.gap import encoder, towers
from backend.protocols import F32, U8
from models.dual_encoder import IMAGE_PX, WIDTH, Heads, image_features, scaled
from models.text_encoder import mean_of

METHODS: Final = {
    "occlusion": "occlusion",
    "integrated": "integrated gradients",
    "gradient": "gradient × input",
}
WAY: Final = tuple((step + 0.5) / 8 for step in range(8))
"""Shares of the way to the picture at which slopes are taken."""
GRID: Final = 8
MOST_WORDS: Final = 12
MASK: Final = 103  # MiniLM's token for a word that is not given
SHARES: Final = (0.1, 0.2, 0.3, 0.5)
RANDOM_ORDERS: Final = 5
Spans = list[tuple[int, int]]
Way = tuple[float, ...]
Units = tuple[Tensor, Tensor, Tensor]
"""Unit vectors: image (d,), text (d,), text without each word (w, d)."""


@dataclass(frozen=True, slots=True)
class TokenMap:
    """Relevances of one pair.

    Attributes:
        words: (w,) pieces of the caption, in order; parts: (w,) what each adds to the cosine.
        whole: (GRID, GRID) what each place adds; rows from the top.
        maps: (w, GRID, GRID) what each place does together with each word.
        cosine: of the pair.
        shares: (s,) of the drawn places that are deleted; deleted, random: (s,) cosine after
            deleting the most relevant ones, and the mean over random orders; low, high: (s,) the
            least and the largest of these.
        without: (w,) cosine of the picture with the caption without each word.
    """

    words: tuple[str, ...]
    parts: F32
    whole: F32
    maps: F32
    cosine: float
    shares: F32
    deleted: F32
    random: F32
    low: F32
    high: F32
    without: F32


def token_map(
    key: str, picture: U8, caption: str, method: str = "occlusion", seed: int = 0
) -> TokenMap:
    """Relevances and their check for a picture (h, w, 3) and its caption.

    Raises:
        BadRequest: the caption is empty or too long, the space has no encoder, or there is no such
            method.
    """
    if method not in METHODS:
        raise BadRequest(f"There is no method {method[:40]!r}.", f"There is {', '.join(METHODS)}.")
    caption = encoder.checked_text(caption)
    heads = encoder.heads_of(key)
    words, spans, ids = pieces(caption)
    pixels = scaled(torch.from_numpy(picture[None]))
    with torch.inference_mode():
        image = heads.image(image_features(towers.image_tower(), pixels))[0]
        text, without = _texts(heads, ids, spans)
    image, text, without = image.clone(), text.clone(), without.clone()
    unit = (image, text, without)
    if method == "occlusion":
        parts, whole, maps = _by_occlusion(heads, pixels, unit)
    else:
        way = WAY if method == "integrated" else (1.0,)
        parts, whole, maps = _by_slopes(heads, pixels, ids, spans, unit, way)
    check = _deleted(heads, pixels, text, whole, seed)
    return TokenMap(
        words=words,
        parts=parts.numpy(),
        whole=whole.numpy(),
        maps=maps.numpy(),
        cosine=float(image @ text),
        shares=np.array(SHARES, np.float32),
        deleted=check[0],
        random=check[1:].mean(axis=0),
        low=check[1:].min(axis=0),
        high=check[1:].max(axis=0),
        without=(without @ image).numpy(),
    )


def pieces(caption: str) -> tuple[tuple[str, ...], Spans, list[int]]:
    """Words, where their tokens begin and end, and all tokens; words beyond MOST_WORDS are left
    out of the words, not of the tokens.
    """
    told = towers.tokenizer().encode(caption)
    words: list[str] = []
    spans: Spans = []
    for i, token in enumerate(told.tokens):
        if told.special_tokens_mask[i]:
            continue
        if token.startswith("##") and spans:
            words[-1] += token[2:]
            spans[-1] = (spans[-1][0], i + 1)
        else:
            words.append(token)
            spans.append((i, i + 1))
    return tuple(words[:MOST_WORDS]), spans[:MOST_WORDS], told.ids


def _by_occlusion(heads: Heads, pixels: Tensor, unit: Units) -> tuple[Tensor, Tensor, Tensor]:
    """Parts (w,), places (GRID, GRID) and places by word (w, GRID, GRID), exactly."""
    image, text, without = unit
    side = IMAGE_PX // GRID
    seen = []
    with torch.inference_mode():
        masks = functional.interpolate(
            torch.eye(GRID * GRID).view(-1, 1, GRID, GRID), scale_factor=side
        )
        for start in range(0, len(masks), GRID):
            covered = 1.0 - (1.0 - pixels) * (1.0 - masks[start : start + GRID])
            seen.append(heads.image(image_features(towers.image_tower(), covered)))
    lost = image - torch.cat(seen).clone()  # (GRID * GRID, d)
    words = text - without
    maps = torch.einsum("pd,wd->wp", lost, words).view(-1, GRID, GRID)
    return words @ image, (lost @ text).view(GRID, GRID), maps


def _by_slopes(
    heads: Heads, pixels: Tensor, ids: list[int], spans: Spans, unit: Units, way: Way
) -> tuple[Tensor, Tensor, Tensor]:
    """As :func:`_by_occlusion`, from the mean slope at some shares of the way to the pair."""
    image, text, _ = unit
    by_token = _text_parts(heads, ids, way)
    words = torch.stack([by_token[start:stop].sum(0) for start, stop in spans])
    maps = _image_parts(heads, pixels, torch.cat([text[None], words]), way)
    return words @ image, maps[0], maps[1:]


def _text_parts(heads: Heads, ids: list[int], way: Way) -> Tensor:
    """Each token's part of the caption's unit vector (t, d), from a masked word's.

    All rows of the Jacobian come from one backward pass over d copies of the caption.
    """
    tower = towers.text_tower()
    table = tower.embeddings.word_embeddings.weight[torch.tensor(ids)]
    nothing = tower.embeddings.word_embeddings.weight[MASK]
    total = torch.zeros(WIDTH, *table.shape)
    for share in way:
        there = nothing + share * (table - nothing)
        copies = there[None].repeat(WIDTH, 1, 1).detach().requires_grad_(True)
        out = heads.text(_from_words(copies))
        (slope,) = torch.autograd.grad(out.diagonal().sum(), copies)
        total += slope
    return torch.einsum("dte,te->td", total / len(way), table - nothing)


def _from_words(x: Tensor) -> Tensor:
    """MiniLM from word vectors (b, t, 384) to its unit vectors (b, 384)."""
    tower = towers.text_tower()
    parts = tower.embeddings
    mask = torch.ones(x.shape[:2], dtype=torch.bool)
    x = x + parts.position_embeddings.weight[: x.shape[1]] + parts.token_type_embeddings.weight[0]
    x = parts.LayerNorm(x)
    for layer in tower.encoder["layer"].children():
        x = layer(x, mask[:, None, None, :])
    return mean_of(x, mask)


def _image_parts(heads: Heads, pixels: Tensor, directions: Tensor, way: Way) -> Tensor:
    """The part of each place along each direction (w, d), from white: (w, GRID, GRID)."""
    total = torch.zeros(len(directions), *pixels.shape[1:])
    for share in way:
        there = 1.0 - share * (1.0 - pixels)
        copies = there.repeat(len(directions), 1, 1, 1).requires_grad_(True)
        out = heads.image(image_features(towers.image_tower(), copies))
        (slope,) = torch.autograd.grad((out * directions).sum(), copies)
        total += slope
    product = (total / len(way) * (pixels - 1.0)).sum(1)
    side = IMAGE_PX // GRID
    return functional.avg_pool2d(product[:, None], side).squeeze(1) * side * side


def _deleted(heads: Heads, pixels: Tensor, text: Tensor, relevance: Tensor, seed: int) -> F32:
    """(1 + RANDOM_ORDERS, s) cosines after painting a share of the drawn places white, the most
    relevant first in the first row, in random order in the others.
    """
    side = IMAGE_PX // GRID
    ink = functional.avg_pool2d((1.0 - pixels).mean(1, keepdim=True), side).flatten()
    drawn = torch.nonzero(ink > 0.02).flatten()
    ranked = drawn[relevance.flatten()[drawn].argsort(descending=True)]
    generator = torch.Generator().manual_seed(seed)
    orders = [ranked]
    orders += [drawn[torch.randperm(len(drawn), generator=generator)] for _ in range(RANDOM_ORDERS)]
    pictures = []
    for order in orders:
        for share in SHARES:
            keep = torch.ones(GRID * GRID)
            keep[order[: max(1, round(share * len(order)))]] = 0.0
            mask = functional.interpolate(keep.view(1, 1, GRID, GRID), scale_factor=side)
            pictures.append(1.0 - (1.0 - pixels) * mask)
    with torch.inference_mode():
        out = heads.image(image_features(towers.image_tower(), torch.cat(pictures)))
        cosines: F32 = (out @ text).view(len(orders), len(SHARES)).numpy()
    return cosines


def _texts(heads: Heads, ids: list[int], spans: Spans) -> tuple[Tensor, Tensor]:
    """The caption's unit vector (d,), and that of the caption without each word (w, d)."""
    found = []
    for start, stop in [(0, 0), *spans]:
        left = torch.tensor([ids[:start] + ids[stop:]])
        mask = torch.ones_like(left, dtype=torch.bool)
        found.append(heads.text(towers.text_tower()(left, mask))[0])
    return found[0], torch.stack(found[1:])
