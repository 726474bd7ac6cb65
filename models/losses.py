"""Losses of two encoders with one space: CLIP's, and the ranking terms of RankCLIP.

Y. Zhang, Z. Zhao and others 2024, "RankCLIP"; equations are those of section 4.3 of Z. Zhao's
dissertation (2024). The list-wise loss is ListMLE (Xia et al. 2008). Where the text is silent the
choice is an argument:

* ``decay``: as printed, ``P = prod mu_k pi_k`` (eq. 4.5) makes the decay ``mu_k = 1 / log(k + 1)``
  a constant of the loss without any gradient: ``literal``. What is meant, that top places count
  more, is a weight on ``-log pi_k``: ``weight``. ``none`` leaves it out.
* ``symmetric``: as printed, the order is that of one similarity matrix and the gradient goes into
  the other only; with ``symmetric`` each is ranked by the other and the two losses are averaged.
* ``places``: the terms of a list are summed as printed, or averaged (``mean``), so that the loss
  does not grow with the batch.
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple, get_args

import torch
from torch import Tensor
from torch.nn import functional

Decay = Literal["weight", "literal", "none"]
Places = Literal["sum", "mean"]
DECAYS: Final[tuple[str, ...]] = get_args(Decay)
PLACES: Final[tuple[str, ...]] = get_args(Places)
LAMBDA: Final = 1 / 16
TEMPERATURE: Final = 0.07


class RankTerms(NamedTuple):
    """The parts of :func:`rankclip_loss`: ``total = clip + lambda_in x in_modal + lambda_cross x
    cross_modal``, each a scalar."""

    total: Tensor
    clip: Tensor
    in_modal: Tensor
    cross_modal: Tensor


def plackett_luce_nll(scores: Tensor, order: Tensor, decay: Decay = "none") -> Tensor:
    """``-log P(order)`` under the Plackett-Luce model of ``scores`` (eq. 4.3): a scalar.

    Args:
        scores: (n,) float; the chance to be placed next is in proportion to ``exp(score)``.
        order: (n,) whole numbers, the items' indices from best to worst.
        decay: see the module.

    Raises:
        ValueError: ``order`` does not name every item once, or ``decay`` is unknown.
    """
    if scores.ndim != 1 or order.shape != scores.shape:
        raise ValueError(
            f"Scores of shape {tuple(scores.shape)} and an order of shape {tuple(order.shape)} do "
            "not belong together; both must be (n,)."
        )
    if not torch.equal(order.sort().values, torch.arange(len(order), device=order.device)):
        raise ValueError(
            f"The order must name each of the items 0 to {len(order) - 1} exactly once."
        )
    return _list_losses(scores[None], order[None], decay)[0]


def decay_weights(n: int, like: Tensor) -> Tensor:
    """``mu_k = 1 / log(k + 1)`` at the places k = 1 to n (eq. 4.4, natural logarithm): (n,)."""
    places = torch.arange(1, n + 1, device=like.device, dtype=like.dtype)
    return 1.0 / torch.log(places + 1.0)


def ranking_loss(
    ego: Tensor, reference: Tensor, decay: Decay = "weight", places: Places = "sum"
) -> Tensor:
    """How badly each row of ``ego`` ranks its items as ``reference`` does (eq. 4.6): a scalar, the
    mean over rows.

    Equal entries of ``reference`` are ranked by their index. No gradient flows into ``reference``.

    Args:
        ego, reference: (r, n) similarities.
        decay, places: see the module.

    Raises:
        ValueError: shapes differ, or an option is unknown.
    """
    if ego.ndim != 2 or ego.shape != reference.shape:
        raise ValueError(
            f"Similarities of shapes {tuple(ego.shape)} and {tuple(reference.shape)} cannot rank "
            "each other; both must be (r, n)."
        )
    if places not in PLACES:
        raise ValueError(f"There are no places {places!r}; allowed are {', '.join(PLACES)}.")
    order = reference.detach().argsort(dim=1, descending=True, stable=True)
    mean = _list_losses(ego, order, decay).mean()
    return mean / ego.shape[1] if places == "mean" else mean


def in_modal_loss(
    image_emb: Tensor,
    text_emb: Tensor,
    *,
    decay: Decay = "weight",
    places: Places = "sum",
    symmetric: bool = False,
    scale: float | Tensor = 1.0,
) -> Tensor:
    """Texts rank each other as their images do (eqs. 4.7 and 4.8): a scalar.

    As printed, the gradient reaches the texts only; ``symmetric`` trains both. Arguments as in
    :func:`rank_consistency`.
    """
    v, t = _unit_pairs(image_emb, text_emb)
    texts, images = scale * (t @ t.T), scale * (v @ v.T)
    loss = ranking_loss(texts, images, decay, places)
    return (loss + ranking_loss(images, texts, decay, places)) / 2 if symmetric else loss


def cross_modal_loss(
    image_emb: Tensor,
    text_emb: Tensor,
    *,
    decay: Decay = "weight",
    places: Places = "sum",
    symmetric: bool = False,
    scale: float | Tensor = 1.0,
) -> Tensor:
    """Each image ranks the texts as its text ranks the images (eqs. 4.9 and 4.10): a scalar.

    Arguments as in :func:`rank_consistency`.
    """
    v, t = _unit_pairs(image_emb, text_emb)
    across = scale * (v @ t.T)
    loss = ranking_loss(across, across.T, decay, places)
    return (loss + ranking_loss(across.T, across, decay, places)) / 2 if symmetric else loss


def rank_consistency(
    image_emb: Tensor,
    text_emb: Tensor,
    *,
    lambda_in: float = LAMBDA,
    lambda_cross: float = LAMBDA,
    decay: Decay = "weight",
    places: Places = "sum",
    symmetric: bool = False,
    scale: float | Tensor = 1.0,
) -> Tensor:
    """``lambda_in L_in-modal + lambda_cross L_cross-modal`` of eq. 4.11: a scalar.

    Args:
        image_emb, text_emb: (n, d) float, row j of both the same pair; of any length but zero.
        lambda_in, lambda_cross: weights; 0 leaves the term out exactly.
        decay, places, symmetric: see the module.
        scale: what cosines are multiplied by before they become scores; CLIP's logit scale sharpens
            the lists.

    Raises:
        ValueError: the shapes differ, there is no pair, or an option is unknown.
    """
    v, t = _unit_pairs(image_emb, text_emb)
    loss = v.new_zeros(())
    if lambda_in:
        loss = loss + lambda_in * in_modal_loss(
            v, t, decay=decay, places=places, symmetric=symmetric, scale=scale
        )
    if lambda_cross:
        loss = loss + lambda_cross * cross_modal_loss(
            v, t, decay=decay, places=places, symmetric=symmetric, scale=scale
        )
    return loss


def clip_loss(
    image_emb: Tensor, text_emb: Tensor, temperature: float | Tensor = TEMPERATURE
) -> Tensor:
    """CLIP's contrastive loss of a batch of pairs (eqs. 4.1 and 4.2): a scalar.

    Args:
        image_emb, text_emb: (n, d) float, row j of both the same pair; of any length but zero.
        temperature: tau, above 0.

    Raises:
        ValueError: the shapes differ or there is no pair.
    """
    v, t = _unit_pairs(image_emb, text_emb)
    logits = v @ t.T / temperature
    own = torch.arange(len(v), device=v.device)
    there, back = functional.cross_entropy(logits, own), functional.cross_entropy(logits.T, own)
    return (there + back) / 2


def rankclip_loss(
    image_emb: Tensor,
    text_emb: Tensor,
    *,
    temperature: float | Tensor = TEMPERATURE,
    lambda_in: float = LAMBDA,
    lambda_cross: float = LAMBDA,
    decay: Decay = "weight",
    places: Places = "sum",
    symmetric: bool = False,
    scale: float | Tensor = 1.0,
) -> RankTerms:
    """RankCLIP's loss (eq. 4.11) and its parts; with both lambdas 0 it is CLIP's, bit for bit.

    ``lambda_in = 0`` is RankCLIP_C, ``lambda_cross = 0`` RankCLIP_I. Arguments as in
    :func:`clip_loss` and :func:`rank_consistency`; a part whose lambda is 0 is not computed and
    given as 0.
    """
    clip = clip_loss(image_emb, text_emb, temperature)
    none = torch.zeros_like(clip)
    within = across = none
    if lambda_in:
        within = in_modal_loss(
            image_emb, text_emb, decay=decay, places=places, symmetric=symmetric, scale=scale
        )
    if lambda_cross:
        across = cross_modal_loss(
            image_emb, text_emb, decay=decay, places=places, symmetric=symmetric, scale=scale
        )
    total = clip
    if lambda_in:
        total = total + lambda_in * within
    if lambda_cross:
        total = total + lambda_cross * across
    return RankTerms(total, clip, within, across)


def _list_losses(scores: Tensor, order: Tensor, decay: Decay) -> Tensor:
    """``-log P`` of each list: scores (r, n) and order (r, n) to (r,)."""
    if decay not in DECAYS:
        raise ValueError(f"There is no decay {decay!r}; allowed are {', '.join(DECAYS)}.")
    placed = scores.gather(1, order)
    tails = placed.flip(1).logcumsumexp(1).flip(1)  # log sum of exp over what is not yet placed
    terms = tails - placed
    if decay == "none":
        return terms.sum(1)
    weights = decay_weights(scores.shape[1], scores)
    if decay == "weight":
        return (weights * terms).sum(1)
    return terms.sum(1) - weights.log().sum()


def _unit_pairs(image_emb: Tensor, text_emb: Tensor) -> tuple[Tensor, Tensor]:
    """Both of length 1 (eq. 4.1), (n, d) each."""
    if image_emb.ndim != 2 or image_emb.shape != text_emb.shape or not len(image_emb):
        raise ValueError(
            f"Image embeddings of shape {tuple(image_emb.shape)} and text embeddings of shape "
            f"{tuple(text_emb.shape)} are no pairs; both must be (n, d) with n from 1."
        )
    return functional.normalize(image_emb, dim=1), functional.normalize(text_emb, dim=1)
