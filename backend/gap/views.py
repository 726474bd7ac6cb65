"""What the page shows of stored results: aligned layouts, numbers, shifts, neighbours, words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from backend.cache import ArrayStore
from backend.errors import BadRequest, NotFound
from backend.gap import requests
from backend.gap.nearest import nearest
from backend.gap.requests import MapSettings
from backend.gap.spaces import Space
from backend.gap.words import distinctive
from backend.gap.work import NAMES, dragged
from backend.jobs import JobRequest
from backend.protocols import F32, I64

BINS: Final = 64
GAP_RANGE: Final = (0.0, 2.0)
NEIGHBOURS: Final = 5


class NotComputed(NotFound):
    """A result is not stored (any more); ``job`` makes it."""

    def __init__(self, job: JobRequest) -> None:
        super().__init__(f"{job.title}: not computed yet.", "Start the job.")
        self.job = job


def stored(store: ArrayStore, job: JobRequest) -> dict[str, NDArray[Any]]:
    """The result of a job.

    Raises:
        NotComputed: there is none yet.
    """
    found = store.get(job.key)
    if found is None:
        raise NotComputed(job)
    return dict(found)


@dataclass(frozen=True, slots=True)
class Layout:
    """Places of the drawn pairs of one space as they are shown.

    Attributes:
        rows: (m,) which pairs; images, texts: (m, 2) their places.
        key: of the stored result; what is shown is (stored - ``middle``) @ ``turn``, (2,) and
            (2, 2).
        refines: what makes a better one of it, if anything does.
        recall: share of the true neighbours that the layout knows of; None where it knows all.
        kept: of a refined map, the shares of neighbours that lie near: before, and now.
    """

    rows: I64
    images: F32
    texts: F32
    key: str = ""
    middle: F32 = field(default_factory=lambda: np.zeros(2, np.float32))
    turn: F32 = field(default_factory=lambda: np.eye(2, dtype=np.float32))
    refines: JobRequest | None = None
    recall: float | None = None
    kept: tuple[float, ...] = ()


def layouts(
    store: ArrayStore, held: Sequence[Space], settings: MapSettings
) -> tuple[list[Layout], float]:
    """The layout of each space, and half the side of the square that holds all of them.

    Each is turned (and mirrored) onto the first that has the same pairs, so that what lies at the
    left in one lies at the left in the others as far as that is possible; nothing is stretched.

    Raises:
        NotComputed: a layout is missing.
    """
    found: list[Layout] = []
    first: dict[str, Layout] = {}
    for space in held:
        one = _centred(_stored_layout(store, space, settings))
        base = first.setdefault(space.set_key, one)
        found.append(one if base is one else aligned(one, base))
    reach = max(float(np.abs(part).max()) for one in found for part in (one.images, one.texts))
    return found, 1.06 * reach


def _stored_layout(store: ArrayStore, held: Space, settings: MapSettings) -> Layout:
    """The best that is stored; of a large map also a picture on the way to it.

    Raises:
        NotComputed: there is none.
    """
    if not requests.is_large(held, settings):
        job = requests.map_job(held, settings)
        return _read_layout(job.key, stored(store, job))
    best, first = requests.refined_job(held, settings), requests.first_job(held, settings)
    arrays = store.get(best.key)
    if arrays is not None:
        return _read_layout(best.key, arrays)
    for number in range(requests.PICTURES, 0, -1):
        key = requests.picture_key(best.key, number)
        arrays = store.get(key)
        if arrays is not None:
            return replace(_read_layout(key, arrays), refines=best)
    return replace(_read_layout(first.key, stored(store, first)), refines=best)


def _read_layout(key: str, arrays: Mapping[str, NDArray[Any]]) -> Layout:
    recall = float(arrays["recall"]) if "recall" in arrays else None
    kept = tuple(float(share) for share in arrays.get("kept", ()))
    return Layout(arrays["rows"], arrays["images"], arrays["texts"], key, recall=recall, kept=kept)


def _centred(one: Layout) -> Layout:
    middle = (one.images.mean(axis=0) + one.texts.mean(axis=0)) / 2
    return replace(one, images=one.images - middle, texts=one.texts - middle, middle=middle)


def aligned(one: Layout, base: Layout) -> Layout:
    """``one`` turned and perhaps mirrored to lie as close to ``base`` as it can (Procrustes)."""
    mine = np.concatenate([one.images, one.texts]).astype(np.float64)
    other = np.concatenate([base.images, base.texts]).astype(np.float64)
    left, _, right = np.linalg.svd(mine.T @ other)
    turn = (left @ right).astype(np.float32)
    return replace(one, images=one.images @ turn, texts=one.texts @ turn, turn=one.turn @ turn)


def numbers(store: ArrayStore, held: Space) -> dict[str, Any]:
    """``{n, width, rows: [{name, value, low, high}], result, gaps: (n,), histograms}``; ``result``
    is the key under which the gaps are stored.

    Raises:
        NotComputed: the space has not been measured yet.
    """
    job = requests.measure_job(held)
    arrays = stored(store, job)
    rows = [
        {"name": name, "value": float(value), "low": float(low), "high": float(high)}
        for name, value, (low, high) in zip(NAMES, arrays["values"], arrays["ends"], strict=True)
    ]
    return {
        "n": len(held),
        "width": held.images.shape[1],
        "rows": rows,
        "result": job.key,
        "gaps": arrays["gaps"],
        "n_unmatched": int(arrays["unmatched"].sum()),
        "is_uniformity_exact": bool(arrays["is_exact"]),
        "gap_counts": counted(arrays["gaps"], GAP_RANGE),
        "cosine_counts": arrays["unmatched"],
    }


def counted(values: F32, ends: tuple[float, float]) -> I64:
    """(BINS,) counts in equal bins between ``ends``; what lies outside goes to the end bins."""
    found: I64 = np.histogram(np.clip(values, *ends), bins=BINS, range=ends)[0]
    return found


def shifts(arrays: Mapping[str, NDArray[Any]]) -> list[dict[str, Any]]:
    """Points of the slider as JSON: ``{delta, gap, loss, accuracy, recall: {way: {k: share}},
    by_group: {name: share}}``.
    """
    tops, names = arrays["tops"].tolist(), arrays["groups"].tolist()
    found = []
    for i, delta in enumerate(arrays["delta"].tolist()):
        ways = ("text_to_image", "image_to_text")
        recall = {
            way: dict(zip(map(str, tops), arrays["recall"][i, w].tolist(), strict=True))
            for w, way in enumerate(ways)
        }
        accuracy = float(arrays["accuracy"][i])
        groups = arrays["by_group"][i].tolist()
        found.append(
            {
                "delta": delta,
                "gap": float(arrays["gap"][i]),
                "loss": float(arrays["loss"][i]),
                "accuracy": accuracy if np.isfinite(accuracy) else None,
                "recall": recall,
                "by_group": dict(zip(names, groups, strict=False)) if groups else {},
            }
        )
    return found


def swept(store: ArrayStore, held: Space, top: int) -> dict[str, Any]:
    """``{points, best, gap, tops, n}``; ``n`` pairs are moved; ``best`` is the number of
    the point with the highest recall at ``top``, text to image; of equal ones that with the
    smallest move.

    Raises:
        NotComputed: the space has not been swept yet.
    """
    points = shifts(stored(store, requests.sweep_job(held)))
    key = str(top) if str(top) in points[0]["recall"]["text_to_image"] else "1"
    order = [(-p["recall"]["text_to_image"][key], abs(p["delta"])) for p in points]
    still = min(points, key=lambda p: abs(p["delta"]))
    return {
        "points": points,
        "best": order.index(min(order)),
        "gap": still["gap"],
        "top": int(key),
        "n": len(dragged(len(held))),
    }


def neighbours(held: Space, row: int) -> dict[str, Any]:
    """The texts nearest to a pair's image and the images nearest to its text, and its gap.

    Raises:
        NotFound: there is no such pair.
    """
    pool = held.distinct_texts()
    image, text = held.images[held.row(row)][None], held.texts[row][None]
    most = min(NEIGHBOURS, len(pool))
    texts, to_texts = nearest(image, held.texts[pool], most, is_checked=True)
    most = min(NEIGHBOURS, len(held))
    images, to_images = nearest(text, held.images, most, is_checked=True)
    return _near(held, row, (pool[texts[0]], to_texts[0]), (images[0], to_images[0]))


def found_near(held: Space, row: int, arrays: Mapping[str, NDArray[Any]]) -> dict[str, Any]:
    """The same from the answer of ``gap.near``, with ``recall``, the lower one of both ways; each
    caption once.
    """
    captions = [held.captions[text] or str(text) for text in arrays["texts"].tolist()]
    once = [i for i, one in enumerate(captions) if one not in captions[:i]][:NEIGHBOURS]
    texts = (arrays["texts"][once], arrays["to_texts"][once])
    images = (arrays["images"][:NEIGHBOURS], arrays["to_images"][:NEIGHBOURS])
    return {**_near(held, row, texts, images), "recall": float(arrays["recall"].min())}


def _near(held: Space, row: int, texts: tuple[I64, F32], images: tuple[I64, F32]) -> dict[str, Any]:
    return {
        "row": row,
        "cosine": float(held.images[row] @ held.texts[row]),
        "gap": float(np.linalg.norm(held.images[row] - held.texts[row])),
        "texts": _listed(held, row, *texts),
        "images": _listed(held, row, *images),
    }


def _listed(held: Space, row: int, rows: I64, cosines: F32) -> list[dict[str, Any]]:
    return [
        {"row": int(i), "cosine": float(c), "right": bool(held.concepts[i] == held.concepts[row])}
        for i, c in zip(rows, cosines, strict=True)
    ]


def words(held: Space, first: Sequence[int], second: Sequence[int]) -> list[dict[str, Any]]:
    """The words that tell two selections of pairs apart, clearest first.

    Raises:
        BadRequest: there are no captions, or a selection is empty.
        NotFound: a selection names no pair.
    """
    if not any(held.captions):
        raise BadRequest(
            "These pairs have no captions.", "Import them together with a file of captions."
        )
    for name, rows in (("A", first), ("B", second)):
        if not rows:
            raise BadRequest(
                f"Selection {name} is empty.", f"Lasso some points and press Keep as {name}."
            )
    one_side, other = ([held.captions[held.row(row)] for row in rows] for rows in (first, second))
    return [
        {"word": one.word, "first": one.first, "second": one.second, "z": one.z}
        for one in distinctive(one_side, other)
    ]
