"""Which class is it? The answer should not change when the input moves: the ideal plot is flat."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, Final

import numpy as np

from backend.errors import BadRequest
from backend.nero.items import Items, gather
from backend.nero.orbits import Domain, Orbit
from backend.nero.tasks.base import (
    BATCH,
    Array,
    BaseTask,
    Consensus,
    Kind,
    Metric,
    Predictor,
    Views,
    in_batches,
    loaded,
    to_numpy,
)
from backend.protocols import F32, I64, ModelBackend
from backend.registry.views import misfit

CONFIDENCE: Final = Metric("confidence", "confidence of the true class", 0.0, 1.0, True)
ACCURACY: Final = Metric("accuracy", "share of items answered correctly", 0.0, 1.0, True)
AGREEMENT: Final = Metric(
    "agreement", "share of items answered as without the transform", 0.0, 1.0, True
)
SUM_SLACK: Final = 1e-3
KEEP_ALL: Final = 64  # up to so many classes every output is stored
STRONGEST: Final = 10  # beyond, only so many per item
IMAGE: Final = Views("image", "bars")


@dataclass(frozen=True, slots=True)
class Classification(BaseTask):
    """Probabilities of classes, for inputs of any domain."""

    domain: Domain = "image"
    views: Views = IMAGE
    kind: ClassVar[Kind] = "invariant"

    @property
    def metrics(self) -> dict[str, Metric]:
        """The individual metric is confidence, the aggregate opens with accuracy."""
        return {metric.name: metric for metric in (CONFIDENCE, ACCURACY, AGREEMENT)}

    @property
    def summary(self) -> str:
        """Accuracy."""
        return ACCURACY.name

    def gather(self, items: Any) -> Items:
        """Rows of the task's set, another set, or ``(images, labels)``."""
        return gather(self.item_set, items)

    def predictor(self, model: Any, batch_size: int | None, source: Items) -> Predictor:
        """Probabilities ``(b, k)`` whose rows sum to 1; NaN where an answer is not finite."""
        found = loaded(model)
        if isinstance(found, ModelBackend):
            check_classes(found.card.classes, source)
            ask: Callable[[Any], F32] = partial(probabilities, found.predict)
            size = batch_size
        else:
            ask, size = partial(probabilities, found), batch_size or BATCH
        return lambda batch: _checked(in_batches(ask, batch, size or len(batch)), source)

    def act_output(self, orbit: Orbit, element: int, outputs: F32) -> F32:
        """A class does not move."""
        del orbit, element
        return outputs

    def measure(self, orbit: Orbit, outputs: F32, truth: Any) -> dict[str, F32]:
        """The probability of the true class; whether it, and the untouched answer, is strongest."""
        labels = np.full(len(outputs), -1) if truth is None else np.asarray(truth)
        is_known = (labels >= 0)[:, None]
        picked = np.take_along_axis(outputs, np.maximum(labels, 0)[:, None, None], axis=2)
        predicted = strongest(outputs)
        return {
            "confidence": np.where(is_known, picked[:, :, 0], np.float32(np.nan)),
            "accuracy": equal_answers(predicted, np.where(labels < 0, -1, labels)),
            "agreement": equal_answers(predicted, predicted[:, orbit.identity_index]),
        }

    def consensus(self, orbit: Orbit, outputs: F32) -> Consensus | None:
        """None: the mean of classes along an orbit says nothing about the one that is right."""
        del orbit, outputs
        return None

    def payload(self, outputs: F32) -> dict[str, Array]:
        """All outputs, and the class of each column."""
        count = outputs.shape[2]
        return {
            "outputs": outputs,
            "class_ids": np.broadcast_to(np.arange(count), (len(outputs), count)),
            "predicted": strongest(outputs),
        }


def strongest(outputs: F32) -> Array:
    """The class with the highest probability ``(n, e)`` int32, -1 where the model gave no finite
    answer.
    """
    is_finite = np.isfinite(outputs[:, :, 0])
    return np.where(is_finite, outputs.argmax(axis=2), -1).astype(np.int32)


def equal_answers(predicted: Array, wanted: Array) -> F32:
    """(n, e) 1 where an answer is the wanted class ``(n,)``, 0 where not, NaN where either is
    missing.
    """
    right: F32 = (predicted == wanted[:, None]).astype(np.float32)
    right[(predicted < 0) | (wanted < 0)[:, None]] = np.nan
    return right


def probabilities(predict: Callable[[Any], Any], batch: Array) -> F32:
    """Checked probabilities ``(b, k)``; rows that are not finite become NaN throughout.

    Raises:
        BadRequest: the answer has another shape, or its rows do not sum to 1.
    """
    values = to_numpy(predict(batch))
    if values.ndim != 2 or len(values) != len(batch) or values.shape[1] < 2:
        raise BadRequest(
            f"The model answered {len(batch)} inputs with an array of shape {values.shape}.",
            f"It must be ({len(batch)}, number of classes).",
        )
    sums = values.sum(axis=1)
    is_finite = np.isfinite(values).all(axis=1)
    values[~is_finite] = np.nan
    is_wrong = is_finite & ((np.abs(sums - 1) > SUM_SLACK) | (values.min(axis=1) < -SUM_SLACK))
    if is_wrong.any():
        raise BadRequest(
            f"The model's answers are not probabilities: a row sums to {sums[is_wrong][0]:.4g}.",
            "Rows must be at least 0 and sum to 1; if these are logits, apply softmax once.",
        )
    return values


def check_classes(classes: tuple[str, ...], source: Items) -> None:
    """Returns if a model's classes are those of the items.

    Raises:
        BadRequest: they are not, or a label is none of them.
    """
    if source.classes and misfit(classes, source.classes):
        raise BadRequest(
            "The model's classes are not those of the items.",
            "Choose a model that was made for these items.",
        )
    _check_labels(len(classes), source.labels)


def _checked(answers: F32, source: Items) -> F32:
    if source.classes and answers.shape[1] != len(source.classes):
        raise BadRequest(
            f"The model has {answers.shape[1]} outputs and there are {len(source.classes)} "
            "classes.",
            "Choose a model that was made for these items.",
        )
    _check_labels(answers.shape[1], source.labels)
    return answers


def _check_labels(count: int, labels: I64) -> None:
    """-1 stands for a class that nobody knows."""
    outside = labels[(labels < -1) | (labels >= count)]
    if len(outside):
        raise BadRequest(
            f"Label {outside[0]} is not one of the model's classes.",
            f"Labels run from 0 to {count - 1}.",
        )
