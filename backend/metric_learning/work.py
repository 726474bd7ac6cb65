"""What the worker runs for the metric-learning page. Every function: params in, arrays out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from backend import metrics
from backend.cache import checked_key
from backend.errors import BadRequest, NotFound
from backend.metric_learning import (
    attribution,
    backgrounds,
    columns,
    counting,
    embedders,
    neighbours,
    own_models,
    properties,
    rendering,
    sensitivity,
    shipped,
    sweeps,
    words,
    zoo,
)
from backend.metric_learning.distances import pairs, pairwise
from backend.metric_learning.tickets import Ticket
from backend.protocols import JSON, Arrays
from models import metric_losses, metric_net
from models.metric_features import tensor

F32 = NDArray[np.float32]

SAMPLES: Final = 8
SWAPS, SWAPPED_NEAR = 4, 8
PLAIN: Final = tuple(metric_losses.BY_KEY)


def row_of(params: Mapping[str, JSON], name: str = "row") -> int:
    """A bundled image.

    Raises:
        BadRequest: there is no such one.
    """
    row = params.get(name)
    if type(row) is not int or not 0 <= row < shipped.SHOWN:
        raise BadRequest(
            f"{name}={str(row)[:40]!r} is no image.", f"Give 0 to {shipped.SHOWN - 1}."
        )
    return row


def drawn(row: int) -> tuple[NDArray[np.uint8], F32]:
    """A bundled image as the networks saw it, drawn again, and the car's share of each pixel."""
    return rendering.render(shipped.meshes()[shipped.model(row)], shipped.values(row))


def sweep(params: Mapping[str, JSON], ticket: Ticket) -> Arrays:
    """``metric.sweep``: one property of one car changed, seen by every loss, or by a model of the
    user's.

    Returns:
        images (k, 128, 128, 3); values (k,) texts; steps (k,); own (1,); losses (m,); distances
        (m, k) and swaps (m, k); slopes (m, 3) with their interval; rho (m,).
    """
    row, name = row_of(params), str(params.get("property", ""))
    held = sweeps.strip(shipped.model(row), shipped.values(row), name, shipped.meshes())
    ticket(1, 3)
    if own_models.is_own(params.get("model")):
        models = [embedders.of_params(params, ticket.store, ticket)]
        found = [models[0].embed(held.images)]
    else:
        models = [embedders.bundled(loss) for loss in PLAIN]
        found = list(zoo.embeddings(held.images, PLAIN))
    ticket(2, 3)
    told = [
        sweeps.answers(each, held.own, held.steps, one.others(), one.distance, row)
        for each, one in zip(found, models, strict=True)
    ]
    distances = np.stack([one["distances"] for one in told])
    return {
        "images": held.images,
        "values": np.array(held.values),
        "steps": held.steps,
        "own": np.array([held.own]),
        "losses": np.array([one.key for one in models]),
        "distances": distances.astype(np.float32),
        "swaps": np.stack([one["swaps"] for one in told]).astype(np.float32),
        "slopes": np.stack([one["slope"] for one in told]).astype(np.float32),
        "rho": np.array([sweeps.spearman(held.steps, each) for each in distances], np.float32),
    }


def maps(params: Mapping[str, JSON], ticket: Ticket) -> Arrays:
    """``metric.maps``: where every loss, or a model of the user's, looks in one image.

    Returns:
        losses (m,); maps (m, 64, 64) uint8; pearson and jsd (m, m); focus (m,), NaN where a model
        has no gradient here.

    Raises:
        BadRequest: the user's model passes no gradients; says why.
    """
    image, share = drawn(row_of(params))
    x = tensor(image[None]).numpy()
    if own_models.is_own(params.get("model")):
        one = embedders.of_params(params, ticket.store, ticket)
        names: tuple[str, ...] = (one.key,)
        found = attribution.smoothgrad_distance(
            one.graded, x, one.distance, samples=SAMPLES, progress=ticket
        )[None]
    else:
        names = PLAIN
        found = attribution.smoothgrad_of_tails(
            lambda x: metric_net.front(zoo.trunk(), x),
            [zoo.tail(loss) for loss in PLAIN],
            [zoo.distance(loss) for loss in PLAIN],
            x,
            samples=SAMPLES,
            progress=ticket,
        )
    told = attribution.matrices(found)
    return {
        "losses": np.array(names),
        "maps": small(found[:, 0]),
        "pearson": told["pearson"].astype(np.float32),
        "jsd": told["jsd"].astype(np.float32),
        "focus": np.array([_focus(share, one[0]) for one in found], np.float32),
    }


def _focus(share: F32, found: F32) -> float:
    return metrics.focus_score(share, found) if found.any() else float("nan")


def small(found: F32, side: int = 64) -> NDArray[np.uint8]:
    """Maps ``(..., h, w)`` in [0, 1] averaged to ``(..., side, side)``, in 8 bits."""
    step = found.shape[-1] // side
    parts = found.reshape(*found.shape[:-2], side, step, side, step).mean(axis=(-3, -1))
    return np.asarray(np.round(parts * 255), np.uint8)


def pair(params: Mapping[str, JSON], ticket: Ticket) -> Arrays:
    """``metric.pair``: which parts of two images their distance rests on, one map each.

    Returns:
        maps (2, 64, 64) uint8; distance (1,).

    Raises:
        BadRequest: a model of the user's passes no gradients; says why.
    """
    rows = (row_of(params, "row"), row_of(params, "other"))
    images = np.stack([drawn(row)[0] for row in rows])
    one = embedders.of_params(params, ticket.store, ticket)
    both, found = one.embed(images), []
    for k in (0, 1):
        made = attribution.smoothgrad_distance(
            one.graded,
            tensor(images[k : k + 1]).numpy(),
            one.distance,
            samples=SAMPLES,
            against=both[1 - k],
        )
        found.append(made[0])
        ticket(k + 1, 2)
    away = pairwise(both[:1], both[1:], one.distance)[0]
    return {"maps": small(np.stack(found)), "distance": away}


def swap(params: Mapping[str, JSON], ticket: Ticket) -> Arrays:
    """``metric.swap``: the same car before other backgrounds, and what it is then near to.

    Returns:
        images (1 + k, 128, 128, 3), the clean one first; models (2,): the loss, and trained on
        changed backgrounds; distances (2, 1 + k) to the clean one; near (2, 1 + k, 8) rows.
    """
    row, loss = row_of(params), str(params.get("loss", ""))
    if loss + "+bg" not in zoo.tails():
        usable = [name.removesuffix("+bg") for name in zoo.tails() if name.endswith("+bg")]
        raise BadRequest(
            f"{loss[:40]!r} was not trained on changed backgrounds.", f"{', '.join(usable)} were."
        )
    image, share = drawn(row)
    behind = backgrounds.pool("test")[backgrounds.drawn("test", SWAPS, row)]
    changed = backgrounds.corrupted(
        np.repeat(image[None], SWAPS, axis=0), np.repeat(share[None], SWAPS, axis=0), behind
    )
    images = np.concatenate([image[None], changed])
    models = [loss, loss + "+bg"]
    far, near = [], []
    for k, (name, each) in enumerate(zip(models, zoo.embeddings(images, models), strict=True)):
        others = shipped.embedding(name)
        away = pairwise(each, others, zoo.distance(loss))
        away[:, row] = np.inf
        near.append(np.argsort(away, axis=1, kind="stable")[:, :SWAPPED_NEAR])
        own = pairwise(each[:1], each, zoo.distance(loss))[0]
        far.append(own - own[0])
        ticket(k + 1, 2)
    return {
        "images": images,
        "models": np.array(models),
        "distances": np.stack(far).astype(np.float32),
        "near": np.stack(near).astype(np.int32),
    }


def notion(params: Mapping[str, JSON], ticket: Ticket) -> Arrays:
    """``metric.words``: an embedding of the bundled images from prompts alone.

    Returns:
        embedding (n, d) int8 (over 127); losses (s,) in radians; properties (p,) and nr_plain,
        nr_words (p,); notions (q,) and map_plain, map_words (q,).
    """
    given = params.get("prompts")
    if not isinstance(given, list):
        raise BadRequest("The prompts are not a list of texts.")
    dims, seed = params.get("dimensions", words.DIMENSIONS), params.get("seed", 0)
    if type(dims) is not int or type(seed) is not int:
        raise BadRequest("Dimensions and seed are whole numbers.")
    learned = words.learn(words.encoded(words.checked(given)), dims, seed, ticket)
    plain = shipped.arrays("words")["vectors"].astype(np.float32) / shipped.SCALE
    moved = learned(plain)
    held = list(shipped.held_properties())
    before, after = pairs(plain, "cosine"), pairs(moved, "cosine")
    nr = [
        [float(metrics.scores(hits, one).mean()) for one, hits in zip(held, found, strict=True)]
        for found in (neighbours.hits(before, held), neighbours.hits(after, held))
    ]
    told = words.labels(shipped.table().iloc[: shipped.SHOWN])
    named = [properties.of(name, np.array(values)) for name, values in told.items()]
    at_r = [
        [float(neighbours.precisions(x, one)[0].mean()) for one in named] for x in (before, after)
    ]
    return {
        "embedding": shipped.packed(moved),
        "losses": learned.losses.astype(np.float32),
        "properties": np.array([one.name for one in held]),
        "nr_plain": np.array(nr[0], np.float32),
        "nr_words": np.array(nr[1], np.float32),
        "notions": np.array([one.name for one in named]),
        "map_plain": np.array(at_r[0], np.float32),
        "map_words": np.array(at_r[1], np.float32),
    }


def own(params: Mapping[str, JSON], ticket: Ticket) -> Arrays:
    """``metric.own``: what the user's embeddings cluster by.

    Returns:
        properties (p,); nr_precision, nr_variance, r_precision, chance, p_permutation, p_holm (p,),
        NaN where a property asks no question; notes (q,); pca and umap (n, 2).
    """
    from backend.metric_learning.places import places

    arrays = ticket.store.get(checked_key(str(params.get("own", ""))))
    if arrays is None or "embeddings" not in arrays:
        raise NotFound("These embeddings are no longer held here.", "Open them again.")
    x, held = np.asarray(arrays["embeddings"], np.float32), counting.stored(arrays)
    distance = str(params.get("distance", "euclidean"))
    if all(one.problem for one in held):
        raise BadRequest("No property has two values with two images.", held[0].problem)
    table = columns.column(x, held, distance, with_null=True, progress=ticket)
    numbers = {
        name: table[name].to_numpy(np.float64)
        for name in (*columns.NUMBERS, "p_permutation", "p_holm")
    }
    where = places(x, ("pca", "umap"))
    notes = [one.problem or sensitivity.singles(one) for one in held]
    if duplicates := pairs(x, distance).duplicates:
        notes.append(sensitivity.repeated(duplicates))
    return {
        "properties": np.array([one.name for one in held]),
        "notes": np.array([note for note in notes if note], dtype=np.str_),
        **numbers,
        **where,
    }
