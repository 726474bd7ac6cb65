"""NERO without a truth: a task of pairs of numbers that move with the input, and where it ends."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from backend.errors import BadRequest
from backend.nero import OrbitResult, consensus, evaluate, orbits
from backend.nero.consensus import correlation
from backend.nero.items import Items
from backend.nero.tasks import BaseTask, Consensus, Metric, Views
from tests.fakes import grey_model, noise_images

ORBIT = orbits.translations(8, 4)  # 4 x 4 shifts


@dataclass(frozen=True, slots=True)
class Where(BaseTask):
    """Where is the bright pixel? Equivariant: the answer moves with the object."""

    kind: str = "equivariant"
    domain: str = "scene"
    views: Views = Views("crop", "boxes")  # noqa: RUF009
    summary: str = "error"
    known: bool = True

    @property
    def metrics(self):
        return {"error": Metric("error", "distance", 0.0, None, False, "px")}

    def gather(self, items):
        scenes, places = items
        n = len(scenes)
        return Items(
            ids=np.arange(n),
            names=tuple(f"scene {i}" for i in range(n)),
            labels=np.zeros(n, np.int64),
            classes=("pixel",),
            read=lambda a, b: scenes[a:b],
            truth=lambda a, b: places[a:b] if self.known else None,
        )

    def predictor(self, model, batch_size, source):
        return model

    def act_output(self, orbit, element, outputs):
        return outputs + orbit.positions[element].astype(np.float32)

    def measure(self, orbit, outputs, truth):
        if truth is None:
            return {"error": np.full(outputs.shape[:2], np.nan, np.float32)}
        moved = np.stack([self.act_output(orbit, g, truth) for g in range(orbit.size)], axis=1)
        return {"error": np.linalg.norm(outputs - moved, axis=2).astype(np.float32)}

    def consensus(self, orbit, outputs):
        back = np.stack(
            [outputs[:, g] - orbit.positions[g] for g in range(orbit.size)], axis=1
        ).astype(np.float32)
        value = np.nanmean(back, axis=1)
        used = np.isfinite(back[:, :, 0]).sum(axis=1)
        return Consensus(value, used, self.measure(orbit, outputs, value))


def scenes(n=3, side=144, seed=0):
    """Dark scenes with one bright pixel near the middle, and where it lies in the middle crop."""
    rng = np.random.default_rng(seed)
    places = rng.integers(30, 98, (n, 2)).astype(np.float32)
    images = np.zeros((n, 1, side, side), np.uint8)
    for image, (x, y) in zip(images, places.astype(int) + (side - 128) // 2, strict=True):
        image[0, y, x] = 255
    return images, places


def finder(batch):
    """The brightest pixel: an oracle that moves with it."""
    flat = batch.reshape(len(batch), -1).argmax(axis=1)
    return np.stack([flat % 128, flat // 128], axis=1).astype(np.float32)


def test_an_oracle_is_flat_by_truth_and_by_its_own_consensus():
    """N8, and N7: a wrong sign of the crop or of the answer's move would show as an error."""
    result = evaluate(finder, Where("where", "Where", "none"), ORBIT, scenes())
    assert not result.metric.any()
    assert np.array_equal(result.consensus.value, scenes()[1])
    assert np.array_equal(consensus(result).metric, result.metric)
    assert result.consensus.used.tolist() == [16] * 3


def test_a_constant_bias_agrees_with_itself():
    """The limit of a consensus: what is wrong in the same way everywhere looks perfect."""
    result = evaluate(lambda b: finder(b) + 5, Where("where", "Where", "none"), ORBIT, scenes())
    np.testing.assert_allclose(result.metric, np.hypot(5, 5), rtol=1e-6)
    np.testing.assert_allclose(consensus(result).metric, 0, atol=1e-5)
    assert np.isnan(correlation(result)).all()  # flat plots have no correlation


def test_random_errors_shrink_like_one_over_the_root_of_the_orbit():
    rng = np.random.default_rng(1)
    noisy = lambda b: finder(b) + rng.normal(size=(len(b), 2)).astype(np.float32) * 4  # noqa: E731
    items = scenes(60)
    result = evaluate(noisy, Where("where", "Where", "none"), ORBIT, items)
    off = result.consensus.value - items[1]
    assert off.std() == pytest.approx(4 / np.sqrt(ORBIT.size), rel=0.25)
    assert np.nanmedian(correlation(result)) > 0.8


def test_without_a_truth_there_is_the_consensus_alone():
    task = Where("where", "Where", "none", known=False)
    result = evaluate(finder, task, ORBIT, scenes())
    assert np.isnan(result.metric).all()
    assert not consensus(result).metric.any()


def test_answers_that_are_missing_are_left_out():
    calls = iter(range(10_000))

    def sometimes(batch):
        answer = finder(batch)
        answer[[next(calls) % 4 == 0 for _ in batch]] = np.nan
        return answer

    result = evaluate(sometimes, Where("where", "Where", "none"), ORBIT, scenes(2))
    assert result.consensus.used.tolist() == [12, 12]
    assert np.array_equal(result.consensus.value, scenes(2)[1])
    assert np.isnan(consensus(result).metric).sum() == 8


def test_a_result_with_consensus_survives_the_store():
    result = evaluate(finder, Where("where", "Where", "none"), ORBIT, scenes())
    back = OrbitResult.from_arrays(result.arrays())
    assert back.kind == "equivariant"
    assert np.array_equal(back.consensus.value, result.consensus.value)
    assert np.array_equal(consensus(back).metric, consensus(result).metric)
    assert back.elements == ORBIT.labels


def test_invariant_tasks_have_none_and_offer_agreement():
    images, labels = noise_images()
    result = evaluate(grey_model, "digits", orbits.rotations(4), (images, labels))
    with pytest.raises(BadRequest, match="does not move with the input") as caught:
        consensus(result)
    assert "agreement" in caught.value.hint
    assert result.aggregate("agreement").tolist() == [1.0] * 4  # the mean grey does not turn
    with pytest.raises(BadRequest, match="does not move"):
        correlation(result)


def test_an_orbit_of_another_domain_is_refused():
    with pytest.raises(BadRequest, match="transforms of scene, not of image"):
        evaluate(finder, Where("where", "Where", "none"), orbits.rotations(4), scenes())
    with pytest.raises(BadRequest, match="no there-and-back control"):
        evaluate(finder, Where("where", "Where", "none"), ORBIT, scenes(), control=True)
