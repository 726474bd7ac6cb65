"""A simulated retrieval space in which the bias of the pool and that of the model are set apart.

Section C.7 of the specification: unit directions of occupations, one group direction orthogonal to
all of them. Nothing in it stands for a real person; whatever shows it says "simulated".
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from backend.errors import BadRequest
from backend.fair.groups import I8
from backend.gap.pairs import unit_rows
from backend.protocols import F32, I64


@dataclass(frozen=True, slots=True)
class Space:
    """A simulated pool with its queries.

    Attributes:
        images: (n, d) unit rows; groups: (n,) true group; query_of: (n,) the query each is
            relevant to.
        queries: (q, d) unit rows.
        direction: (d,) the group direction; ``+direction`` is the text of group +1.
    """

    images: F32
    groups: I8
    query_of: I64
    queries: F32
    direction: F32

    @property
    def scores(self) -> F32:
        """(q, n) cosine of each query with each image."""
        return self.queries @ self.images.T

    def relevant(self, query: int) -> I64:
        """Indices of the images that belong to a query."""
        return np.flatnonzero(self.query_of == query)


def space(
    queries: int = 45,
    per_query: int = 100,
    width: int = 64,
    *,
    share_plus: float = 0.6,
    model_bias: float = 0.2,
    strength: float = 0.5,
    noise: float = 0.15,
    share_none: float = 0.0,
    seed: int = 0,
) -> Space:
    """A simulated space.

    Args:
        queries, per_query, width: number of queries, of images for each, and dimensions, which
            must be more than the queries.
        share_plus: share of group +1 among the images that have a group (bias of the pool).
        model_bias: how far each query leans towards group +1; its sign alternates at random
            (bias of the model).
        strength: how far an image lies towards its group.
        noise: standard deviation of an image's coordinates.
        share_none: share of images without a group.
        seed: of everything drawn.

    Raises:
        BadRequest: a number is out of range.
    """
    if not 1 <= queries < width:
        raise BadRequest(
            f"{queries} queries do not fit {width} dimensions.", f"Allowed are 1 to {width - 1}."
        )
    for name, share in (("share_plus", share_plus), ("share_none", share_none)):
        if not 0 <= share <= 1:
            raise BadRequest(f"{name} = {share:g} is no share.", "Allowed are 0 to 1.")
    if per_query < 1:
        raise BadRequest(f"{per_query} images a query are too few.", "Give at least 1.")
    rng = np.random.default_rng(seed)
    axes = np.linalg.qr(rng.normal(size=(width, queries + 1)))[0].T
    direction, topics = axes[0], axes[1:]
    n = queries * per_query
    query_of = np.repeat(np.arange(queries), per_query)
    signs = np.where(rng.random(n) < share_plus, 1, -1)
    signs[rng.random(n) < share_none] = 0
    images = topics[query_of] + noise * rng.normal(size=(n, width))
    images += strength * signs[:, None] * direction
    leans = model_bias * rng.choice([-1.0, 1.0], queries)
    texts = topics + leans[:, None] * direction
    groups: I8 = signs.astype(np.int8)
    return Space(
        unit_rows(images), groups, query_of, unit_rows(texts), direction.astype(np.float32)
    )
