"""Drawing tiles and sub-tiles from attention maps, reproducibly, with the weight of each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from backend.errors import BadRequest
from backend.zoom.policy import Policy, checked_policy
from models.zoom_sampling import gumbel_order, order_weights

MOST_TILES: Final = 1024


@dataclass(frozen=True, slots=True)
class TileDraw:
    """Distinct tiles, in the order of their first draw (``topk``: most attention first).

    Attributes:
        tiles: ``(t,)`` int64, flat index into alpha.
        hits: ``(t,)`` int64, how often each was drawn; together the number asked for.
    """

    tiles: Tensor
    hits: Tensor


@dataclass(frozen=True, slots=True)
class PlaceDraw:
    """Places within one tile, in the order of the draw (``topk``: most attention first).

    Attributes:
        places: ``(m,)`` int64, flat index into beta.
        probabilities: ``(m,)``, what beta gives each.
        weights: ``(m,)``, what each weighs in the tile's mean feature; sums to 1.
    """

    places: Tensor
    probabilities: Tensor
    weights: Tensor


def sample_tiles(
    alpha: Tensor, n_tiles: int, generator: torch.Generator, policy: Policy = "sample"
) -> TileDraw:
    """The first stage: ``n_tiles`` draws with replacement from ``alpha``.

    ``topk`` draws nothing: each tile gets its expected number ``n alpha_c``, rounded so that they
    add up (largest remainders). The source names no deterministic form; this one is ours.

    Args:
        alpha: any shape, >= 0, sums to 1.

    Raises:
        BadRequest: a map that is no distribution, an unknown policy, or a number out of range.
    """
    flat = alpha.flatten().double()
    if not torch.isfinite(flat).all() or (flat < 0).any() or abs(float(flat.sum()) - 1) > 1e-3:
        raise BadRequest("The attention map is not a distribution.", "It must sum to 1.")
    _check_count(n_tiles)
    if checked_policy(policy) == "topk":
        expected = n_tiles * flat / flat.sum()
        hits = expected.floor().long()
        rest = n_tiles - int(hits.sum())
        if rest:
            hits[(expected - hits).topk(min(rest, len(flat))).indices] += 1
        hits[flat.argmax()] += n_tiles - int(hits.sum())
        order = torch.argsort(flat, descending=True, stable=True)
        chosen = order[hits[order] > 0]
        return TileDraw(chosen, hits[chosen])
    drawn = torch.multinomial(flat, n_tiles, replacement=True, generator=generator)
    tiles = torch.tensor(list(dict.fromkeys(drawn.tolist())))
    return TileDraw(tiles, (drawn[None] == tiles[:, None]).sum(1))


def sample_subtiles(
    beta: Tensor,
    count: int,
    generator: torch.Generator,
    policy: Policy = "sample",
    allowed: Tensor | None = None,
) -> PlaceDraw:
    """The second stage: ``count`` places of one tile without replacement (Gumbel top-k).

    Where no more places can be drawn than are wanted, all are taken with their own probability as
    weight, which is the exact mean. ``topk`` takes the most probable, weighted by what they are.

    Args:
        beta: any shape, >= 0, sums to 1 over the allowed places.
        allowed: bool, of beta's shape; all unless given.

    Raises:
        BadRequest: an unknown policy, a number out of range, or no place that may be drawn.
    """
    flat = beta.flatten().double()
    if allowed is not None:
        flat = torch.where(allowed.flatten(), flat, torch.zeros_like(flat))
    possible = int((flat > 0).sum())
    _check_count(count)
    if not possible:
        raise BadRequest("No place of this tile can be drawn.", "It lies outside the image.")
    taken = min(count, possible)
    if checked_policy(policy) == "topk" or count >= possible:
        chosen = flat.topk(taken)
        share = chosen.values / chosen.values.sum()
        return PlaceDraw(chosen.indices, chosen.values, share)
    places = gumbel_order(flat.log(), taken, generator)
    return PlaceDraw(places, flat[places], order_weights(flat[places]))


def expected_distinct(alpha: Tensor, n_tiles: int) -> float:
    """How many different tiles ``n_tiles`` draws hit on average."""
    return float((1 - (1 - alpha.flatten().double()) ** n_tiles).sum())


def _check_count(count: int) -> None:
    if not 1 <= count <= MOST_TILES:
        raise BadRequest(f"{count} tiles cannot be drawn.", f"Allowed are 1 to {MOST_TILES} tiles.")
