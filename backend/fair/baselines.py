"""What PBM is compared with, simplified where the original needs training on private data.

Each changes embeddings or scores before the plain top K is taken; PBM can be put on top of each.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from backend.errors import BadRequest
from backend.fair.groups import F64, groups_of
from backend.gap.pairs import unit_rows
from backend.protocols import F32, I64


def random_scores(n: int, seed: int = 0) -> F64:
    """(n,) scores without meaning: a random selection."""
    return np.random.default_rng(seed).random(n)


def informative_dimensions(images: F32, groups: ArrayLike, bins: int = 8) -> F64:
    """(d,) estimated mutual information of each dimension with the group, in nats.

    Each dimension is cut into ``bins`` parts of equal size. Items of group 0 are left out.

    Raises:
        BadRequest: the numbers differ, or no item has a group.
    """
    signs = groups_of(groups, len(images))
    with_group = signs != 0
    if not with_group.any():
        raise BadRequest("No item has a group, so nothing can be learned about groups.")
    rows, plus = images[with_group], signs[with_group] > 0
    n, d = rows.shape
    places = np.argsort(np.argsort(rows, axis=0, kind="stable"), axis=0) * bins // n
    found = np.zeros(d)
    for part in range(bins):
        for side in (plus, ~plus):
            joint = ((places == part) & side[:, None]).mean(axis=0)
            apart = (places == part).mean(axis=0) * side.mean()
            is_there = joint > 0
            found[is_there] += joint[is_there] * np.log(joint[is_there] / apart[is_there])
    return found


def mi_clip(images: F32, queries: F32, dropped: int, information: F64) -> tuple[F32, F32]:
    """Images (n, d) and queries (q, d) without the dimensions that say most about the group.

    Simplified after MI-clip: the mutual information is that of single dimensions.

    Args:
        dropped: how many of the d dimensions are set to 0; 0 changes nothing.
        information: (d,) from :func:`informative_dimensions`, of a pool other than the audited.

    Raises:
        BadRequest: ``dropped`` is not 0 to d - 1.
    """
    d = images.shape[1]
    if not 0 <= dropped < d:
        raise BadRequest(
            f"{dropped} of {d} dimensions cannot be dropped.", f"Allowed are 0 to {d - 1}."
        )
    gone: I64 = np.argsort(-information, kind="stable")[:dropped]
    kept_images, kept_queries = images.copy(), queries.copy()
    kept_images[:, gone] = 0
    kept_queries[:, gone] = 0
    return unit_rows(kept_images), unit_rows(kept_queries)


def without_direction(rows: F32, directions: F32) -> F32:
    """Rows (n, d) projected on what is orthogonal to ``directions`` (m, d), of length 1.

    On queries, with the difference of group words as direction, it is a debiased prompt (after
    Chuang et al. 2023, simplified: no learned prompt); on images, a linear stand-in for adversarial
    training.

    Raises:
        BadRequest: nothing is left of a row.
    """
    basis = np.linalg.qr(np.atleast_2d(directions).astype(np.float64).T)[0]
    left = rows - (rows @ basis) @ basis.T
    flat = np.linalg.norm(left, axis=1) < 1e-6
    if flat.any():
        raise BadRequest(
            f"Row {int(np.argmax(flat))} holds nothing but the group, so nothing is left of it.",
            "Leave it out, or use fewer directions.",
        )
    return unit_rows(left)
