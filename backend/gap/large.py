"""What the workers do for spaces of very many pairs: a map in steps, and an index of neighbours.

A map is drawn from landmarks first (``gap.first``). ``gap.refined`` then moves every point by the
forces of its stored graph of neighbours, and keeps a picture now and then for whoever watches.
Neighbours come from 8-bit codes, exactly; above 300,000 pairs from lists, whose recall is measured
on the pairs themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from backend.cache import ArrayStore
from backend.gap import joint_map, requests
from backend.gap.graph import Graph, neighbours_of, recall
from backend.gap.index import APPROXIMATE_FROM, Index, Lists, build
from backend.gap.landmark import EPOCHS, first_picture, kept, refined
from backend.gap.pairs import unit_rows
from backend.gap.spaces import Space
from backend.gap.work import space_of
from backend.jobs import JobRequest
from backend.params import number, whole
from backend.protocols import F32, I64, JSON, Arrays

PROBES: Final = 16
TRIED: Final = 64  # queries that the recall of an index is measured with
NEAREST: Final = 100  # of that many neighbours


def drawn(held: Space, params: Mapping[str, JSON]) -> tuple[I64, F32]:
    """Rows (m,) of the drawn pairs, and (2m, d) their images, then their texts."""
    rows = joint_map.sample(len(held), whole(params, "count"), whole(params, "seed"))
    is_all = len(rows) == len(held)
    halves = [part if is_all else part[rows] for part in (held.images, held.texts)]
    return rows, np.concatenate(halves)


def first(params: Mapping[str, JSON], ticket: Any) -> Arrays:
    """``gap.first``: ``rows`` (m,), ``images`` and ``texts`` (m, 2) from landmarks.

    Params: as ``gap.map``.
    """
    rows, both = drawn(space_of(params, ticket), params)
    xy = first_picture(
        both,
        neighbours=whole(params, "neighbours"),
        min_dist=number(params, "min_dist"),
        seed=whole(params, "seed"),
    )
    return {"rows": rows, **_halves(xy)}


def graph_of(params: Mapping[str, JSON], ticket: Any) -> Arrays:
    """``gap.graph``: ``near`` and ``far`` (2m, k) of the drawn pairs, and the ``recall`` of that.

    Params: as ``gap.map`` without ``min_dist``.
    """
    _, both = drawn(space_of(params, ticket), params)
    made = neighbours_of(both, whole(params, "neighbours"), whole(params, "seed"), ticket)
    return {"near": made.rows, "far": made.distances, "recall": np.array(recall(made, both))}


def refine(params: Mapping[str, JSON], ticket: Any) -> Arrays:
    """``gap.refined``: as ``gap.first``, moved by all neighbours; with the graph's ``recall``, and
    ``kept`` (2,), the share of neighbours that lie near in the first picture and in this one.

    The first picture and the graph are taken from the store where they are, so that another
    ``min_dist`` finds its graph there. Pictures on the way lie under ``requests.picture_key``.
    """
    held = space_of(params, ticket)
    settings = requests.settings_of(params)
    graph = _held(requests.graph_job(held, settings), graph_of, ticket)
    start = _held(requests.first_job(held, settings), first, ticket)
    key = requests.refined_job(held, settings).key
    xy = np.concatenate([start["images"], start["texts"]])
    known = Graph(graph["near"], graph["far"])
    shares = [kept(known, xy)]
    steps = refined(
        known,
        xy,
        min_dist=number(params, "min_dist"),
        seed=whole(params, "seed"),
    )
    every, pictures = EPOCHS // requests.PICTURES, 0
    for done, xy in enumerate(steps, 1):
        if done % every == 0 and done < EPOCHS:
            pictures += 1
            ticket.store.put(
                requests.picture_key(key, pictures), {"rows": start["rows"], **_halves(xy)}
            )
        ticket.step(done, EPOCHS, f"picture {pictures}")
    for i in range(pictures):
        ticket.store.remove(requests.picture_key(key, i + 1))
    told = {"recall": graph["recall"], "kept": np.array([*shares, kept(known, xy)])}
    return {"rows": start["rows"], **_halves(xy), **told}


def index(params: Mapping[str, JSON], ticket: Any) -> Arrays:
    """``gap.index``: 8-bit codes of images and texts, and from 300,000 pairs on their lists with
    the recall of the hundred nearest, measured on 64 pairs. Params: ``space``.
    """
    held = space_of(params, ticket)
    found: dict[str, NDArray[Any]] = {}
    for i, (name, pool) in enumerate((("images", held.images), ("texts", held.texts))):
        made = build(pool)
        if len(held) >= APPROXIMATE_FROM:
            lists = made.listed()
            found |= {f"{name}_{part}": getattr(lists, part) for part in LISTS}
            shares = made.recall(NEAREST, PROBES, TRIED)
            found[f"{name}_recall"] = np.array(shares)
        found |= {f"{name}_codes": made.codes, f"{name}_scale": made.scale}
        found[f"{name}_slack"] = np.array(made.slack)
        ticket.step(i + 1, 2)
    return found


LISTS: Final = ("axes", "centres", "members", "starts")


def near(params: Mapping[str, JSON], ticket: Any) -> Arrays:
    """``gap.near``: ``texts`` (k,) nearest to a pair's image and ``images`` nearest to its text,
    with ``to_texts`` and ``to_images``, their cosines; ``recall`` (2,), 1 where exact.

    Params: ``space, row, k``.
    """
    held = space_of(params, ticket)
    row, k = held.row(whole(params, "row")), min(whole(params, "k"), len(held))
    stored = ticket.store.mapped(requests.index_job(held).key)
    found: dict[str, NDArray[Any]] = {}
    shares = []
    for name, pool, asked in (
        ("texts", held.texts, held.images), ("images", held.images, held.texts),
    ):  # fmt: skip
        made = _opened(name, pool, stored)
        query = unit_rows(asked[row : row + 1])
        got = made.near(query, k, PROBES) if made.lists else made.search(query, k)
        found |= {name: got.rows[0], f"to_{name}": got.cosines[0]}
        shares.append(float(stored[f"{name}_recall"]) if made.lists else 1.0)
    return {**found, "recall": np.array(shares)}


def _opened(name: str, pool: F32, stored: Mapping[str, NDArray[Any]]) -> Index:
    held = {part: stored[f"{name}_{part}"] for part in ("codes", "scale", "slack")}
    lists = None
    if f"{name}_axes" in stored:
        lists = Lists(*(stored[f"{name}_{part}"] for part in LISTS))
    return Index(pool, held["codes"], held["scale"], float(held["slack"]), lists)


def _halves(xy: F32) -> dict[str, F32]:
    m = len(xy) // 2
    return {"images": xy[:m].copy(), "texts": xy[m:].copy()}


def _held(
    job: JobRequest, make: Callable[[Mapping[str, JSON], Any], Arrays], ticket: Any
) -> Mapping[str, NDArray[Any]]:
    """The result of a job, computed here where it is not stored."""
    store: ArrayStore = ticket.store
    stored = store.get(job.key)
    if stored is not None:
        return stored
    made = make(job.params, ticket)
    store.put(job.key, made)
    return made
