"""Moving the gap: both modalities along the gap vector, and what retrieval makes of it.

After Liang et al. 2022, "Mind the Gap", section 4.2 and its code: ``delta`` is a distance in the
embedding space. Images move by delta / 2 from the texts' side, texts by delta / 2 towards the
images; then every row is scaled to length 1 again. ``delta`` = centroid gap brings the centroids
together (up to the scaling), a negative one widens the gap.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from backend.errors import BadRequest
from backend.gap.kernels import I32, shifted_ranks
from backend.gap.pairs import Pairs, check, unit_rows
from backend.gap.retrieval import TOPS, batch_loss
from backend.protocols import F32, I64, JSON

MOST_PAIRS: Final = 20_000  # the matrix of all cosines is held, 1.6 GB at this
BATCH: Final = 512
LARGEST: Final = 10.0
TEMPERATURE: Final = 0.01
Direction = Literal["text_to_image", "image_to_text"]


def shift(
    images: NDArray[Any], texts: NDArray[Any], delta: float, normalise: bool = False
) -> tuple[F32, F32]:
    """Images and texts moved towards each other by ``delta``, (n, d) each, rows of length 1.

    Args:
        images, texts: (n, d), rows of length 1 unless ``normalise``.
        delta: distance in the embedding space, -10 to 10; 0 returns the rows as they are.

    Raises:
        BadRequest: see :func:`backend.gap.pairs.check`; ``delta`` is out of range; there is no gap
            to move along; or a row would be moved into 0.
    """
    pairs = check(images, texts, normalise)
    _check_delta(delta)
    if delta == 0:
        return pairs.block(0, len(pairs))
    step = np.float32(delta / 2) * direction(pairs)
    moved_images, moved_texts = pairs.block(0, len(pairs))
    moved_images -= step
    moved_texts += step
    for rows, what in ((moved_images, "image"), (moved_texts, "text")):
        flat = np.linalg.norm(rows, axis=1) < 1e-6
        if flat.any():
            raise BadRequest(
                f"Moved by {delta:g}, {what} {int(np.argmax(flat))} would be zero.",
                "Choose a slightly different distance.",
            )
    return unit_rows(moved_images), unit_rows(moved_texts)


def direction(pairs: Pairs) -> F32:
    """The unit vector (d,) from the mean text to the mean image.

    Raises:
        BadRequest: the centroids are the same point.
    """
    total = np.zeros(pairs.width)
    for _, images, texts in pairs.blocks():
        total += images.sum(axis=0, dtype=np.float64) - texts.sum(axis=0, dtype=np.float64)
    length = float(np.linalg.norm(total))
    if length / len(pairs) < 1e-7:
        raise BadRequest("Images and texts have the same centre, so there is no gap to move along.")
    unit: F32 = (total / length).astype(np.float32)
    return unit


@dataclass(frozen=True, slots=True)
class Point:
    """What holds at one place of the slider.

    Attributes:
        delta: as in :func:`shift`; gap: the centroid gap there.
        recall: by direction and K, in [0, 1].
        loss: CLIP's loss in batches of 512 pairs.
        accuracy: zero-shot top-1 in [0, 1], None without classes.
        by_group: recall at the first K, text to image, of each group of pairs.
    """

    delta: float
    gap: float
    recall: Mapping[Direction, Mapping[int, float]]
    loss: float
    accuracy: float | None
    by_group: Mapping[str, float]

    def record(self) -> dict[str, JSON]:
        """A flat row of a table."""
        row: dict[str, JSON] = {"delta": self.delta, "centroid_gap": self.gap}
        for way, values in self.recall.items():
            row |= {f"{way}_recall_at_{k}": value for k, value in values.items()}
        row["loss"] = self.loss
        if self.accuracy is not None:
            row["zero_shot_accuracy"] = self.accuracy
        row |= {f"recall_of_{name}": value for name, value in self.by_group.items()}
        return row


class Slider:
    """The shifted pairs' retrieval, loss and accuracy, fast enough to be dragged.

    A shift changes a cosine only through the rows' components along the gap vector: with u, v the
    components of image i and text j and a = delta / 2, the product is S_ij + a u_i - a v_j - a^2,
    over the two new lengths. So the matrix of cosines is computed once.
    """

    def __init__(
        self,
        images: NDArray[Any],
        texts: NDArray[Any],
        *,
        concepts: NDArray[Any] | None = None,
        groups: Sequence[str] | None = None,
        labels: NDArray[np.int64] | None = None,
        classes: NDArray[Any] | None = None,
        tops: Sequence[int] = TOPS,
        temperature: float = TEMPERATURE,
        normalise: bool = False,
    ) -> None:
        """Checks and computes what all places of the slider share.

        Args:
            images, texts: (n, d) pairs, n up to 20,000.
            concepts: (n,) pairs of equal concept answer each other's queries; each pair its own
                without them.
            groups: (n,) names, for the recall by group.
            labels, classes: (n,) class of each image and (c, d) a text for each class; the class
                texts are moved as texts are.
            tops: the values of K, up to n.
            temperature: of the loss.

        Raises:
            BadRequest: an argument is not usable.
        """
        self.pairs = check(images, texts, normalise)
        n = len(self.pairs)
        if n > MOST_PAIRS:
            raise BadRequest(
                f"{n:,} pairs are too many to drag.", f"Draw up to {MOST_PAIRS:,} of them."
            )
        if not 0 < temperature <= 100:
            raise BadRequest(f"Temperature {temperature:g} is out of range.", "Allowed: up to 100.")
        self.tops = tuple(k for k in tops if 1 <= k <= n)
        self.temperature = temperature
        self.axis = direction(self.pairs)
        self._images, self._texts = self.pairs.block(0, n)
        self._cosines: F32 = self._images @ self._texts.T
        self._along = (self._images @ self.axis, self._texts @ self.axis)
        self._concepts = _concepts(concepts, n)
        self._groups = _named(groups, n)
        self._classes = _classes(labels, classes, n, self.pairs.width)

    def at(self, delta: float) -> Point:
        """Everything at one place.

        Raises:
            BadRequest: ``delta`` is out of range.
        """
        _check_delta(delta)
        a = np.float32(delta / 2)
        u, v = self._along
        of_images = _lengths(u, -a)
        of_texts = _lengths(v, a)
        by = (1 / of_images, 1 / of_texts)
        ranks = shifted_ranks(self._cosines, u, v, a, by, *self._concepts)
        recall: dict[Direction, dict[int, float]] = {
            "text_to_image": {k: float((ranks[1] < k).mean()) for k in self.tops},
            "image_to_text": {k: float((ranks[0] < k).mean()) for k in self.tops},
        }
        first = self.tops[0] if self.tops else 1
        by_group = {
            name: float((ranks[1][rows] < first).mean()) for name, rows in self._groups.items()
        }
        loss, accuracy = self._loss(a, of_images, of_texts), self._accuracy(a)
        return Point(delta, self._gap(a, of_images, of_texts), recall, loss, accuracy, by_group)

    def sweep(self, deltas: Sequence[float]) -> list[Point]:
        """Each place in turn."""
        return [self.at(delta) for delta in deltas]

    def _gap(self, a: np.float32, of_images: F32, of_texts: F32) -> float:
        """Distance of the two means after the shift."""
        n = len(self.pairs)
        one, two = 1 / of_images, 1 / of_texts
        mean_image = (one @ self._images - a * one.sum() * self.axis) / n
        mean_text = (two @ self._texts + a * two.sum() * self.axis) / n
        return float(np.linalg.norm(mean_image - mean_text))

    def _loss(self, a: np.float32, of_images: F32, of_texts: F32) -> float:
        n = len(self.pairs)
        u, v = self._along
        size = min(BATCH, n)
        losses = []
        for start in range(0, n - size + 1, size):
            s = slice(start, start + size)
            products = self._cosines[s, s] + a * u[s, None] - a * v[None, s] - a * a
            moved = products / (of_images[s, None] * of_texts[None, s])
            losses.append(batch_loss(moved, self.temperature))
        return float(np.mean(losses))

    def _accuracy(self, a: np.float32) -> float | None:
        if self._classes is None:
            return None
        labels, classes = self._classes
        moved = unit_rows(classes + a * self.axis)
        # An image's own length does not change which class is nearest.
        cosines = self._images @ moved.T - a * (self.axis @ moved.T)
        own = cosines[np.arange(len(labels)), labels][:, None]
        return float(((cosines >= own).sum(axis=1) == 1).mean())


def best(points: Sequence[Point], top: int, way: Direction = "text_to_image") -> Point:
    """The place with the highest recall at ``top``; the smallest move among equals."""
    return max(points, key=lambda point: (point.recall[way][top], -abs(point.delta)))


def places(gap: float, count: int = 41) -> list[float]:
    """Distances worth trying: -1 to 2 times the gap, with 0 and the gap itself among them."""
    if not 4 <= count <= 1_001:
        raise BadRequest(f"{count} places cannot be tried.", "Allowed are 4 to 1,001.")
    steps = max(1, (count - 1) // 3)
    return [gap * i / steps for i in range(-steps, 2 * steps + 1)]


def _lengths(along: F32, step: np.float32) -> F32:
    """Lengths of unit rows with components ``along`` after a move by ``step`` along the axis."""
    squares = 1 + 2 * step * along + step * step
    lengths: F32 = np.sqrt(np.maximum(squares, 1e-12)).astype(np.float32)
    return lengths


def _concepts(concepts: NDArray[Any] | None, n: int) -> tuple[I32, I64]:
    """(n,) number of each pair's concept, and (n,) rows sorted by it."""
    if concepts is None:
        return np.arange(n, dtype=np.int32), np.arange(n)
    named = np.asarray(concepts)
    if named.shape != (n,):
        raise BadRequest(f"Concepts of shape {named.shape} do not fit {n:,} pairs.", "One a pair.")
    numbers = np.unique(named, return_inverse=True)[1].astype(np.int32)
    return numbers, np.argsort(numbers, kind="stable")


def _named(groups: Sequence[str] | None, n: int) -> dict[str, I64]:
    if groups is None:
        return {}
    if len(groups) != n:
        raise BadRequest(f"{len(groups):,} groups do not fit {n:,} pairs.", "Give one a pair.")
    names = np.asarray(groups, dtype=str)
    return {str(name): np.flatnonzero(names == name) for name in np.unique(names)}


def _classes(
    labels: NDArray[np.int64] | None, classes: NDArray[Any] | None, n: int, width: int
) -> tuple[I64, F32] | None:
    if labels is None or classes is None:
        return None
    texts = np.asarray(classes)
    if np.shape(labels) != (n,) or texts.ndim != 2 or texts.shape[1] != width:
        raise BadRequest(
            f"Labels of shape {np.shape(labels)} and classes of shape {texts.shape} do not fit "
            f"{n:,} pairs in {width} dimensions."
        )
    if not 0 <= np.min(labels) <= np.max(labels) < len(texts):
        raise BadRequest("A label names no class.", f"Allowed are 0 to {len(texts) - 1}.")
    return np.asarray(labels, np.int64), unit_rows(texts)


def _check_delta(delta: float) -> None:
    if not np.isfinite(delta) or abs(delta) > LARGEST:
        raise BadRequest(
            f"A shift by {delta:g} is out of range.", f"Allowed are -{LARGEST:g} to {LARGEST:g}."
        )
