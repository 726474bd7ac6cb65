"""Which words of a caption go with which places of its picture, and a check by deletion.

The cosine of a pair is v . t. Three methods say what a word or a place adds to it:

* ``occlusion``: t without the word and v with the place painted over. What word and place do
  together is the difference of differences, (v - v without the place) . (t - t without the word).
  Nothing in it is an approximation, and it asks no more of a model than to be run.
* ``gradient``: gradient x input. The slope of t along a word's vectors, from a masked word's;
  the gradient by the pixels times their distance from a place painted over. Of first order only,
  and the towers saturate: the slope at the finished picture says little of the way to it, which is
  why the check often fails.
* ``integrated``: the same with the mean slope over 8 places of that way, from masked words and
  from a picture painted over (after integrated gradients, Sundararajan, Taly and Yan 2017,
  arXiv:1703.01365). The parts do not add up to the cosine: beside a blank picture slopes are so
  steep that more places make the sum worse, not better.

What a place is painted with is the encoder's: white for the bundled ones, whose pictures lie on
white; for a model of one's own the colour that its preparation takes to zero, a grey. The check
paints the places in order of their relevance, and compares the fall of the cosine with that of
random orders.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from backend.errors import BadRequest
from backend.gap.encoder import Encoder, Pieces, checked_text
from backend.gap.spaces import METHODS
from backend.protocols import F32, U8, Progress

WAY: Final = tuple((step + 0.5) / 8 for step in range(8))
"""Shares of the way to the picture at which slopes are taken."""
GRID: Final = 8
BATCH: Final = 8  # pictures that a model is given at once
DRAWN: Final = 0.02  # mean distance from the empty colour from which a place counts as drawn
SHARES: Final = (0.1, 0.2, 0.3, 0.5)
RANDOM_ORDERS: Final = 5
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


def quiet(done: int, total: int) -> None:
    """Progress that nobody watches."""
    del done, total


class _Steps:
    """Counts what has been run of the model, and tells it."""

    def __init__(self, progress: Progress, n_before: int) -> None:
        self._progress, self._done = progress, 0
        self._total = n_before + -(-(1 + RANDOM_ORDERS) * len(SHARES) // BATCH)

    def __call__(self) -> None:
        self._done += 1
        self._progress(self._done, self._total)


def token_map(
    encoder: Encoder,
    picture: U8,
    caption: str,
    method: str = "occlusion",
    *,
    seed: int = 0,
    progress: Progress = quiet,
) -> TokenMap:
    """Relevances and their check for a square picture (h, h, 3) and its caption.

    Raises:
        BadRequest: the caption is empty or too long, has no word that the encoder reads, or there
            is no such method.
    """
    if method not in METHODS:
        raise BadRequest(f"There is no method {method[:40]!r}.", f"There is {', '.join(METHODS)}.")
    pieces = _pieces(encoder, checked_text(caption))
    pixels = encoder.pixels(picture)
    unit = _unit(encoder, pixels, pieces)
    image, text, without = unit
    way = {"occlusion": (), "integrated": WAY, "gradient": (1.0,)}[method]
    steps = _Steps(progress, len(way) or -(-GRID * GRID // BATCH))
    if way:
        parts, whole, maps = _by_slopes(encoder, pixels, pieces, unit, way, steps)
    else:
        parts, whole, maps = _by_occlusion(encoder, pixels, unit, steps)
    check = _deleted(encoder, pixels, text, whole, seed, steps)
    return TokenMap(
        words=pieces.words,
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


def methods_of(encoder: Encoder, picture: U8, caption: str) -> tuple[str, ...]:
    """The methods that apply to an encoder, told by trying them on one pair: occlusion where words
    can be left out, the others where slopes pass through the model.
    """
    try:
        pieces = _pieces(encoder, caption)
    except BadRequest:
        return ()
    pixels = encoder.pixels(picture)
    unit = _unit(encoder, pixels, pieces)
    steps = _Steps(quiet, 1)
    try:
        parts, _, maps = _by_slopes(encoder, pixels, pieces, unit, (1.0,), steps)
    except (BadRequest, RuntimeError):  # RuntimeError: an operation of it that has no derivative
        return ("occlusion",)
    is_usable = bool(torch.isfinite(parts).all() and torch.isfinite(maps).all())
    return tuple(METHODS) if is_usable else ("occlusion",)


def _pieces(encoder: Encoder, caption: str) -> Pieces:
    pieces = encoder.pieces(caption)
    if not pieces.words:
        raise BadRequest(
            f"The model reads no word of {caption[:60]!r}.", "Choose a pair with another caption."
        )
    return pieces


def _unit(encoder: Encoder, pixels: Tensor, pieces: Pieces) -> Units:
    ids, spans = list(pieces.ids), ((0, 0), *pieces.spans)
    with torch.no_grad():
        image = encoder.of_pixels(pixels)[0]
        texts = encoder.of_ids([ids[:start] + ids[stop:] for start, stop in spans])
    return image, texts[0], texts[1:]


def _by_occlusion(
    encoder: Encoder, pixels: Tensor, unit: Units, steps: _Steps
) -> tuple[Tensor, Tensor, Tensor]:
    """Parts (w,), places (GRID, GRID) and places by word (w, GRID, GRID), exactly."""
    image, text, without = unit
    keep = 1.0 - torch.eye(GRID * GRID)
    lost = image - _seen(encoder, pixels, keep, steps)  # (GRID * GRID, d)
    words = text - without
    maps = torch.einsum("pd,wd->wp", lost, words).view(-1, GRID, GRID)
    return words @ image, (lost @ text).view(GRID, GRID), maps


def _seen(encoder: Encoder, pixels: Tensor, keep: Tensor, steps: _Steps) -> Tensor:
    """Unit rows (n, d) of the picture with only the places left that ``keep`` (n, GRID * GRID)
    names with 1; the others are painted over.
    """
    bands = bands_of(pixels.shape[-1])
    found = []
    for start in range(0, len(keep), BATCH):
        grid = keep[start : start + BATCH].view(-1, GRID, GRID)
        mask = torch.einsum("gy,ngh,hx->nyx", bands, grid, bands)[:, None]
        with torch.no_grad():
            found.append(encoder.of_pixels(encoder.empty + (pixels - encoder.empty) * mask))
        steps()
    return torch.cat(found)


def bands_of(side: int) -> Tensor:
    """(GRID, side): which rows, or columns, of a picture belong to which of its places."""
    place = torch.arange(side) * GRID // side
    return (place[None] == torch.arange(GRID)[:, None]).float()


def _by_slopes(
    encoder: Encoder, pixels: Tensor, pieces: Pieces, unit: Units, way: Way, steps: _Steps
) -> tuple[Tensor, Tensor, Tensor]:
    """As :func:`_by_occlusion`, from the mean slope at some shares of the way to the pair."""
    image, text, _ = unit
    words = _text_parts(encoder, pieces, way)
    directions = torch.cat([text[None], words])
    maps = _image_parts(encoder, pixels, directions, way, steps)
    return words @ image, maps[0], maps[1:]


def _text_parts(encoder: Encoder, pieces: Pieces, way: Way) -> Tensor:
    """Each word's part of the caption's unit vector (w, d), from a masked word's: the slopes along
    the words' vectors, all of them at once.
    """
    table = encoder.table(pieces.ids)
    is_text = torch.tensor(pieces.content, device=table.device)[:, None]
    step = torch.where(is_text, table - encoder.nothing, torch.zeros_like(table))
    along = table.new_zeros(len(pieces.spans), *table.shape)
    for word, (start, stop) in enumerate(pieces.spans):
        along[word, start:stop] = step[start:stop]
    found = [
        _slopes(
            lambda vectors: encoder.of_vectors(vectors, pieces.ids),
            (table - (1.0 - share) * step).expand_as(along).contiguous(),
            along,
        )
        for share in way
    ]
    return torch.stack(found).mean(0)


def _slopes(function: Callable[[Tensor], Tensor], at: Tensor, along: Tensor) -> Tensor:
    """How fast ``function`` changes at a place along a direction, both (b, ...).

    Twice backward is once forward: the gradient is linear in what it is weighted with, and its own
    slope by these weights is the one wanted. Torch's forward mode is global to the process and
    compiles, which a worker with two threads should not.
    """
    place = at.clone().requires_grad_(True)
    with sdpa_kernel(SDPBackend.MATH):  # the fused kernels of attention have no second derivative
        out = function(place)
        weights = torch.zeros_like(out, requires_grad=True)
        (pulled,) = torch.autograd.grad(out, place, weights, create_graph=True)
        (slope,) = torch.autograd.grad(pulled, weights, along)
    return slope.detach()


def _image_parts(
    encoder: Encoder, pixels: Tensor, directions: Tensor, way: Way, steps: Callable[[], None]
) -> Tensor:
    """The part of each place along each direction (w, d), from an empty picture: (w, GRID, GRID).

    One pass forward a share of the way, and one backward a direction: the pictures of a large
    model would not fit into memory side by side.
    """
    away = pixels - encoder.empty
    total = torch.zeros(len(directions), *pixels.shape[1:])
    for share in way:
        there = (encoder.empty + share * away).requires_grad_(True)
        out = encoder.of_pixels(there)[0]
        for i, direction in enumerate(directions):
            (slope,) = torch.autograd.grad(out @ direction, there, retain_graph=True)
            total[i] += slope[0]
        steps()
    product = (total / len(way) * away).sum(1)
    bands = bands_of(pixels.shape[-1])
    return torch.einsum("gy,nyx,hx->ngh", bands, product, bands)


def _deleted(
    encoder: Encoder, pixels: Tensor, text: Tensor, relevance: Tensor, seed: int, steps: _Steps
) -> F32:
    """(1 + RANDOM_ORDERS, s) cosines after painting over a share of the drawn places, the most
    relevant first in the first row, in random order in the others.
    """
    drawn = torch.nonzero(_ink(encoder, pixels) > DRAWN).flatten()
    ranked = drawn[relevance.flatten()[drawn].argsort(descending=True)]
    generator = torch.Generator().manual_seed(seed)
    orders = [ranked]
    orders += [drawn[torch.randperm(len(drawn), generator=generator)] for _ in range(RANDOM_ORDERS)]
    keep = torch.stack(list(_kept(orders)))
    cosines = _seen(encoder, pixels, keep, steps) @ text
    found: F32 = cosines.view(len(orders), len(SHARES)).numpy()
    return found


def _ink(encoder: Encoder, pixels: Tensor) -> Tensor:
    """(GRID * GRID,) mean distance of each place from one that is painted over."""
    bands = bands_of(pixels.shape[-1])
    bands = bands / bands.sum(1, keepdim=True)
    away = (pixels - encoder.empty).abs().mean(1)[0]
    return torch.einsum("gy,yx,hx->gh", bands, away, bands).flatten()


def _kept(orders: Sequence[Tensor]) -> Iterable[Tensor]:
    for order in orders:
        for share in SHARES:
            keep = torch.ones(GRID * GRID)
            keep[order[: max(1, round(share * len(order)))]] = 0.0
            yield keep
