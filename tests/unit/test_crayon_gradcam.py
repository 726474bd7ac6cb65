"""Maps, patches and pruning against closed forms, captum and one forward pass at a time."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from captum.attr import LayerGradCam

from backend.crayon import saliency
from backend.crayon.gradcam import closed_form, gradcam, whole_set
from backend.crayon.losses import loss_irrel, loss_rel, normalise_max
from backend.crayon.patches import concept_patches
from backend.crayon.pruning import (
    accuracy_without_each,
    apply_mask,
    logits_without_each,
    random_mask,
)
from backend.errors import BadRequest
from models.guided_nets import BirdNet, GarmentNet
from tests.crayon_nets import examples, tiny

X = examples(12).x


def test_whole_set_equals_captum():
    net, y = tiny(), np.arange(12) % 2
    maps, probabilities = whole_set(net, lambda a, b: X[a:b], y, 12, batch=5)
    method = LayerGradCam(net, net.stage)
    for i in range(12):
        x = X[i : i + 1].clone().requires_grad_()
        raw = method.attribute(x, target=int(y[i]), relu_attributions=True)[0, 0].detach()
        expected = raw / raw.max() if raw.max() > 0 else raw
        assert np.abs(maps[i] - expected.numpy()).max() < 1e-5
    assert maps.min() >= 0
    assert set(maps.max(axis=(1, 2)).round(6).tolist()) <= {0.0, 1.0}
    assert np.allclose(probabilities.sum(1), 1, atol=1e-6)


def test_a_one_convolution_net_by_hand():
    net = tiny()
    with torch.no_grad():
        net.output.weight[:] = torch.tensor([[1.0, -2, 0, 0, 0, 0], [0, 3, 0, 0, 0, 0]])
    a = torch.rand(1, 6, 2, 2)
    expected = ((a[:, 0] - 2 * a[:, 1]) / 4).clamp_min(0)
    assert torch.allclose(closed_form(net, a, torch.tensor([0])), expected)
    assert torch.allclose(closed_form(net, a, torch.tensor([1])), 3 * a[:, 1] / 4)


def test_the_differentiable_map_equals_double_backward():
    net = tiny().double().requires_grad_(True)
    x, y = X.double(), torch.arange(12) % 2
    m0 = torch.rand(12, 6, 6, dtype=torch.float64)
    found = []
    for is_closed in (True, False):
        net.zero_grad()
        features = net.features(x)
        if is_closed:
            raw = closed_form(net, features, y)
        else:
            raw = gradcam(net.logits(features), features, y, create_graph=True)
        (loss_rel(normalise_max(raw), m0) + loss_irrel(normalise_max(raw), m0)).sum().backward()
        found.append([p.grad.clone() for p in net.parameters() if p.grad is not None])
    assert any(g.abs().max() > 1e-6 for g in found[0])
    for a, b in zip(*found, strict=False):
        assert torch.allclose(a, b, atol=1e-10)


def test_the_gradient_of_the_loss_matches_finite_differences():
    net = tiny().double()
    x, y = X[:3].double(), torch.tensor([0, 1, 0])
    m0 = torch.rand(3, 6, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    weight = net.stage[1][0].weight.requires_grad_(True)

    def loss():
        return loss_rel(normalise_max(closed_form(net, net.features(x), y)), m0).sum()

    (gradient,) = torch.autograd.grad(loss(), weight)
    assert gradient.abs().max() > 1e-4
    for place in [(0, 0, 0, 0), (2, 1, 0, 0), (5, 5, 0, 0)]:
        values = []
        for sign in (1, -1):
            with torch.no_grad():
                weight[place] += sign * 1e-6
                values.append(loss().item())
                weight[place] -= sign * 1e-6
        assert (values[0] - values[1]) / 2e-6 == pytest.approx(gradient[place].item(), abs=1e-5)


def test_an_all_zero_map_stays_zero_and_finite():
    net = tiny()
    with torch.no_grad():
        net.output.weight.fill_(-1)
    maps, _ = whole_set(net, lambda a, b: X[a:b], None, 12)
    assert (maps == 0).all()


def test_patches_find_a_planted_square_and_ignore_the_batch_size():
    rng = np.random.default_rng(0)
    a = rng.random((9, 4, 3, 3), dtype=np.float32)
    a[7, 2, 1, 2], a[3, 2, 0, 0] = 5.0, 4.0
    a[:, 3] = 0.5  # all alike: the first images, the first cell
    whole, parts = concept_patches([a]), concept_patches(np.split(a, [2, 3, 7]))
    assert whole.rows[2, :2].tolist() == [7, 3]
    assert whole.cells[2, :2].tolist() == [5, 0]
    assert whole.rows[3].tolist() == [0, 1, 2]
    assert whole.cells[3].tolist() == [0, 0, 0]
    for name in ("rows", "cells", "activations"):
        assert np.array_equal(getattr(whole, name), getattr(parts, name))


def test_duplicates_are_asked_once():
    a = np.zeros((4, 2, 2, 2), np.float32)
    a[:, :, 1, 0] = np.arange(4)[:, None]
    distinct, owners = concept_patches([a]).unique()
    assert distinct.tolist() == [[1, 1, 0], [2, 1, 0], [3, 1, 0]]
    assert owners.tolist() == [[2, 1, 0], [2, 1, 0]]
    few = concept_patches([a[:1]])
    assert few.rows.tolist() == [[0, -1, -1]] * 2
    assert few.unique()[1].tolist() == [[0, -1, -1]] * 2
    with pytest.raises(BadRequest, match="no image"):
        concept_patches([])


def test_a_pruned_neuron_has_no_say_and_a_kept_one_has():
    net = tiny()
    apply_mask(net, np.array([True, False, True, True, True, True]))
    a = torch.rand(1, 6, 4, 4)
    changed, kept = a.clone(), a.clone()
    changed[:, 1] += 9
    kept[:, 0] += 9
    for mode in (True, False):
        net.train(mode)
        assert torch.equal(net.logits(a), net.logits(changed))
        assert not torch.equal(net.logits(a), net.logits(kept))
    assert torch.equal(
        closed_form(net, a, torch.tensor([0])), closed_form(net, changed, torch.tensor([0]))
    )
    with pytest.raises(BadRequest, match="6 neurons"):
        apply_mask(net, np.ones(5, bool))
    with pytest.raises(BadRequest, match="nothing would be left"):
        apply_mask(net, np.zeros(6, bool))


def test_what_each_neuron_does_equals_one_forward_each():
    net = tiny()
    y = np.arange(12) % 2
    pooled = net.features(X).mean(dim=(2, 3)).numpy()
    weight, bias = net.output.weight.numpy(), net.output.bias.numpy()
    found = logits_without_each(pooled, weight, bias)
    accuracy = accuracy_without_each(pooled, weight, bias, y)
    for k in range(6):
        apply_mask(net, np.arange(6) != k)
        logits = net(X).numpy()
        assert np.abs(found[:, k] - logits).max() < 1e-6
        assert accuracy[k] == (logits.argmax(1) == y).mean()


def test_a_random_mask_prunes_as_many():
    keep = np.array([True] * 4 + [False] * 2)
    assert random_mask(keep, 1).sum() == 4
    assert np.array_equal(random_mask(keep, 1), random_mask(keep, 1))


def test_the_bundled_networks_have_the_promised_shapes():
    bird = BirdNet().eval()
    with torch.inference_mode():
        inner = bird.trunk(torch.rand(1, 3, 128, 128))
        assert inner.shape == (1, 112, 8, 8)
        assert bird.features(inner).shape == (1, 512, 8, 8)
        assert GarmentNet().features(torch.rand(2, 3, 28, 28)).shape == (2, 64, 7, 7)
    assert not bird.train().trunk.training


@pytest.mark.parametrize("method", saliency.METHODS)
def test_other_saliency_methods_have_the_same_form(method):
    net, y = tiny(), torch.arange(12) % 2
    maps = saliency.maps(net, X, y, method)
    assert maps.shape == (12, 6, 6)
    assert maps.min() >= 0
    assert maps.max() <= 1
    with pytest.raises(BadRequest, match="no saliency"):
        saliency.maps(net, X, y, "guess")


def test_integrated_gradients_of_a_linear_net_by_hand():
    """logit = mean of relu(x) for non-negative x, so each cell's share is its own value."""
    net = tiny(neurons=1)
    net.stage = torch.nn.ReLU()
    with torch.no_grad():
        net.output.weight.fill_(1.0)
    x = torch.zeros(1, 1, 6, 6)
    x[0, 0, 1, 2], x[0, 0, 4, 4] = 2.0, 1.0
    maps = saliency.maps(net, x, torch.tensor([0]), "integrated-gradients")
    assert maps[0, 1, 2] == 1
    assert maps[0, 4, 4].item() == pytest.approx(0.5)
    assert maps[0].sum().item() == pytest.approx(1.5)
