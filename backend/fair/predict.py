"""Groups predicted from embeddings without training, and what their errors would do."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from backend.errors import BadRequest
from backend.fair.groups import F64, I8, scores_of
from backend.protocols import F32


def zero_shot(images: F32, plus: F32, minus: F32, margin: float = 0.0) -> I8:
    """(n,) the group whose text is nearer by cosine; 0 within the margin.

    With the texts of the two group words it is the word-embedding predictor of section C.4.4, with
    those of the query behind each word the zero-shot prompt.

    Args:
        images: (n, d); plus, minus: (d,) texts of the two groups; rows of length 1.
        margin: differences below it are "not applicable", 0 to 2; 0 means never.

    Raises:
        BadRequest: the margin is out of range.
    """
    return by_margin(images @ plus - images @ minus, margin)


def by_margin(evidence: ArrayLike, margin: float = 0.0) -> I8:
    """(n,) groups from evidence for +1 over -1; 0 where it is below the margin either way.

    Raises:
        BadRequest: the margin is out of range, or the evidence is not finite.
    """
    if not 0 <= margin < float("inf"):
        raise BadRequest(f"A margin of {margin:g} is out of range.", "Allowed are numbers from 0.")
    values = scores_of(evidence)
    signs = np.where(values >= 0, 1, -1)
    signs[np.abs(values) < margin] = 0
    found: I8 = signs.astype(np.int8)
    return found


def by_threshold(chance_plus: ArrayLike, threshold: float) -> I8:
    """(n,) +1 where the chance of +1 is at least ``threshold``, else -1 (section C.8, Fig. 4.6).

    Raises:
        BadRequest: the threshold is not 0 to 1.
    """
    if not 0 <= threshold <= 1:
        raise BadRequest(f"Threshold {threshold:g} is out of range.", "Allowed are 0 to 1.")
    return by_margin(scores_of(chance_plus) - threshold)


def noisy(evidence: ArrayLike, sd: float, seed: int = 0) -> F64:
    """(n,) evidence with Gaussian noise of standard deviation ``sd`` (section C.8, Fig. 4.5).

    Raises:
        BadRequest: ``sd`` is negative or not finite.
    """
    if not 0 <= sd < float("inf"):
        raise BadRequest(f"A noise of {sd:g} is out of range.", "Allowed are numbers from 0.")
    values = scores_of(evidence)
    return values + sd * np.random.default_rng(seed).normal(size=len(values))
