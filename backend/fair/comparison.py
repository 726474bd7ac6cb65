"""PBM and its baselines on one simulated space, as a table: bias and recall of each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypedDict

from backend.fair import baselines, diagnose, predict, synthetic
from backend.fair.groups import I8
from backend.protocols import F32, I64


class Row(TypedDict):
    """One method: its name, AbsBias@K, Bias@K and Recall@K."""

    method: str
    abs_bias: float
    bias: float
    recall: float


def compared(space: synthetic.Space, k: int, seed: int = 0) -> list[Row]:
    """Every method on a simulated space, bias measured by the true groups.

    The zero-shot predictor knows the group direction; MI-clip drops the quarter of the dimensions
    that tell most about what it predicts. Only "true groups" selects by the true ones.

    Args:
        space: from :func:`backend.fair.synthetic.space`.
        k: how many results a query has.
        seed: of the random selection and of PBM's draws.

    Raises:
        BadRequest: k is out of range.
    """
    relevant = [space.relevant(query) for query in range(len(space.queries))]
    guessed = predict.zero_shot(space.images, space.direction, -space.direction)
    rows = []
    for name, scores, groups, p in _methods(space, guessed, seed):
        rows.append(_row(name, scores, groups, p, space, relevant, k, seed))
    return rows


def _methods(
    space: synthetic.Space, guessed: I8, seed: int
) -> Iterator[tuple[str, F32, I8, float]]:
    plain, truth = space.scores, space.groups
    count = plain.size
    drawn = baselines.random_scores(count, seed).reshape(plain.shape).astype("float32")
    information = baselines.informative_dimensions(space.images, guessed)
    images, queries = baselines.mi_clip(
        space.images, space.queries, space.images.shape[1] // 4, information
    )
    neutral = baselines.without_direction(space.queries, space.direction) @ space.images.T
    yield "random", drawn, truth, 0.0
    yield "plain top K", plain, truth, 0.0
    yield "MI-clip, simplified", queries @ images.T, truth, 0.0
    yield "debiased prompt, simplified", neutral, truth, 0.0
    yield "PBM, zero-shot groups", plain, guessed, 1.0
    yield "PBM, true groups", plain, truth, 1.0
    yield "MI-clip, simplified + PBM, zero-shot groups", queries @ images.T, guessed, 1.0


def _row(
    name: str,
    scores: F32,
    groups: I8,
    p: float,
    space: synthetic.Space,
    relevant: list[I64],
    k: int,
    seed: int,
) -> Row:
    found = diagnose.audit(
        scores, space.groups, k, relevant=relevant, predicted=groups, p=p, seed=seed
    )
    return Row(method=name, abs_bias=found.abs_bias, bias=found.bias, recall=found.recall)
