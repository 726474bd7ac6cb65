"""What came out of an orbit, and the numbers the views ask of it. Nothing here runs a model."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, cast

import numpy as np
from numpy.typing import NDArray

from backend.errors import BadRequest
from backend.nero import curves
from backend.protocols import F32, I64, Arrays

Aggregate = Literal["accuracy", "confidence"]
KEEP_ALL: Final = 64  # up to so many classes every output is stored
STRONGEST: Final = 10  # beyond, only so many per item


@dataclass(frozen=True, slots=True, eq=False)
class OrbitResult:
    """A model's answers for ``n`` items at the ``e`` elements of an orbit.

    Attributes:
        metric: (n, e) probability of the true class; NaN where the model gave no finite answer.
        outputs: (n, e, c) probabilities of the classes in ``class_ids``; all ``k`` unless read
            back from a store that kept the strongest only.
        class_ids: (n, c) the class of each output column.
        predicted: (n, e) int32 strongest class of all, -1 where there was no finite answer.
        item_ids: (n,) stable ids. item_names: (n,). labels: (n,) true classes.
        angles_deg: (e,) where each element lies on the circle.
        classes: (k,) names.
    """

    metric: F32
    outputs: F32
    class_ids: I64
    predicted: NDArray[np.int32]
    item_ids: I64
    item_names: tuple[str, ...]
    labels: I64
    angles_deg: NDArray[np.float64]
    classes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.metric)

    @property
    def unanswered(self) -> int:
        """How many of the n × e answers were not finite; they count in no mean."""
        return int(np.count_nonzero(self.predicted < 0))

    @property
    def correct(self) -> F32:
        """(n, e) 1 where the strongest class is the true one, 0 where not, NaN without an
        answer.
        """
        right: F32 = (self.predicted == self.labels[:, None]).astype(np.float32)
        right[self.predicted < 0] = np.nan
        return right

    def aggregate(self, by: Aggregate = "accuracy", rows: Sequence[int] | I64 | None = None) -> F32:
        """The mean over items ``(e,)`` at each element; NaN where no item has an answer.

        Args:
            by: "accuracy" (strongest class is the true one) or "confidence" (probability of the
                true class).
            rows: the items to average, all unless given.

        Raises:
            BadRequest: the metric is unknown, or a row is not there.
        """
        if by not in ("accuracy", "confidence"):
            raise BadRequest(f"There is no metric {by!r}.", "Metrics are accuracy and confidence.")
        values = self.correct if by == "accuracy" else self.metric
        return curves.mean(values[self.rows(rows)], axis=0)

    def mean(self) -> F32:
        """The mean over the orbit ``(n,)`` of each item's metric."""
        return curves.mean(self.metric, axis=1)

    def variance(self) -> F32:
        """The variance over the orbit ``(n,)`` of each item's metric; 0 means a perfect circle."""
        return curves.variance(self.metric)

    def confusion(self, rows: Sequence[int] | I64 | None = None, wrong_only: bool = False) -> F32:
        """Share of the items ``(k, e)`` that are called by each class at each element.

        Columns sum to 1; with ``wrong_only``, right answers are left out and columns sum to the
        share of wrong ones.
        """
        chosen = self.rows(rows)
        predicted = self.predicted[chosen]
        counts = np.zeros((len(self.classes), predicted.shape[1]), np.float32)
        is_answer = predicted >= 0
        is_counted = (
            is_answer & (predicted != self.labels[chosen, None]) if wrong_only else is_answer
        )
        item, element = np.nonzero(is_counted)
        np.add.at(counts, (predicted[item, element], element), 1)
        answered = np.maximum(is_answer.sum(axis=0), 1).astype(np.float32)
        return cast(F32, counts / answered)

    def worst(self, k: int = 10) -> I64:
        """The rows ``(<= k,)`` with the lowest mean over the orbit, worst first; never those
        without answers.
        """
        mean = self.mean()
        order = np.argsort(mean, kind="stable")  # NaN sorts last
        return order[: min(k, int(np.isfinite(mean).sum()))]

    def similar(self, row: int, k: int = 10, allow_rotation: bool = True) -> tuple[I64, I64, F32]:
        """The rows whose orbit curves look most like that of ``row``, nearest first.

        Args:
            row: the item to compare with; it is left out of the answer.
            k: how many.
            allow_rotation: let a curve be shifted along the orbit before it is compared.

        Returns:
            rows (k,), shifts (k,) in elements and distances (k,). The curve of ``rows[i]`` is that
            of ``row`` moved by ``shifts[i]`` elements, up to a root mean square of
            ``distances[i]``.
        """
        (row,) = self.rows([row])
        shifts, distances = curves.nearest_shift(self.metric, self.metric[row], allow_rotation)
        distances[row] = np.inf
        order = np.argsort(distances, kind="stable")[: max(0, min(k, len(self) - 1))]
        order = order[np.isfinite(distances[order])]
        return order, shifts[order], distances[order]

    def reduce(
        self, method: str = "pca", seed: int = 0, rows: Sequence[int] | I64 | None = None
    ) -> F32:
        """A point ``(n, 2)`` in [-1, 1]² per item: near each other when their curves are.

        Args:
            method: pca, ica, isomap, tsne or umap.
            seed: of the random methods.
            rows: the items to place; all unless given.

        Raises:
            BadRequest: unknown method, or fewer than 3 items.
        """
        from backend.nero import projections

        return projections.project(self.metric[self.rows(rows)], method, seed)

    def rows(self, rows: Sequence[int] | I64 | None) -> I64:
        """Checked row numbers; all for None.

        Raises:
            BadRequest: none is left, or one is not there.
        """
        from backend.nero.items import checked_rows

        return np.arange(len(self)) if rows is None else checked_rows(rows, len(self), "the result")

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The result as named arrays for the store and the browser, small types only.

        With more than 64 classes only the 10 strongest of each item (the true one among them) are
        kept.
        """
        outputs, class_ids = self.outputs, self.class_ids
        if class_ids.shape[1] > KEEP_ALL:
            class_ids = _strongest(outputs, class_ids, self.labels)
            columns = np.argsort(self.class_ids, axis=1)
            found = np.take_along_axis(columns, class_ids, axis=1)
            outputs = np.take_along_axis(outputs, found[:, None, :], axis=2)
        text = json.dumps({"classes": self.classes, "names": self.item_names}, ensure_ascii=False)
        return {
            "metric": self.metric,
            "outputs": np.ascontiguousarray(outputs, np.float32),
            "class_ids": np.ascontiguousarray(class_ids, np.int32),
            "predicted": self.predicted,
            "item_ids": self.item_ids.astype(np.int32),
            "labels": self.labels.astype(np.int32),
            "angles_deg": self.angles_deg.astype(np.float32),
            "text": np.frombuffer(text.encode(), np.uint8),
        }

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> OrbitResult:
        """The result behind :meth:`arrays`.

        Raises:
            KeyError, ValueError: the arrays are not those of a result.
        """
        text: Mapping[str, list[str]] = json.loads(np.asarray(arrays["text"], np.uint8).tobytes())
        return cls(
            metric=np.asarray(arrays["metric"], np.float32),
            outputs=np.asarray(arrays["outputs"], np.float32),
            class_ids=np.asarray(arrays["class_ids"], np.int64),
            predicted=np.asarray(arrays["predicted"], np.int32),
            item_ids=np.asarray(arrays["item_ids"], np.int64),
            item_names=tuple(text["names"]),
            labels=np.asarray(arrays["labels"], np.int64),
            angles_deg=np.asarray(arrays["angles_deg"], np.float64),
            classes=tuple(text["classes"]),
        )


def _strongest(outputs: F32, class_ids: I64, labels: I64) -> I64:
    """Classes ``(n, 10)`` by their highest probability on the orbit, strongest first; the true one
    is in.
    """
    peak = np.nan_to_num(outputs, nan=0.0).max(axis=1)
    is_true = class_ids == labels[:, None]
    picked = np.argsort(-peak, axis=1, kind="stable")[:, :STRONGEST]
    has_true = np.take_along_axis(is_true, picked, axis=1).any(axis=1)
    picked[~has_true, -1] = is_true.argmax(axis=1)[~has_true]
    return np.take_along_axis(class_ids, picked, axis=1)
