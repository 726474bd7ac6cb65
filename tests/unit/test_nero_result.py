"""The numbers views ask of a result, against their definitions."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from backend.cache import ArrayStore
from backend.errors import BadRequest
from backend.nero import OrbitResult, orbits, tasks
from tests.fakes import softmax


def made(n=20, e=12, k=10, seed=0):
    """A result with random outputs."""
    rng = np.random.default_rng(seed)
    outputs = softmax(rng.normal(size=(n * e, k)) * 3).reshape(n, e, k)
    labels = rng.integers(0, k, n)
    orbit = orbits.rotations(e)
    task = tasks.find("digits")
    return OrbitResult(
        task="digits",
        kind="invariant",
        metrics=task.measure(orbit, outputs, labels),
        payload=task.payload(outputs),
        consensus=None,
        item_ids=np.arange(n) * 3 + 1,
        item_names=tuple(f"item {i}" for i in range(n)),
        labels=labels,
        classes=tuple(f"class {i}" for i in range(k)),
        positions=orbit.positions,
        elements=orbit.labels,
    )


def with_metric(result, metric):
    """The result with other confidences."""
    return replace(result, metrics={**result.metrics, "confidence": metric})


@pytest.mark.parametrize("rows", [None, [0], [3, 1, 4], list(range(10))])
def test_the_aggregate_is_the_mean_of_the_individuals(rows):
    """N6, for all, for one, for a subset."""
    result = made()
    chosen = range(20) if rows is None else rows
    confidence = np.mean([result.metric[i].astype(float) for i in chosen], axis=0)
    np.testing.assert_allclose(result.aggregate("confidence", rows), confidence, atol=1e-6)
    right = np.mean([result.predicted[i] == result.labels[i] for i in chosen], axis=0)
    np.testing.assert_allclose(result.aggregate("accuracy", rows), right, atol=1e-6)
    if rows == [0]:
        np.testing.assert_allclose(
            result.aggregate("confidence", rows), result.metric[0], atol=1e-7
        )


def test_mean_and_variance_are_those_of_numpy():
    result = made()
    np.testing.assert_allclose(result.mean(), result.metric.mean(1), atol=1e-6)
    np.testing.assert_allclose(result.variance(), result.metric.astype(float).var(1), atol=1e-6)


def test_wrong_answers_alone_sum_to_the_errors():
    result = made()
    wrong = result.confusion(wrong_only=True)
    np.testing.assert_allclose(wrong.sum(axis=0), 1 - result.aggregate("accuracy"), atol=1e-6)
    assert (wrong <= result.confusion() + 1e-6).all()


def test_confusion_counts_what_items_turn_into():
    result = made()
    shares = result.confusion([2, 5, 6])
    assert shares.shape == (10, 12)
    np.testing.assert_allclose(shares.sum(0), 1, atol=1e-6)
    for element in range(12):
        for k in range(10):
            share = np.mean(result.predicted[[2, 5, 6], element] == k)
            assert shares[k, element] == pytest.approx(share, abs=1e-6)


def test_worst_items_come_first():
    result = made()
    assert result.worst(4).tolist() == np.argsort(result.metric.mean(1), kind="stable")[:4].tolist()
    assert len(result.worst(99)) == 20


def test_similar_finds_a_turned_copy_and_by_how_much():
    result = made(e=24)
    metric = result.metric.copy()
    metric[7] = np.roll(metric[2], 5)
    metric[11] = metric[2] + 0.001
    other = with_metric(result, metric)
    rows, shifts, distances = other.similar(2, 3)
    assert rows[:2].tolist() == [7, 11]
    assert shifts[:2].tolist() == [5, 0]
    assert distances[0] == pytest.approx(0, abs=1e-6)
    assert distances[1] == pytest.approx(0.001, rel=1e-3)
    assert 2 not in rows
    rows, shifts, _ = other.similar(2, 19, allow_rotation=False)
    assert rows[0] == 11
    assert not shifts.any()
    assert rows[1] != 7


def test_similar_equals_the_search_over_every_shift():
    result = made(n=6, e=9)
    rows, shifts, distances = result.similar(0, 5)
    for row, shift, distance in zip(rows, shifts, distances, strict=True):
        gaps = [
            np.sqrt(np.mean((result.metric[row] - np.roll(result.metric[0], s)) ** 2.0))
            for s in range(9)
        ]
        assert distance == pytest.approx(min(gaps), abs=1e-6)
        assert gaps[shift] == pytest.approx(min(gaps), abs=1e-6)


def test_flat_curves_are_similar_without_a_shift():
    result = made()
    flat = with_metric(result, np.full((20, 12), 0.5, np.float32))
    _, shifts, distances = flat.similar(0, 5)
    assert not shifts.any()
    assert not distances.any()


@pytest.mark.parametrize("k", [10, 64])
def test_arrays_give_the_result_back(tmp_path, k):
    result = made(k=k)
    store = ArrayStore(tmp_path, 10_000_000)
    store.put("0" * 64, result.arrays())
    back = OrbitResult.from_arrays(store.get("0" * 64))
    for name, value in fields(result).items():
        got = getattr(back, name)
        if isinstance(value, dict):
            assert list(got) == list(value)
            assert all(np.array_equal(got[k], v) for k, v in value.items())
        elif isinstance(value, np.ndarray):
            assert np.array_equal(got, value)
        else:
            assert got == value


def test_with_many_classes_the_strongest_and_the_true_one_are_kept():
    result = made(n=7, k=200)
    back = OrbitResult.from_arrays(result.arrays())
    assert back.outputs.shape == (7, 12, 10)
    assert len(back.classes) == 200
    assert np.array_equal(back.metric, result.metric)
    assert np.array_equal(back.confusion(), result.confusion())
    for i in range(7):
        kept = back.class_ids[i]
        assert result.labels[i] in kept
        assert len(set(kept)) == 10
        peaks = result.outputs[i].max(0)
        assert set(np.argsort(-peaks)[:9]) <= set(kept)
        for column, k in enumerate(kept):
            assert np.array_equal(back.outputs[i, :, column], result.outputs[i, :, k])
    again = OrbitResult.from_arrays(back.arrays())
    assert np.array_equal(again.outputs, back.outputs)


def test_the_largest_array_of_a_result_stays_small():
    sizes = {name: array.nbytes for name, array in made(500, 72).arrays().items()}
    assert sizes["outputs"] == 500 * 72 * 10 * 4
    assert sum(sizes.values()) < 1_800_000


@pytest.mark.parametrize("rows", [[], [20], [-1], [0.5], [[1]]])
def test_rows_that_are_not_there_are_refused(rows):
    with pytest.raises(BadRequest):
        made().aggregate("accuracy", rows)
    with pytest.raises(BadRequest):
        made().confusion(rows)


def test_unknown_metrics_are_refused():
    with pytest.raises(BadRequest, match="confidence, accuracy, agreement"):
        made().aggregate("loss")


def fields(result):
    return {name: getattr(result, name) for name in OrbitResult.__slots__}
