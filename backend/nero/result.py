"""What came out of an orbit, and the numbers the views ask of it. Nothing here runs a model."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from backend.errors import BadRequest
from backend.nero import curves
from backend.nero.tasks.base import Consensus, Kind
from backend.nero.tasks.classification import KEEP_ALL, STRONGEST, equal_answers
from backend.protocols import F32, I64, Arrays


@dataclass(frozen=True, slots=True, eq=False)
class OrbitResult:
    """A model's answers for ``n`` items at the ``e`` elements of an orbit.

    Attributes:
        task: name of the task. kind: what an ideal model does when the input moves.
        metrics: (n, e) by name, the individual one first; NaN where it is not defined.
        payload: what was kept of the outputs, (n, e, ...) by name; may be empty. For classes:
            ``outputs`` (n, e, c) probabilities of the classes in ``class_ids`` (n, c), all ``k``
            unless read back from a store that kept the strongest only, and ``predicted`` (n, e)
            int32 strongest class of all, -1 where there was no finite answer.
        consensus: what the model says on the whole; None for invariant tasks.
        item_ids: (n,) stable ids. item_names: (n,). labels: (n,) class or family, -1 unknown.
        classes: (k,) names.
        positions: (e, c) where each element lies on the layout. elements: (e,) their names.
        identity_index: the element that changes nothing.
    """

    task: str
    kind: Kind
    metrics: Mapping[str, F32]
    payload: Mapping[str, NDArray[Any]]
    consensus: Consensus | None
    item_ids: I64
    item_names: tuple[str, ...]
    labels: I64
    classes: tuple[str, ...]
    positions: NDArray[np.float64]
    elements: tuple[str, ...]
    identity_index: int = 0

    def __len__(self) -> int:
        return len(self.item_ids)

    @property
    def metric(self) -> F32:
        """(n, e) the individual metric."""
        return next(iter(self.metrics.values()))

    @property
    def angles_deg(self) -> NDArray[np.float64]:
        """(e,) the first coordinate of each element: on a circle, its angle."""
        angles: NDArray[np.float64] = self.positions[:, 0]
        return angles

    @property
    def outputs(self) -> F32:
        """(n, e, c) probabilities of classes."""
        return np.asarray(self._kept("outputs"), np.float32)

    @property
    def class_ids(self) -> I64:
        """(n, c) the class of each column of ``outputs``."""
        return np.asarray(self._kept("class_ids"), np.int64)

    @property
    def predicted(self) -> NDArray[np.int32]:
        """(n, e) the strongest class, -1 where the model gave no finite answer."""
        return np.asarray(self._kept("predicted"), np.int32)

    def _kept(self, name: str) -> NDArray[Any]:
        if name not in self.payload:
            raise BadRequest(
                f"A result of {self.task} has no {name}.", f"It has {', '.join(self.payload)}."
            )
        return self.payload[name]

    @property
    def unanswered(self) -> int:
        """How many of the n × e values are not defined; they count in no mean."""
        if "predicted" in self.payload:
            return int(np.count_nonzero(self.predicted < 0))
        return int(np.count_nonzero(~np.isfinite(self.metric)))

    @property
    def correct(self) -> F32:
        """(n, e) 1 where the strongest class is the true one, 0 where not, NaN without an
        answer.
        """
        return self.metrics["accuracy"]

    def aggregate(self, by: str = "accuracy", rows: Sequence[int] | I64 | None = None) -> F32:
        """The mean over items ``(e,)`` at each element; NaN where no item has a value.

        Args:
            by: a metric of the task, such as "accuracy", "confidence", "iou" or "rmse".
            rows: the items to average, all unless given.

        Raises:
            BadRequest: the metric is unknown, or a row is not there.
        """
        if by not in self.metrics:
            raise BadRequest(
                f"There is no metric {by!r}.", f"Metrics are {', '.join(self.metrics)}."
            )
        return curves.mean(self.metrics[by][self.rows(rows)], axis=0)

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
        kept. What follows from other arrays (accuracy, agreement) is not stored.
        """
        main, *others = self.metrics
        stored: dict[str, NDArray[Any]] = {"metric": self.metric}
        if "predicted" not in self.payload:
            stored |= {f"metric_{name}": self.metrics[name] for name in others}
        stored |= self._stored_payload()
        if self.consensus is not None:
            stored["consensus_value"] = self.consensus.value
            stored["consensus_used"] = self.consensus.used.astype(np.int32)
            for name, values in self.consensus.metrics.items():
                stored["consensus_metric" + ("" if name == main else f"_{name}")] = values
        text = {
            "task": self.task,
            "kind": self.kind,
            "metrics": list(self.metrics),
            "classes": self.classes,
            "names": self.item_names,
            "elements": self.elements,
            "identity": self.identity_index,
        }
        return stored | {
            "item_ids": self.item_ids.astype(np.int32),
            "labels": self.labels.astype(np.int32),
            "positions": self.positions.astype(np.float32),
            "text": np.frombuffer(json.dumps(text, ensure_ascii=False).encode(), np.uint8),
        }

    def _stored_payload(self) -> dict[str, NDArray[Any]]:
        payload = {f"payload_{name}": values for name, values in self.payload.items()}
        if "class_ids" not in self.payload:
            return payload
        outputs, class_ids = self.outputs, self.class_ids
        if class_ids.shape[1] > KEEP_ALL:
            class_ids = _strongest(outputs, class_ids, self.labels)
            columns = np.argsort(self.class_ids, axis=1)
            found = np.take_along_axis(columns, class_ids, axis=1)
            outputs = np.take_along_axis(outputs, found[:, None, :], axis=2)
        return {
            "outputs": np.ascontiguousarray(outputs, np.float32),
            "class_ids": np.ascontiguousarray(class_ids, np.int32),
            "predicted": self.predicted,
        }

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> OrbitResult:
        """The result behind :meth:`arrays`.

        Raises:
            KeyError, ValueError: the arrays are not those of a result.
        """
        text: Mapping[str, Any] = json.loads(np.asarray(arrays["text"], np.uint8).tobytes())
        main, *others = text["metrics"]
        labels = np.asarray(arrays["labels"], np.int64)
        kept = ("outputs", "class_ids", "predicted")
        payload = {name: np.asarray(arrays[name]) for name in kept if name in arrays}
        payload |= {
            name.removeprefix("payload_"): np.asarray(values)
            for name, values in arrays.items()
            if name.startswith("payload_")
        }
        metrics = {main: np.asarray(arrays["metric"], np.float32)}
        if "predicted" in payload:
            predicted = payload["predicted"]
            metrics["accuracy"] = equal_answers(predicted, labels)
            untouched = predicted[:, text["identity"]]
            metrics["agreement"] = equal_answers(predicted, untouched)
        else:
            metrics |= {n: np.asarray(arrays[f"metric_{n}"], np.float32) for n in others}
        return cls(
            task=text["task"],
            kind=text["kind"],
            metrics=metrics,
            payload=payload,
            consensus=_consensus(arrays, main, others),
            item_ids=np.asarray(arrays["item_ids"], np.int64),
            item_names=tuple(text["names"]),
            labels=labels,
            classes=tuple(text["classes"]),
            positions=np.asarray(arrays["positions"], np.float64),
            elements=tuple(text["elements"]),
            identity_index=text["identity"],
        )


def _consensus(arrays: Arrays, main: str, others: Sequence[str]) -> Consensus | None:
    if "consensus_value" not in arrays:
        return None
    names = {main: "consensus_metric"} | {n: f"consensus_metric_{n}" for n in others}
    return Consensus(
        np.asarray(arrays["consensus_value"], np.float32),
        np.asarray(arrays["consensus_used"], np.int64),
        {n: np.asarray(arrays[a], np.float32) for n, a in names.items() if a in arrays},
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
