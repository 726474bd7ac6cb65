"""The two attention losses and the total loss, against numbers worked out by hand."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from backend.crayon.losses import Weights, crayon_loss, loss_irrel, loss_rel, normalise_max
from backend.errors import BadRequest

M = torch.tensor([[[1.0, 0.5], [0.0, 0.25]]])
M0 = torch.tensor([[[0.5, 1.0], [0.0, 0.0]]])


def test_hand_computed_values_of_all_norms():
    # outside: 1*.5 + .5*0 + 0*1 + .25*1 = .75; weights .5 + 0 + 1 + 1 = 2.5; energy 1.75
    assert loss_rel(M, M0, "none").tolist() == [0.75]
    assert loss_rel(M, M0).tolist() == pytest.approx([0.3])
    assert loss_rel(M, M0, "energy").tolist() == pytest.approx([0.75 / 1.75])
    # inside: 1*.5 + .5*1 = 1; weights 1.5
    assert loss_irrel(M, M0, "none").tolist() == [1.0]
    assert loss_irrel(M, M0).tolist() == pytest.approx([1 / 1.5])
    assert loss_irrel(M, M0, "energy").tolist() == pytest.approx([1 / 1.75])


def test_binary_maps():
    binary = torch.tensor([[[1.0, 0.0], [1.0, 0.0]]])
    assert loss_rel(binary, binary).item() == 0
    assert loss_irrel(binary, binary).item() == 1
    assert loss_rel(1 - binary, binary).item() == 1
    assert loss_irrel(1 - binary, binary).item() == 0


@pytest.mark.parametrize("norm", ["reference", "none", "energy"])
@pytest.mark.parametrize("value", [0.0, 1.0])
def test_all_zero_and_all_one_maps_stay_finite(norm, value):
    m = torch.zeros(2, 3, 3, requires_grad=True)
    for loss in (loss_rel, loss_irrel):
        found = loss(m, torch.full((2, 3, 3), value), norm)
        assert torch.isfinite(found).all()
        (gradient,) = torch.autograd.grad(found.sum(), m)
        assert torch.isfinite(gradient).all()
    assert torch.isfinite(normalise_max(m)).all()


@given(scale=st.floats(1e-3, 1e3), seed=st.integers(0, 1000))
def test_scaling_a_raw_map_changes_nothing(scale, seed):
    raw = torch.rand(2, 4, 4, generator=torch.Generator().manual_seed(seed)).double() + 0.01
    m0 = normalise_max(raw.flip(0))
    a, b = loss_rel(normalise_max(raw), m0), loss_rel(normalise_max(raw * scale), m0)
    assert torch.allclose(a, b, atol=1e-6)


def test_a_wrong_shape_and_an_unknown_norm_are_sentences():
    with pytest.raises(BadRequest, match="cannot be compared"):
        loss_rel(M, M0[:, :1])
    with pytest.raises(BadRequest, match="no norm 'mean'"):
        loss_rel(M, M0, "mean")


def pieces(verdict):
    draw = torch.Generator().manual_seed(0)
    logits, y = torch.randn(4, 2, generator=draw), torch.tensor([0, 1, 1, 0])
    m = torch.rand(4, 3, 3, generator=draw)
    return logits, y, m, m.flip(0), torch.tensor(verdict)


def test_unused_items_count_in_the_cross_entropy_only():
    terms = crayon_loss(*pieces([0, 0, 0, 0]), Weights(5.0, 5.0, 3, 4))
    logits, y, *_ = pieces([0] * 4)
    expected = torch.nn.functional.cross_entropy(logits, y, reduction="sum")
    assert terms.total == expected
    assert terms.relevant == terms.irrelevant == 0


def test_weights_use_the_counts_of_the_whole_set():
    few = crayon_loss(*pieces([1, -1, 0, 1]), Weights(6.0, 4.0, 10, 5))
    many = crayon_loss(*pieces([1, -1, 0, 1]), Weights(6.0, 4.0, 20, 5))
    assert few.relevant.item() == pytest.approx(2 * many.relevant.item())
    _, _, m, m0, _ = pieces([0] * 4)
    by_hand = 6 / 10 * loss_rel(m[[0, 3]], m0[[0, 3]]).sum()
    assert few.relevant.item() == pytest.approx(by_hand.item())
    assert few.irrelevant.item() == pytest.approx((4 / 5 * loss_irrel(m[[1]], m0[[1]])).item())


def test_no_weights_are_the_cross_entropy_bit_for_bit():
    terms = crayon_loss(*pieces([1, -1, 0, 1]), Weights(0.0, 0.0, 2, 1))
    assert terms.total == terms.prediction
    assert Weights(3.0, 2.0, 0, 0).per_relevant == Weights(3.0, 2.0, 0, 0).per_irrelevant == 0
