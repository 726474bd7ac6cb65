"""Ways of answering a query: whose scores, whose groups, and how far the results are balanced."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, get_args

import numpy as np

from backend.errors import BadRequest
from backend.fair import baselines
from backend.fair.groups import F64, I8
from backend.fair.pool import Attribute, Pool
from backend.fair.predict import by_margin, noisy
from backend.fair.select import Selection, select
from backend.protocols import F32, I64

Predictor = Literal["truth", "prompt", "words", "mlp"]
Scoring = Literal["plain", "mi", "debias", "random"]
PREDICTORS: Final = get_args(Predictor)
SCORINGS: Final = get_args(Scoring)


@dataclass(frozen=True, slots=True)
class Way:
    """One way of answering.

    Attributes:
        scoring: whose scores are ranked.
        p: 0 for the plain top K, 1 for PBM at every step.
        predictor: whose groups PBM selects by.
        margin: evidence weaker than this many of its standard deviations is "not applicable".
        noise: Gaussian noise on the evidence, in the same unit.
        dropped: dimensions that MI-clip takes out.
        seed: of everything drawn.
    """

    scoring: Scoring = "plain"
    p: float = 0.0
    predictor: Predictor = "truth"
    margin: float = 0.0
    noise: float = 0.0
    dropped: int = 64
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Asked:
    """A query as vectors of length 1: text (d,), and its prompts (2, d) for +1 and -1."""

    text: F32
    prompts: F32


def listed(pool: Pool, attribute: Attribute, query: int) -> Asked:
    """A query of the pool's list."""
    return Asked(pool.queries[query], pool.prompts[attribute][query])


def scores(pool: Pool, attribute: Attribute, rows: I64, asked: Asked, way: Way) -> F64:
    """(n,) what the rows are ranked by for one query; see :func:`all_scores`."""
    found: F64 = all_scores(pool, attribute, rows, asked.text[None], way)[0]
    return found


def all_scores(pool: Pool, attribute: Attribute, rows: I64, texts: F32, way: Way) -> F64:
    """(q, n) what the rows are ranked by for each of the texts (q, d).

    Raises:
        BadRequest: ``dropped`` is out of range, or a query is nothing but the group.
    """
    if way.scoring == "random":
        return baselines.random_scores(len(texts) * len(rows), way.seed).reshape(len(texts), -1)
    images = pool.images[rows]
    if way.scoring == "mi":
        images, texts = baselines.mi_clip(images, texts, way.dropped, pool.informative[attribute])
    if way.scoring == "debias":
        words = pool.words[attribute]
        texts = baselines.without_direction(texts, (words[0] - words[1])[None] / _length(words))
    found: F64 = (texts @ images.T).astype(np.float64)
    return found


def _length(words: F32) -> float:
    return float(np.linalg.norm(words[0] - words[1]))


def predicted(pool: Pool, attribute: Attribute, rows: I64, asked: Asked, way: Way) -> I8:
    """(n,) the groups that PBM selects by.

    Raises:
        BadRequest: margin or noise are out of range.
    """
    if way.predictor == "truth":
        return pool.groups[attribute][rows]
    evidence, is_none = _evidence(pool, attribute, rows, asked, way.predictor)
    sd = float(evidence.std()) or 1.0
    evidence = noisy(evidence, way.noise * sd, way.seed)
    signs = by_margin(evidence, way.margin * sd)
    signs[is_none] = 0
    return signs


def _evidence(
    pool: Pool, attribute: Attribute, rows: I64, asked: Asked, predictor: Predictor
) -> tuple[F64, np.ndarray[tuple[int], np.dtype[np.bool_]]]:
    """(n,) evidence for +1 over -1, and where the predictor says that neither applies."""
    if predictor == "mlp":
        logits = pool.logits[attribute][rows].astype(np.float64)
        return logits[:, 2] - logits[:, 0], logits.argmax(axis=1) == 1
    pair = asked.prompts if predictor == "prompt" else pool.words[attribute]
    cosines = pool.images[rows] @ pair.T
    found: F64 = (cosines[:, 0] - cosines[:, 1]).astype(np.float64)
    # Each text has a level of its own, which is no property of a picture: what counts is which
    # side of the pool's middle a picture is on.
    return found - np.median(found), np.zeros(len(rows), bool)


def answer(values: F64, groups: I8, k: int, way: Way) -> Selection:
    """The results of one way.

    Raises:
        BadRequest: an argument is not usable.
    """
    if way.scoring not in SCORINGS or way.predictor not in PREDICTORS:
        raise BadRequest(f"{way.scoring}, {way.predictor}: there is no such way.")
    return select(values, groups, k, way.p, way.seed)
