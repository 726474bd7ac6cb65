"""Drawing places from attention maps, and means over what was drawn. torch only.

Source: Advancing Vision Intelligence (dissertation, 2024), chapter 2. Its printed equation (2.9) is
biased; what stands here is the ordered estimator that it means (:func:`order_weights`).
"""

from __future__ import annotations

import torch
from torch import Tensor

TINY = 1e-30


def gumbel_order(log_weights: Tensor, count: int, generator: torch.Generator | None) -> Tensor:
    """Places drawn one after another without replacement, ``(..., count)`` int64.

    The first is drawn with the given weights, each further one with the weights of what is left:
    the ``count`` largest of ``log weight + Gumbel noise`` in descending order have that law.

    Args:
        log_weights: ``(..., n)``, ``-inf`` for places that must not be drawn.
        count: at most the number of places that may be drawn.
    """
    uniform = torch.rand(log_weights.shape, generator=generator, dtype=torch.float64)
    noise = -torch.log(-torch.log(uniform.clamp(1e-300, 1 - 1e-16)))
    return (log_weights.double() + noise).topk(count, dim=-1).indices


def order_weights(probabilities: Tensor, counts: Tensor | None = None) -> Tensor:
    """What each drawn item weighs in the unbiased mean, ``(..., m)``; the weights sum to 1.

    With ``p_1 ... p_m`` the original probabilities in the order of the draw and ``S_j`` the sum of
    the first ``j``, the estimate is the mean of ``e_i = sum_{j<i} p_j f_j + (1 - S_{i-1}) f_i``
    (Des Raj 1956; the intended form of (2.9)), so item ``j`` weighs
    ``((1 - S_{j-1}) + (m - j) p_j) / m``.

    Args:
        probabilities: ``(..., m)``, of all items together at most 1.
        counts: ``(...)``, how many of the ``m`` were drawn; the rest weighs nothing.
    """
    m = probabilities.shape[-1]
    position = torch.arange(m, device=probabilities.device)
    drawn = torch.full(probabilities.shape[:-1], m) if counts is None else counts
    drawn = drawn.unsqueeze(-1).to(probabilities.device)
    before = probabilities.cumsum(-1) - probabilities
    left = (1.0 - before).clamp(min=0.0)  # rounding may leave less than nothing
    weights = (left + (drawn - 1 - position) * probabilities) / drawn.clamp(min=1)
    return torch.where(position < drawn, weights, torch.zeros_like(weights))


def combine_without_replacement(features: Tensor, probabilities: Tensor) -> Tensor:
    """The unbiased mean ``(d,)`` of features ``(m, d)`` drawn without replacement.

    Its expectation over draws is ``sum_i p_i f_i`` over all items, for every ``m``.

    Args:
        features: in the order in which they were drawn.
        probabilities: ``(m,)``, their original ones.
    """
    return torch.einsum("m,md->d", order_weights(probabilities), features)


def scored(value: Tensor, log_probability: Tensor, baseline: Tensor | None = None) -> Tensor:
    """``value`` unchanged, with a gradient that also teaches the map it was drawn from.

    ``E[(value - baseline) dlog p]`` is the gradient of the expectation with respect to the map, for
    any baseline that does not depend on the draw; a good one lowers the noise.

    Args:
        value: ``(n, d)``; log_probability: ``(n,)``; baseline: ``(d,)``.
    """
    score = log_probability - log_probability.detach()
    centred = value.detach() if baseline is None else value.detach() - baseline
    return value + centred * score.unsqueeze(-1)


def entropy(probabilities: Tensor) -> Tensor:
    """``-sum p log p`` over the last axis; 0 log 0 is 0."""
    terms: Tensor = torch.special.xlogy(probabilities, probabilities.clamp(min=TINY))
    return -terms.sum(-1)


def complement(probabilities: Tensor) -> Tensor:
    """The distribution over what attention rejects, ``(1 - p_i) / (n - 1)`` over the last axis.

    A place of probability 1 of its own (``n`` is 1) stays as it is.
    """
    count = probabilities.shape[-1]
    return probabilities if count == 1 else (1.0 - probabilities) / (count - 1)
