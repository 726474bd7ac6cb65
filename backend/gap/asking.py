"""Work of the model lane: a typed text, a dropped image, the words and places of a pair."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from backend.errors import BadRequest, NotFound
from backend.gap import bundled
from backend.gap.encoder import checked_text, encoder_of
from backend.gap.nearest import nearest
from backend.gap.pairs import unit_rows
from backend.gap.slider import direction
from backend.gap.spaces import Space
from backend.gap.token_maps import token_map
from backend.gap.work import space_of
from backend.params import number, whole
from backend.protocols import F32, JSON, U8, Arrays

MOST: Final = 100


def by_text(params: Mapping[str, JSON], ticket: Any) -> Arrays:
    """``gap.text``: the images nearest to a text: ``rows`` and ``cosines`` (k,).

    Params: ``space, text, k, delta``.
    """
    held = space_of(params, ticket)
    text = checked_text(str(params["text"]))
    query = encoder_of(held.encoder).texts([text])
    return _found(held, query, held.images, params, is_text=True)


def scores(params: Mapping[str, JSON], ticket: Any) -> Arrays:
    """``gap.scores``: ``cosines`` (n,) of a text with every image. Params: ``space, text``."""
    held = space_of(params, ticket)
    text = checked_text(str(params["text"]))
    query = encoder_of(held.encoder).texts([text])
    return {"cosines": (held.images @ query[0]).astype(np.float32)}


def by_image(params: Mapping[str, JSON], ticket: Any) -> Arrays:
    """``gap.image``: the captions nearest to an image that lies in the store.

    Params: ``space, image`` (its key), ``k, delta``. One row a caption: the first that has it.
    """
    held = space_of(params, ticket)
    stored = ticket.store.get(str(params["image"]))
    if stored is None or "pixels" not in stored:
        raise NotFound("The image is no longer held here.", "Drop it again.")
    pixels: U8 = stored["pixels"].astype(np.uint8)
    query = encoder_of(held.encoder).images([pixels])
    return _found(held, query, held.texts, params, is_text=False)


def words(params: Mapping[str, JSON], ticket: Any) -> Arrays:
    """``gap.tokens``: words and places of one pair (see :class:`TokenMap`). Params: ``space,
    row, method``.
    """
    held = space_of(params, ticket)
    row, method = held.row(whole(params, "row")), str(params["method"])
    encoder = encoder_of(held.encoder)
    found = token_map(encoder, _picture(held, row), held.captions[row], method, progress=ticket)
    return {
        "words": np.array(found.words),
        "parts": found.parts,
        "whole": found.whole,
        "maps": found.maps,
        "cosine": np.array(found.cosine),
        "shares": found.shares,
        "deleted": found.deleted,
        "random": found.random,
        "low": found.low,
        "high": found.high,
        "without": found.without,
    }


def _picture(held: Space, row: int) -> U8:
    """What the model was given of a pair: RGB bytes of a square."""
    if held.thumbs is not None:
        return np.ascontiguousarray(held.thumbs[row])
    place = int(bundled.table().rows("test")[row])
    picture: U8 = bundled.pictures(np.array([place]))[0]
    return picture


def _found(
    held: Space, query: F32, pool: F32, params: Mapping[str, JSON], *, is_text: bool
) -> Arrays:
    k, delta = whole(params, "k"), number(params, "delta")
    kept = np.arange(len(held)) if is_text else held.distinct_texts()
    if not 1 <= k <= MOST:
        raise BadRequest(
            f"K = {k} is out of range.", f"Allowed are 1 to {MOST}; more than there are mean all."
        )
    pool, k = pool[kept], min(k, len(kept))
    if delta:
        step = np.float32(delta / 2) * direction(held.pairs)
        query = unit_rows(query + step if is_text else query - step)
        pool = unit_rows(pool - step if is_text else pool + step)
    rows, cosines = nearest(query, pool, k)
    return {"rows": kept[rows[0]], "cosines": cosines[0]}
