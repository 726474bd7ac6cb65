"""Clouds along the discs: identities of the layout for any model (N9), sharing, bad input."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from backend import catalog, datasets
from backend.errors import BadRequest
from backend.nero import evaluate, orbits, tasks
from backend.nero.tasks.points import Points, different
from backend.point_backend import PointBackend
from models.cards import InputSpec, ModelCard
from models.point_transformer import PointTransformer

ORBIT = orbits.axis_angle_disc(4, 5)
TASK = Points("points", "Points", "furniture")
NAMES = tuple("abcde")


def clouds(n=2, points=300, seed=0):
    """(n, p, 3) float32 in the unit ball."""
    drawn = np.random.default_rng(seed).normal(size=(n, points, 3)) * [1, 0.6, 0.3]
    return (drawn / np.linalg.norm(drawn, axis=2).max()).astype(np.float32)


def card(classes=NAMES):
    return ModelCard(
        key="points-test",
        title="Untrained",
        task="points",
        summary="Untrained.",
        architecture="PointTransformer",
        input=InputSpec(3, 300, 1),
        classes=classes,
        layers=("down1",),
        licence="none",
        data="none",
        command="none",
        metrics={},
        weights_file="none.safetensors",
        weights_sha256="0" * 64,
        limits="Knows nothing.",
    )


@pytest.fixture(scope="module")
def backend():
    torch.manual_seed(0)
    return PointBackend(PointTransformer(len(NAMES)).eval(), card())


@pytest.fixture(scope="module")
def unshared(backend):
    """Every cell of the discs, asked by itself: outputs (2, 60, 5) of the untrained network."""
    own = (clouds(), np.array([3, 1]))
    return evaluate(lambda batch: backend.predict(batch), TASK, ORBIT, own).outputs


def cell(plane, axis, angle, orbit=ORBIT):
    return (plane * orbit.n_axes + axis) * orbit.n_angles + angle


def random_features(batch):
    """An arbitrary model that no rotation leaves alone: random features of the coordinates."""
    rng = np.random.default_rng(0)
    mixed = np.tanh(batch.astype(np.float64) @ rng.normal(size=(3, 32))).mean(1)
    raised = np.exp(mixed @ rng.normal(size=(32, 5)) * 8)
    return raised / raised.sum(1, keepdims=True)


def same_cells(orbit):
    """Pairs of cells that the layout's identities 1, 3 and 4 say are one rotation."""
    axes, last = orbit.n_axes, orbit.n_angles - 1
    half, quarter = axes // 2, axes // 4
    pairs = [(0, cell(p, a, 0, orbit)) for p in range(3) for a in range(axes)]
    pairs += [
        (cell(p, a, last, orbit), cell(p, (a + half) % axes, last, orbit))
        for p in range(3)
        for a in range(axes)
    ]
    for t in range(orbit.n_angles):
        pairs.append((cell(0, 0, t, orbit), cell(1, 0, t, orbit)))  # +x of xy and xz
        pairs.append((cell(0, quarter, t, orbit), cell(2, 0, t, orbit)))  # +y of xy and yz
        pairs.append((cell(1, quarter, t, orbit), cell(2, quarter, t, orbit)))  # +z of xz and yz
    return np.array(pairs)


@pytest.mark.parametrize("sampling", [(4, 5), (24, 13)])
def test_matrices_obey_the_identities_of_the_layout(sampling):
    orbit = orbits.axis_angle_disc(*sampling)
    matrices = orbit.matrices
    one, other = same_cells(orbit).T
    np.testing.assert_allclose(matrices[one], matrices[other], atol=1e-12)
    axes = orbit.n_axes
    for plane in range(3):
        for axis in range(axes):
            for angle in range(orbit.n_angles):
                here = cell(plane, axis, angle, orbit)
                opposite = cell(plane, (axis + axes // 2) % axes, angle, orbit)
                assert orbit.inverse(here) == opposite
                product = matrices[here] @ matrices[opposite]
                np.testing.assert_allclose(product, np.eye(3), atol=1e-12)


def test_distinct_rotations_of_the_default_sampling():
    """1 centre, 66 axes at 11 angles, and at 180° half as many: 760 of 936 cells."""
    distinct, cells = different(orbits.axis_angle_disc().matrices)
    assert len(distinct) == 1 + 66 * 11 + 33 == 760
    np.testing.assert_allclose(distinct[cells], orbits.axis_angle_disc().matrices, atol=1e-8)


def test_equal_cells_have_equal_values_for_a_model_that_is_asked_at_every_cell(unshared):
    one, other = same_cells(ORBIT).T
    assert np.abs(unshared[:, one] - unshared[:, other]).max() < 1e-5
    assert np.ptp(unshared, axis=1).max() > 1e-3  # the model does depend on the rotation


def test_the_same_for_an_arbitrary_function():
    own = (clouds(), None)
    outputs = evaluate(random_features, TASK, ORBIT, own).outputs
    one, other = same_cells(ORBIT).T
    assert np.abs(outputs[:, one] - outputs[:, other]).max() < 1e-5
    assert np.ptp(outputs, axis=1).max() > 0.1


def test_sharing_structure_and_equal_cells_changes_nothing(backend, unshared):
    before = backend.calls.images
    shared = evaluate(backend, TASK, ORBIT, (clouds(), np.array([3, 1])))
    assert np.abs(shared.outputs - unshared).max() < 1e-5
    one, other = same_cells(ORBIT).T
    assert np.array_equal(shared.outputs[:, one], shared.outputs[:, other])
    # The centre, six axes at three angles, and three half turns.
    assert backend.calls.images - before == 2 * (1 + 6 * 3 + 3)


def test_batch_and_loop_agree(backend):
    batch = clouds(5, seed=2)
    together = backend.predict(batch)
    assert together.shape == (5, 5)
    assert together.dtype == np.float32
    np.testing.assert_allclose(together.sum(1), 1, atol=1e-6)
    alone = np.concatenate([backend.predict(batch[i : i + 1]) for i in range(5)])
    assert np.abs(together - alone).max() < 1e-6
    matrices = ORBIT.matrices[:7]
    turned = backend.turned(batch, matrices)
    assert turned.shape == (5, 7, 5)
    acted = ORBIT.act(batch, np.arange(7))
    loop = np.stack([backend.predict(each) for each in acted])
    assert np.abs(turned - loop).max() < 1e-5
    assert backend.predict(batch[:0]).shape == (0, 5)


def test_the_batch_size_does_not_matter(backend):
    own = (clouds(2, seed=3), np.array([0, 1]))
    whole = evaluate(random_features, TASK, ORBIT, own).outputs
    for size in (1, 7, 1000):
        assert np.array_equal(
            evaluate(random_features, TASK, ORBIT, own, batch_size=size).outputs, whole
        )


def test_displayed_points_are_turned_and_keep_their_distances():
    batch = clouds(2, seed=4)
    acted = ORBIT.act(batch, np.arange(ORBIT.size))
    assert acted.shape == (2, ORBIT.size, 300, 3)
    for e in (0, 3, 26, 59):
        expected = batch[1].astype(np.float64) @ ORBIT.matrices[e].T
        assert np.abs(acted[1, e] - expected).max() < 1e-5
        gaps = np.linalg.norm(acted[1, e, :50, None] - acted[1, e, :50], axis=2)
        upright = np.linalg.norm(batch[1, :50, None] - batch[1, :50], axis=2)
        assert np.abs(gaps - upright).max() < 1e-5
    # Right-handed about z by a quarter turn: x goes to y.
    quarter = cell(1, 1, 2)
    assert ORBIT.positions[quarter].tolist() == [1, 90, 90]
    np.testing.assert_allclose(ORBIT.matrices[quarter] @ [1, 0, 0], [0, 1, 0], atol=1e-12)


def test_metrics_are_those_of_a_classifier(backend):
    own = (clouds(), np.array([3, -1]))
    result = evaluate(backend, TASK, ORBIT, own)
    assert np.array_equal(result.metrics["confidence"][0], result.outputs[0, :, 3])
    assert np.isnan(result.metrics["confidence"][1]).all()  # nobody knows: missing, not 0
    assert np.isnan(result.metrics["accuracy"][1]).all()
    assert result.metrics["agreement"][:, 0].tolist() == [1, 1]
    assert result.consensus is None
    assert result.payload["outputs"].shape == (2, 60, 5)
    assert list(TASK.metrics) == ["confidence", "accuracy", "agreement"]
    assert (TASK.kind, TASK.domain, TASK.views.input) == ("invariant", "points", "cloud")


def test_a_model_that_ignores_rotation_is_flat():
    def radial(batch):
        radius = np.linalg.norm(batch, axis=2).mean(1)
        return np.stack([radius, 1 - radius], axis=1)

    result = evaluate(radial, TASK, ORBIT, (clouds(), np.array([0, 1])))
    assert np.ptp(result.metric, axis=1).max() < 1e-6


def no_answer(batch):
    return np.full((len(batch), 5), np.nan)


def test_answers_that_are_not_finite_are_missing():
    result = evaluate(no_answer, TASK, ORBIT, (clouds(), np.array([0, 1])))
    assert np.isnan(result.metric).all()
    assert (result.payload["predicted"] == -1).all()


def nan_cloud():
    points = clouds()
    points[0, 3, 1] = np.nan
    return points


@pytest.mark.parametrize(
    ("items", "says"),
    [
        ((nan_cloud(), np.array([0, 1])), "Point 3 of cloud 0 is not finite"),
        ((clouds(points=255), np.array([0, 1])), "255 points is too small"),
        ((clouds()[:0], np.zeros(0, int)), "no cloud"),
        ((clouds()[..., :2], np.array([0, 1])), r"\(2, 300, 2\)"),
        ((clouds()[0], np.array([0, 1])), r"\(300, 3\)"),
        ((clouds() > 0, np.array([0, 1])), "bool"),
        ((clouds(), np.array([0])), r"Labels have the shape \(1,\)"),
        ((clouds(), np.array([0.0, 1.0])), "float64"),
        ((clouds(), np.array([0, 5])), "Label 5"),
        ((clouds(), np.array([0, -2])), "Label -2"),
    ],
)
def test_unusable_clouds_are_refused(backend, items, says):
    with pytest.raises(BadRequest, match=says):
        evaluate(backend, TASK, ORBIT, items)


@pytest.mark.parametrize(
    ("model", "says"),
    [
        (lambda batch: np.ones(len(batch)), r"shape \(60,\)"),
        (lambda batch: np.ones((1, 5)) / 5, r"shape \(1, 5\)"),
        (lambda batch: np.ones((len(batch), 5)), "sums to 5"),
        (lambda batch: np.full((len(batch), 2), 0.5), "Label 3"),
        (3, "not a model"),
    ],
)
def test_models_that_answer_wrongly_are_refused(model, says):
    with pytest.raises(BadRequest, match=says):
        evaluate(model, TASK, ORBIT, (clouds(1), np.array([3])))


def test_a_backend_checks_what_it_is_given(backend):
    with pytest.raises(BadRequest, match="float64"):
        backend.predict(clouds().astype(np.float64))
    with pytest.raises(BadRequest, match="not finite"):
        backend.turned(nan_cloud(), ORBIT.matrices)
    with pytest.raises(BadRequest, match=r"\(3, 3\)"):
        backend.turned(clouds(), np.eye(3))


def test_orbits_of_pictures_are_refused(backend):
    with pytest.raises(BadRequest, match="transforms of points"):
        evaluate(backend, TASK, orbits.rotations(4), (clouds(), np.array([0, 1])))


def test_models_of_other_classes_are_refused():
    torch.manual_seed(0)
    other = PointBackend(PointTransformer(3).eval(), card(("x", "y", "z")))
    with pytest.raises(BadRequest, match="not those of the items"):
        evaluate(other, TASK, ORBIT, [0, 1])


def test_the_task_is_registered_with_its_set_and_models():
    task = tasks.find("points")
    assert task.item_set == "furniture"
    assert task.compare == ("points-plain", "points-rotated")
    assert len(task.gather("all")) == 100
    assert task.gather([5, 2]).ids.tolist() == [5, 2]


@pytest.mark.parametrize("key", ["points-plain", "points-rotated"])
def test_upright_accuracy_is_what_the_card_says(key):
    held, model = datasets.load("furniture"), catalog.load_model(key, "cpu")
    rows = np.arange(len(held))
    right = model.predict(held.inputs(rows)).argmax(1) == held.labels
    # One item of slack: machines round differently, and a near tie may fall the other way.
    assert abs(right.mean() - model.card.metrics["upright_accuracy"]) <= 1.01 / len(held)


def test_both_variants_had_the_same_budget():
    cards = [catalog.card(key).metrics for key in ("points-plain", "points-rotated")]
    for name in ("steps", "batch_size", "seed", "parameters"):
        assert cards[0][name] == cards[1][name]


def test_augmentation_makes_the_discs_brighter_and_flatter():
    """The shipped weights on a fifth of the clouds and coarse discs; three seeds in the cards."""
    orbit, rows = orbits.axis_angle_disc(4, 4), np.arange(0, 100, 5)
    plain, rotated = (
        evaluate(key, "points", orbit, rows).aggregate("confidence")
        for key in ("points-plain", "points-rotated")
    )
    assert rotated.mean() > plain.mean()
    assert rotated.std() < plain.std()
