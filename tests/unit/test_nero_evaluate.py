"""Running models along an orbit: constructed truths, streaming, cancel, and refusals."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch

from backend import datasets
from backend.errors import BadRequest, Cancelled, DeviceFull, NotFound
from backend.nero import evaluate, orbits, tasks
from backend.nero.evaluation import SLAB_BYTES
from tests.fakes import FakeBackend, card, disc_images, grey_model, noise_images, softmax

ORBIT = orbits.rotations(12)
OWN = noise_images(5)


def always(batch):
    """Class 3 with probability 0.91, whatever the image."""
    row = np.full(10, 0.01, np.float32)
    row[3] = 0.91
    return np.tile(row, (len(batch), 1))


def test_shapes_types_and_definition():
    model = FakeBackend()
    result = evaluate(model, "digits", ORBIT, OWN)
    assert result.metric.shape == (5, 12)
    assert result.outputs.shape == (5, 12, 10)
    assert result.metric.dtype == result.outputs.dtype == np.float32
    assert result.predicted.tolist() == result.outputs.argmax(2).tolist()
    for i, label in enumerate(OWN[1]):
        assert np.array_equal(result.metric[i], result.outputs[i, :, label])
    upright = model.predict(datasets.to_batch(OWN[0]))
    assert np.array_equal(result.outputs[:, 0], upright)


def test_a_model_that_ignores_rotation_gives_a_circle():
    """N4: exactly over the right angles, within interpolation elsewhere."""
    images, labels = disc_images(4)
    result = evaluate(grey_model, "digits", orbits.rotations(4), (images, labels))
    assert np.ptp(result.metric, axis=1).max() < 1e-6
    result = evaluate(grey_model, "digits", orbits.rotations(72), (images, labels))
    assert np.ptp(result.metric, axis=1).max() < 2e-3
    assert result.variance().max() < 1e-6


def test_a_model_that_fails_at_one_element_dips_there_only():
    images = np.zeros((2, 28, 28), np.uint8)
    images[:, 13:15, 24:26] = 255  # a mark to the right of the centre

    def misses_up(batch):
        scores = np.zeros((len(batch), 10))
        scores[:, 3] = np.where(batch[:, 0, 2:4, 13:15].mean(axis=(1, 2)) > 0.9, -9, 9)
        return softmax(scores)

    result = evaluate(misses_up, "digits", orbits.rotations(4), (images, np.array([3, 3])))
    assert (result.metric[:, [0, 2, 3]] > 0.99).all()
    assert (result.metric[:, 1] < 0.01).all()
    assert result.aggregate("accuracy").tolist() == [1, 0, 1, 1]


@pytest.mark.parametrize("batch_size", [1, 7, 64, 10_000])
def test_the_batch_size_does_not_matter(batch_size):
    model = FakeBackend()
    result = evaluate(model, "digits", ORBIT, OWN, batch_size=batch_size)
    assert np.array_equal(result.outputs, evaluate(FakeBackend(), "digits", ORBIT, OWN).outputs)
    assert max(model.batches) <= batch_size
    assert sum(model.batches) == 60


def test_pieces_of_the_orbit_come_back_in_order():
    """Images so large that the orbit is made in several blocks."""
    images, labels = noise_images(2, 224, 3)
    assert 12 * images[0].size * 4 > SLAB_BYTES
    model = FakeBackend(224, 3)
    result = evaluate(model, "photos", ORBIT, (images, labels))
    assert len(model.batches) > 4
    for element in (0, 1, 5, 11):
        one = evaluate(FakeBackend(224, 3), "photos", orbits.rotations(1), (images, labels))
        if element == 0:
            assert np.array_equal(one.outputs[:, 0], result.outputs[:, 0])
    quarter = evaluate(FakeBackend(224, 3), "photos", orbits.rotations(4), (images, labels))
    assert np.array_equal(quarter.outputs, result.outputs[:, ::3])


def test_rows_item_sets_and_everything_agree():
    held = datasets.load("digits")
    rows = [7, 3, 499]
    picked = evaluate(FakeBackend(), "digits", orbits.rotations(4), rows)
    assert picked.item_ids.tolist() == held.ids[rows].tolist()
    assert picked.labels.tolist() == held.labels[rows].tolist()
    assert picked.item_names == tuple(held.names[row] for row in rows)
    assert picked.classes == held.classes
    own = (held.images(rows), held.labels[rows])
    assert np.array_equal(
        picked.outputs, evaluate(FakeBackend(), "digits", orbits.rotations(4), own).outputs
    )
    whole = evaluate(always, "digits", orbits.rotations(1), held)
    assert len(whole) == len(held) == len(evaluate(always, "digits", orbits.rotations(1)))


def test_callables_may_answer_with_tensors_and_modules_are_taken_as_they_are():
    as_array = evaluate(always, "digits", ORBIT, OWN)
    as_tensor = evaluate(lambda batch: torch.from_numpy(always(batch)), "digits", ORBIT, OWN)
    assert np.array_equal(as_array.outputs, as_tensor.outputs)
    module = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(784, 10), torch.nn.Softmax(1))
    assert evaluate(module, "digits", ORBIT, OWN).outputs.shape == (5, 12, 10)


def test_answers_that_are_not_finite_are_kept_as_such_and_counted():
    def broken(batch):
        answer = always(batch)
        answer[batch[:, 0, 0, 0] > 0.99] = np.nan
        answer[batch[:, 0, 0, 0] < 0.01, 2] = np.inf
        return answer

    images = np.full((3, 28, 28), 128, np.uint8)
    images[0, 0, 0], images[1, 0, 0] = 255, 0
    result = evaluate(broken, "digits", orbits.rotations(4), (images, np.array([3, 3, 3])))
    assert result.unanswered == 2
    assert np.isnan(result.metric[0, 0])
    assert np.isnan(result.outputs[1, 0]).all()
    assert result.predicted[:2, 0].tolist() == [-1, -1]
    assert result.aggregate("accuracy").tolist() == [1, 1, 1, 1]
    assert result.aggregate("confidence")[0] == pytest.approx(0.91)
    assert np.isfinite(result.mean()).all()
    assert np.isfinite(result.variance()).all()


def test_progress_reaches_the_end_and_may_cancel():
    seen = []
    evaluate(always, "photos", ORBIT, noise_images(2, 224, 3), progress=lambda *at: seen.append(at))
    assert seen == sorted(seen)
    assert seen[-1] == (24, 24)
    assert len(seen) > 4

    def stop(done, total):
        raise Cancelled

    model = FakeBackend()
    with pytest.raises(Cancelled):
        evaluate(model, "digits", ORBIT, OWN, progress=stop)
    assert len(model.batches) == 1
    # The same request afterwards starts anew and is whole.
    assert np.isfinite(evaluate(model, "digits", ORBIT, OWN).metric).all()


def test_a_full_device_is_passed_on():
    with pytest.raises(DeviceFull):
        evaluate(FakeBackend(fails_at=2), "digits", ORBIT, OWN, batch_size=8)


def logits(batch):
    return np.arange(10.0)[None] * np.ones((len(batch), 1)) - 3


@pytest.mark.parametrize(
    ("model", "task", "items", "sentence"),
    [
        (logits, "digits", OWN, "sums to 15"),
        (lambda b: always(b)[:-1], "digits", OWN, "with an array of shape"),
        (lambda b: always(b)[:, :1], "digits", OWN, "with an array of shape"),
        (lambda b: 0.5, "digits", OWN, "with an array of shape"),
        (lambda b: np.ones((len(b), 2)) * [-1, 2], "digits", OWN, "not probabilities"),
        (always, "digits", [], "No items are selected"),
        (always, "digits", [500], "no row 500"),
        (always, "digits", [-1], "no row -1"),
        (always, "digits", [0.5], "whole numbers"),
        (always, "digits", (OWN[0][:0], OWN[1][:0]), "no images"),
        (always, "digits", (OWN[0].astype(float), OWN[1]), "must be uint8"),
        (always, "digits", (OWN[0][:, :, :20], OWN[1]), "28 × 20"),
        (always, "digits", (OWN[0], OWN[1][:2]), "one whole number per image"),
        (always, "digits", (OWN[0], OWN[1] + 0.5), "one whole number per image"),
        (always, "digits", (OWN[0], OWN[1] + 10), "not one of the model's classes"),
        (always, "digits", (OWN[0][..., None].repeat(4, 3), OWN[1]), "height, width"),
        (FakeBackend(14), "digits", OWN, ""),
        (3, "digits", OWN, "is not a model"),
    ],
)
def test_what_cannot_be_evaluated_is_said_in_a_sentence(model, task, items, sentence):
    if isinstance(model, FakeBackend):
        with pytest.raises(ValueError):  # the fake does not check, TorchBackend does
            evaluate(model, task, ORBIT, items)
        return
    with pytest.raises(BadRequest, match=sentence):
        evaluate(model, task, ORBIT, items)


def test_unknown_names_are_answered_with_the_known_ones():
    with pytest.raises(NotFound, match="Tasks are digits, fashion, photos"):
        evaluate(always, "letters", ORBIT, OWN)
    with pytest.raises(NotFound, match="digits-plain"):
        evaluate("digits-none", "digits", ORBIT, OWN)
    with pytest.raises(BadRequest, match="too small"):
        evaluate(always, "digits", ORBIT, OWN, batch_size=0)


class Lettered(FakeBackend):
    """Its classes have names; numbered ones fit any ten."""

    @property
    def card(self):
        return card(classes=tuple("abcdefghij"))


def test_a_model_for_other_items_is_refused():
    with pytest.raises(BadRequest, match="classes are not those of the items"):
        evaluate(Lettered(), "fashion", ORBIT, [0])


def test_tasks_say_what_an_ideal_model_does():
    task = tasks.find("digits")
    assert task.kind == "invariant"
    assert list(task.metrics) == ["confidence", "accuracy", "agreement"]
    assert all(metric.higher_is_better for metric in task.metrics.values())
    assert tasks.find(task) is task


@pytest.mark.parametrize(
    "module", ["backend.nero", "backend.nero.requests", "backend.nero.work", "backend.nero.tables"]
)
def test_the_web_process_never_loads_torch(module):
    code = f"import sys, {module}; sys.exit('torch' in sys.modules or 'numba' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
