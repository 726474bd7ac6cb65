"""What the page shows of stored results: aligned layouts, numbers, shifts, neighbours, words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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
from backend.gap.work import NAMES
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
    """Places of the drawn pairs of one space: rows (m,), images and texts (m, 2)."""

    rows: I64
    images: F32
    texts: F32


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
        arrays = stored(store, requests.map_job(space, settings))
        one = Layout(arrays["rows"], *_centred(arrays["images"], arrays["texts"]))
        base = first.setdefault(space.set_key, one)
        found.append(one if base is one else aligned(one, base))
    reach = max(float(np.abs(part).max()) for one in found for part in (one.images, one.texts))
    return found, 1.06 * reach


def _centred(images: F32, texts: F32) -> tuple[F32, F32]:
    middle = (images.mean(axis=0) + texts.mean(axis=0)) / 2
    return images - middle, texts - middle


def aligned(one: Layout, base: Layout) -> Layout:
    """``one`` turned and perhaps mirrored to lie as close to ``base`` as it can (Procrustes)."""
    mine = np.concatenate([one.images, one.texts]).astype(np.float64)
    other = np.concatenate([base.images, base.texts]).astype(np.float64)
    left, _, right = np.linalg.svd(mine.T @ other)
    turn = (left @ right).astype(np.float32)
    return Layout(one.rows, one.images @ turn, one.texts @ turn)


def numbers(store: ArrayStore, held: Space) -> dict[str, Any]:
    """``{n, width, rows: [{name, value, low, high}], gaps: (n,), histograms}``.

    Raises:
        NotComputed: the space has not been measured yet.
    """
    arrays = stored(store, requests.measure_job(held))
    rows = [
        {"name": name, "value": float(value), "low": float(low), "high": float(high)}
        for name, value, (low, high) in zip(NAMES, arrays["values"], arrays["ends"], strict=True)
    ]
    return {
        "n": len(held),
        "width": held.images.shape[1],
        "rows": rows,
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
    """``{points, best, gap, tops}``; ``best`` is the number of the point with the highest recall at
    ``top``, text to image; of equal ones that with the smallest move.

    Raises:
        NotComputed: the space has not been swept yet.
    """
    points = shifts(stored(store, requests.sweep_job(held)))
    key = str(top) if str(top) in points[0]["recall"]["text_to_image"] else "1"
    order = [(-p["recall"]["text_to_image"][key], abs(p["delta"])) for p in points]
    still = min(points, key=lambda p: abs(p["delta"]))
    return {"points": points, "best": order.index(min(order)), "gap": still["gap"], "top": int(key)}


def neighbours(held: Space, row: int) -> dict[str, Any]:
    """The texts nearest to a pair's image and the images nearest to its text, and its gap.

    Raises:
        NotFound: there is no such pair.
    """
    held.row(row)
    pool = held.distinct_texts()
    image, text = held.images[row : row + 1], held.texts[row : row + 1]
    most = min(NEIGHBOURS, len(pool))
    texts, to_texts = nearest(image, held.texts[pool], most, is_checked=True)
    most = min(NEIGHBOURS, len(held))
    images, to_images = nearest(text, held.images, most, is_checked=True)
    cosine = float(held.images[row] @ held.texts[row])
    return {
        "row": row,
        "cosine": cosine,
        "gap": float(np.linalg.norm(held.images[row] - held.texts[row])),
        "texts": _listed(held, row, pool[texts[0]], to_texts[0]),
        "images": _listed(held, row, images[0], to_images[0]),
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
