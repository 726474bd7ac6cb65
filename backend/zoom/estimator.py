"""The mean of what was drawn without replacement, checked before it is computed.

The mathematics is in ``models/zoom_sampling.py``, where training uses it too.
"""

from __future__ import annotations

import torch
from torch import Tensor

from backend.errors import BadRequest
from models.zoom_sampling import combine_without_replacement as _combined
from models.zoom_sampling import order_weights as _weights

__all__ = ["combine_without_replacement", "order_weights"]


def combine_without_replacement(features: Tensor, probabilities: Tensor) -> Tensor:
    """The unbiased mean ``(d,)`` of features ``(m, d)`` drawn without replacement.

    Its expectation over draws is ``sum_i p_i f_i`` over all items, for every ``m``: the ordered
    estimator that equation (2.9) of the source means; the printed one is biased.

    Args:
        features: in the order in which they were drawn.
        probabilities: ``(m,)``, their original ones, each in (0, 1], together at most 1.

    Raises:
        BadRequest: shapes that do not fit, nothing drawn, or probabilities that are none.
    """
    if features.ndim != 2 or probabilities.shape != features.shape[:1] or not len(features):
        raise BadRequest(
            f"Features {tuple(features.shape)} and probabilities {tuple(probabilities.shape)} do "
            "not belong together.",
            "Needed are (m, d) and (m,), m at least 1.",
        )
    _check(probabilities)
    return _combined(features, probabilities.to(features.dtype))


def order_weights(probabilities: Tensor) -> Tensor:
    """What each drawn item weighs in that mean, ``(m,)``; sums to 1.

    Raises:
        BadRequest: as :func:`combine_without_replacement`.
    """
    if probabilities.ndim != 1 or not len(probabilities):
        raise BadRequest("Nothing was drawn.", "Needed are (m,) probabilities, m at least 1.")
    _check(probabilities)
    return _weights(probabilities)


def _check(probabilities: Tensor) -> None:
    usable = torch.isfinite(probabilities).all() and (probabilities > 0).all()
    if not usable or float(probabilities.double().sum()) > 1 + 1e-4:
        raise BadRequest(
            "The probabilities are not those of different items.",
            "Each must be above 0, and all together at most 1.",
        )
