"""What workers do for the fair-retrieval page: encode a typed query, answer one, survey all."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, Protocol

import numpy as np
import orjson

from backend.errors import BadRequest, NotFound
from backend.fair import pool as pools
from backend.fair import survey, told, ways
from backend.fair.pool import Attribute
from backend.fair.ways import Asked, Way
from backend.params import number, whole
from backend.protocols import F32, I64, JSON, Arrays

LONGEST = 200  # characters of a typed query


class Ticket(Protocol):
    """What a work function is handed (see ``backend.worker.Ticket``)."""

    store: Any

    def __call__(self, done: int, total: int) -> None: ...


def encode(params: Mapping[str, JSON], ticket: Ticket) -> Arrays:
    """``vectors`` (5, d) of a typed query: itself, then its prompts for each attribute's groups.

    Raises:
        BadRequest: it is empty, too long, or holds no word.
    """
    text = " ".join(str(params["text"]).split())
    if not text:
        raise BadRequest("The query is empty.", "Type at least one word.")
    if len(text) > LONGEST:
        raise BadRequest(f"The query has {len(text)} characters.", f"At most {LONGEST} are read.")
    vectors = _encoder().embed([text, *pools.prompts_of(text)])
    if not np.isfinite(vectors).all():
        raise BadRequest(f"{text!r} holds no word that the encoder can read.", "Type words.")
    return {"vectors": vectors}


def answer(params: Mapping[str, JSON], ticket: Ticket) -> Arrays:
    """One query answered in two ways, as JSON (see :func:`backend.fair.told.told`).

    Raises:
        BackendError: a setting is not usable, or the user's table is gone.
    """
    way = way_of(params)
    k = whole(params, "k")
    case = own_case(params, way, ticket) if params.get("own") else pool_case(params, way)
    return document(told.told(case, k))


def overview(params: Mapping[str, JSON], ticket: Ticket) -> Arrays:
    """All queries of the pool (see :func:`backend.fair.survey.surveyed`).

    Raises:
        BadRequest: a setting is not usable.
    """
    way, attribute = way_of(params), attribute_of(params)
    held = pools.people()
    rows = pools.kept(held, attribute, number(params, "share"), way.seed)
    asked = survey.Survey(held, attribute, rows, whole(params, "k"), way)
    return document(survey.surveyed(asked, ticket))


def pool_case(params: Mapping[str, Any], way: Way) -> told.Case:
    """The bundled pool, scored for a query of its list or for a typed one."""
    held, attribute = pools.people(), attribute_of(params)
    rows = pools.kept(held, attribute, float(params["share"]), way.seed)
    relevant: I64 | None = None
    if params.get("vectors"):
        vectors = np.array(params["vectors"], np.float32)
        place = pools.ATTRIBUTES.index(attribute)
        asked = Asked(vectors[0], vectors[1 + 2 * place : 3 + 2 * place])
    else:
        query = held.number(str(params["query"]))
        asked = ways.listed(held, attribute, query)
        relevant = np.flatnonzero(held.activity[rows] == query)
    return told.Case(
        ids=rows,
        before=ways.scores(held, attribute, rows, asked, Way()),
        after=ways.scores(held, attribute, rows, asked, way),
        truth=held.groups[attribute][rows],
        predicted=ways.predicted(held, attribute, rows, asked, way),
        relevant=relevant,
        p=way.p,
        seed=way.seed,
    )


def own_case(params: Mapping[str, Any], way: Way, ticket: Ticket) -> told.Case:
    """A table of the user's, which has one query and its own groups.

    Raises:
        NotFound: it is not stored here any more.
        BadRequest: the way needs embeddings, which a table has not.
    """
    arrays = ticket.store.get(str(params["own"]))
    if arrays is None:
        raise NotFound("This table is not stored here any more.", "Import it again.")
    if way.scoring in ("mi", "debias"):
        raise BadRequest(
            "This baseline changes embeddings, and an imported table has scores only.",
            "Choose PBM or the random selection.",
        )
    scores, relevant = arrays["scores"], arrays["relevant"]
    after = scores
    if way.scoring == "random":
        after = np.random.default_rng(way.seed).random(len(scores))
    return told.Case(
        ids=np.arange(len(scores)),
        before=scores,
        after=after,
        truth=arrays["truth"],
        predicted=arrays["truth"] if way.predictor == "truth" else arrays["predicted"],
        relevant=np.flatnonzero(relevant) if relevant.any() else None,
        p=way.p,
        seed=way.seed,
    )


def way_of(params: Mapping[str, Any]) -> Way:
    """The way that is asked for; what is left out has its default."""
    names = ("scoring", "p", "predictor", "margin", "noise", "dropped", "seed")
    return Way(**{name: params[name] for name in names if name in params})


def attribute_of(params: Mapping[str, Any]) -> Attribute:
    """The attribute that is asked for.

    Raises:
        BadRequest: there is no such one.
    """
    found: Attribute = params.get("attribute", "gender")
    if found not in pools.ATTRIBUTES:
        raise BadRequest(f"{found!r} is no attribute.", f"{', '.join(pools.ATTRIBUTES)}.")
    return found


def document(value: Mapping[str, Any]) -> Arrays:
    """JSON as bytes: what is not finite is null."""
    packed = orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY)
    return {"json": np.frombuffer(packed, np.uint8)}


class _Encoder(Protocol):
    def embed(self, texts: list[str]) -> F32: ...


@cache
def _encoder() -> _Encoder:
    """The text side of the encoder; loaded in the worker, once."""
    from backend.fair.encoder import load

    return load()
