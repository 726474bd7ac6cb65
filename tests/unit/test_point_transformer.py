"""The Point Transformer: order of points, rotations and structure, fused norms, gradients."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from backend.nero import orbits
from models import train_points
from models.point_transformer import (
    LEVELS,
    NEIGHBOURS,
    FeatureNorm,
    PointTransformer,
    fused,
    nearest,
    structure,
)


def cloud(n=600, seed=0):
    """(n, 3) float32 in the unit ball."""
    points = np.random.default_rng(seed).normal(size=(n, 3))
    return (points / np.linalg.norm(points, axis=1).max()).astype(np.float32)


@pytest.fixture(scope="module")
def network():
    """Untrained, with norms that do something."""
    torch.manual_seed(0)
    module = PointTransformer(10)
    for part in module.modules():
        if isinstance(part, FeatureNorm):
            torch.nn.init.normal_(part.weight)
            torch.nn.init.normal_(part.bias)
            part.running_mean.normal_()
            part.running_var.uniform_(0.5, 2)
    return module.eval().requires_grad_(False)


def test_its_size_and_answers(network):
    assert sum(p.numel() for p in network.parameters()) == 177_002
    scores = network(torch.from_numpy(np.stack([cloud(), cloud(seed=1)])))
    assert scores.shape == (2, 10)
    assert scores.isfinite().all()
    assert (scores[0] - scores[1]).abs().max() > 1e-3


def test_the_order_of_the_points_does_not_matter(network):
    points = cloud()
    points[100:140, 0] = points[60:100, 0]  # equal coordinates, and mirror images: equal distances
    points[200:300] = points[300:400] * [-1, 1, 1]
    first = network(torch.from_numpy(points)[None])
    for seed in range(3):
        order = np.random.default_rng(seed).permutation(len(points))
        again = network(torch.from_numpy(points[order])[None])
        assert (first - again).abs().max() <= 1e-5


def test_a_cloud_is_answered_alike_alone_and_in_a_batch(network):
    batch = np.stack([cloud(seed=i) for i in range(4)])
    together = network(torch.from_numpy(batch))
    for i in range(4):
        alone = network(torch.from_numpy(batch[i : i + 1]))
        assert (together[i] - alone[0]).abs().max() <= 1e-5


def test_kept_points_are_the_farthest_ones():
    points = cloud(400, seed=3)
    kept = structure(points).kept
    assert len(set(kept[:400].tolist())) == 400  # all of them, each once, before any is repeated
    assert kept[400:].tolist() == kept[:112].tolist()
    centre = points.astype(np.float64).mean(0)
    assert kept[0] == np.linalg.norm(points - centre, axis=1).argmax()
    for i in (1, 2, 17, 99):
        gaps = np.linalg.norm(points[:, None] - points[kept[:i]], axis=2).min(1)
        assert gaps[kept[i]] == pytest.approx(gaps.max(), rel=1e-6)


def test_neighbours_are_the_nearest_and_the_point_itself_comes_first():
    points = cloud(50, seed=5).astype(np.float64)
    found = nearest(np.ascontiguousarray(points.T), 20)
    assert found.shape == (20, NEIGHBOURS)
    assert found[:, 0].tolist() == list(range(20))
    distance = np.linalg.norm(points[:, None] - points, axis=2)
    expected = np.sort(distance[:20], axis=1)[:, :NEIGHBOURS]
    np.testing.assert_allclose(np.take_along_axis(distance[:20], found, 1), expected, atol=1e-12)
    twins = np.repeat(points[:8], 3, axis=0)  # of equal points each still comes first
    assert nearest(np.ascontiguousarray(twins.T), 24)[:, 0].tolist() == list(range(24))


def test_structure_does_not_change_when_the_cloud_turns():
    points = cloud(700, seed=7)
    upright = structure(points)
    assert [len(table) for table in upright.neighbours] == [LEVELS[1], LEVELS[1], LEVELS[2]]
    for matrix in orbits.axis_angle_disc(3, 4).matrices[[5, 17, 30]]:
        turned = structure((points @ matrix.T).astype(np.float32))
        assert np.array_equal(turned.kept, upright.kept)
        for one, other in zip(turned.neighbours, upright.neighbours, strict=True):
            assert np.array_equal(one, other)


def test_a_structure_may_be_shared_by_the_rotations_of_a_cloud(network):
    points = cloud(600, seed=9)
    matrices = orbits.axis_angle_disc(4, 3).matrices[:6].astype(np.float32)
    found = structure(points)
    turned = torch.from_numpy(points @ matrices.transpose(0, 2, 1))
    tables = [torch.from_numpy(table)[None] for table in found.neighbours]
    shared = network.along(turned[:, found.kept], tables)
    assert (shared - network(turned)).abs().max() <= 1e-4 * shared.abs().max()
    assert (shared[0] - shared[4]).abs().max() > 1e-3  # it does see how the cloud is turned


def test_fused_norms_answer_alike(network):
    before = {name: value.clone() for name, value in network.state_dict().items()}
    quick = fused(network)
    assert not any(isinstance(part, FeatureNorm) for part in quick.modules())
    points = torch.from_numpy(np.stack([cloud(seed=i) for i in range(3)]))
    expected = network(points)
    assert (quick(points) - expected).abs().max() <= 1e-4 * expected.abs().max()
    for name, value in network.state_dict().items():
        assert torch.equal(value, before[name])  # the one given is as it was


def test_every_parameter_is_used():
    torch.manual_seed(1)
    module = PointTransformer(3).train()
    scores = module(torch.from_numpy(np.stack([cloud(seed=i) for i in range(4)])))
    torch.nn.functional.cross_entropy(scores, torch.tensor([0, 1, 2, 0])).backward()
    for name, parameter in module.named_parameters():
        assert parameter.grad is not None, name
        # A shift of all attention weights of a feature changes nothing: softmax takes it out.
        if not name.endswith("weigh.2.bias"):
            assert parameter.grad.abs().max() > 0, name


def test_the_discs_that_training_measures_are_those_of_the_orbit():
    expected = orbits.axis_angle_disc(train_points.AXES, train_points.ANGLES).matrices
    np.testing.assert_allclose(train_points.disc(), expected, atol=1e-12)


def test_random_rotations_are_rotations_and_uniform():
    turns = train_points.rotations(4000, torch.Generator().manual_seed(0)).double()
    eye = torch.eye(3, dtype=torch.float64)
    assert (turns @ turns.transpose(1, 2) - eye).abs().max() < 1e-5
    assert (torch.linalg.det(turns) - 1).abs().max() < 1e-5
    assert turns.mean(0).abs().max() < 0.04  # standard error 1 / sqrt(3 * 4000) = 0.009
    # The trace's mean is 0 and its mean square 1 under the uniform measure of SO(3).
    trace = turns.diagonal(dim1=1, dim2=2).sum(1)
    assert abs(trace.mean()) < 0.06
    assert abs((trace**2).mean() - 1) < 0.1


def test_both_variants_see_the_same_clouds(monkeypatch):
    monkeypatch.setattr(train_points, "VIEWS", 1)
    monkeypatch.setattr(train_points, "VIEW_POINTS", 256)
    points = np.stack([cloud(seed=i) for i in range(6)])
    labels = torch.tensor([0, 0, 0, 0, 0, 1])
    plain = train_points.Batches(points, labels, False, seed=4)
    rotated = train_points.Batches(points, labels, True, seed=4)
    for _ in range(2):
        one, tables, names = plain.next()
        other, others, again = rotated.next()
        assert torch.equal(names, again)
        assert 8 <= int(names.sum()) <= 24  # of 32: the rare class comes as often as the other
        assert all(torch.equal(a, b) for a, b in zip(tables, others, strict=True))
        assert torch.allclose(one.norm(dim=2), other.norm(dim=2), atol=1e-5)
        assert (one - other).abs().max() > 0.1
