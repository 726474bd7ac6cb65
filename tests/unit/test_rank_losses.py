"""CLIP's loss and the Plackett-Luce terms against enumeration and finite differences."""

from __future__ import annotations

import math
from itertools import permutations

import pytest
import torch
from torch.nn import functional

from models import losses

SCORES = torch.tensor([0.3, -1.2, 2.0, 0.9], dtype=torch.float64)
ALL = [torch.tensor(p) for p in permutations(range(4))]


def drawn(n=6, d=5, seed=0):
    draw = torch.Generator().manual_seed(seed)
    v, t = torch.randn(2, n, d, generator=draw, dtype=torch.float64)
    return v.requires_grad_(), t.requires_grad_()


def by_hand(scores, order):
    """-log of the product over places, as printed."""
    chance, left = 1.0, list(range(len(scores)))
    for k in order.tolist():
        chance *= math.exp(scores[k]) / sum(math.exp(scores[i]) for i in left)
        left.remove(k)
    return -math.log(chance)


def test_the_chances_of_all_orders_sum_to_one():
    chances = [(-losses.plackett_luce_nll(SCORES, order)).exp() for order in ALL]
    assert sum(chances).item() == pytest.approx(1.0, abs=1e-12)


def test_each_order_equals_the_product_over_places():
    for order in ALL:
        found = losses.plackett_luce_nll(SCORES, order).item()
        assert found == pytest.approx(by_hand(SCORES.tolist(), order), abs=1e-9)


def test_single_precision_holds_at_large_scores_and_long_lists():
    scores = torch.linspace(80, -80, 512)
    found = losses.plackett_luce_nll(scores, torch.arange(512))
    exact = losses.plackett_luce_nll(scores.double(), torch.arange(512))
    assert found.item() == pytest.approx(exact.item(), rel=1e-4)


@pytest.mark.parametrize("decay", losses.DECAYS)
def test_gradients_equal_finite_differences(decay):
    scores = SCORES.clone().requires_grad_()
    order = torch.tensor([3, 0, 2, 1])
    assert torch.autograd.gradcheck(
        lambda s: losses.plackett_luce_nll(s, order, decay), (scores,), atol=1e-7
    )


@pytest.mark.parametrize("symmetric", [False, True])
def test_gradients_of_the_whole_loss_equal_finite_differences(symmetric):
    v, t = drawn(4, 3)

    def total(a, b):
        return losses.rankclip_loss(a, b, symmetric=symmetric, scale=3.0).total

    assert torch.autograd.gradcheck(total, (v, t), eps=1e-6, atol=1e-5)


def test_a_constant_and_a_permutation_change_nothing():
    draw = torch.Generator().manual_seed(1)
    ego, reference = torch.randn(2, 3, 5, generator=draw, dtype=torch.float64)
    loss = losses.ranking_loss(ego, reference)
    assert losses.ranking_loss(ego + 7.5, reference).item() == pytest.approx(loss.item())
    mixed = torch.randperm(5, generator=draw)
    assert losses.ranking_loss(ego[:, mixed], reference[:, mixed]).item() == pytest.approx(
        loss.item()
    )


def test_the_right_order_is_the_best_of_all():
    scores = torch.tensor([9.0, 6.0, 3.0, 0.0])
    losses_of = [losses.plackett_luce_nll(scores, order).item() for order in ALL]
    assert ALL[losses_of.index(min(losses_of))].tolist() == [0, 1, 2, 3]


def test_printed_decay_is_a_constant_and_the_weight_is_not():
    gradients = {}
    values = {}
    for decay in losses.DECAYS:
        scores = SCORES.clone().requires_grad_()
        loss = losses.plackett_luce_nll(scores, torch.tensor([1, 0, 3, 2]), decay)
        (gradients[decay],) = torch.autograd.grad(loss, scores)
        values[decay] = loss.item()
    assert torch.equal(gradients["literal"], gradients["none"])
    assert not torch.allclose(gradients["weight"], gradients["none"])
    constant = -sum(math.log(1 / math.log(k + 1)) for k in range(1, 5))
    assert values["literal"] - values["none"] == pytest.approx(constant)
    assert losses.decay_weights(2, SCORES).tolist() == pytest.approx(
        [1 / math.log(2), 1 / math.log(3)]
    )


def test_equal_scores_give_the_log_of_the_number_of_orders():
    found = losses.ranking_loss(torch.zeros(2, 6), torch.randn(2, 6), "none")
    assert found.item() == pytest.approx(math.log(math.factorial(6)), rel=1e-6)
    mean = losses.ranking_loss(torch.zeros(2, 6), torch.randn(2, 6), "none", "mean")
    assert mean.item() == pytest.approx(math.log(math.factorial(6)) / 6, rel=1e-6)


def test_clip_loss_is_the_mean_of_two_cross_entropies():
    v, t = drawn()
    a, b = functional.normalize(v), functional.normalize(t)
    logits = a @ b.T / 0.1
    by_loop = 0.0
    for j in range(6):
        by_loop -= (logits[j, j] - logits[j].logsumexp(0)).item() / 12
        by_loop -= (logits[j, j] - logits[:, j].logsumexp(0)).item() / 12
    assert losses.clip_loss(v, t, 0.1).item() == pytest.approx(by_loop)


def test_without_lambdas_it_is_clip_bit_for_bit():
    v, t = drawn()
    terms = losses.rankclip_loss(v, t, lambda_in=0, lambda_cross=0)
    assert torch.equal(terms.total, losses.clip_loss(v, t))
    assert losses.rank_consistency(v, t, lambda_in=0, lambda_cross=0) == 0
    found = torch.autograd.grad(terms.total, (v, t))
    wanted = torch.autograd.grad(losses.clip_loss(v, t), (v, t))
    assert all(torch.equal(a, b) for a, b in zip(found, wanted, strict=True))


def test_rank_consistency_is_the_weighted_sum_and_the_rest_of_the_total():
    v, t = drawn()
    within, across = losses.in_modal_loss(v, t), losses.cross_modal_loss(v, t)
    both = losses.rank_consistency(v, t, lambda_in=0.5, lambda_cross=0.25)
    assert both.item() == pytest.approx((0.5 * within + 0.25 * across).item())
    terms = losses.rankclip_loss(v, t)
    rest = losses.rank_consistency(v, t)
    assert (terms.total - terms.clip).item() == pytest.approx(rest.item())
    assert rest.item() == pytest.approx(((within + across) / 16).item())


def test_the_printed_in_modal_term_trains_texts_only():
    v, t = drawn()
    loss = losses.in_modal_loss(v, t)
    of_v, of_t = torch.autograd.grad(loss, (v, t), allow_unused=True)
    assert of_v is None or not of_v.any()
    assert of_t.any()
    both = torch.autograd.grad(losses.in_modal_loss(v, t, symmetric=True), (v, t))
    assert all(gradient.any() for gradient in both)


def test_a_symmetric_similarity_ranks_itself():
    v, _ = drawn()
    across = functional.normalize(v) @ functional.normalize(v).T
    found = losses.cross_modal_loss(v, v, decay="none")
    best = losses.ranking_loss(across, across, "none")
    assert found.item() == pytest.approx(best.item())


def test_small_images_rank_as_by_hand():
    v, t = drawn(4, 3)
    a, b = functional.normalize(v), functional.normalize(t)
    across = (a @ b.T).detach()
    expected = 0.0
    for i in range(4):
        order = torch.tensor(sorted(range(4), key=lambda j, i=i: -across[j, i].item()))
        expected += by_hand(across[i].tolist(), order) / 4
    assert losses.cross_modal_loss(v, t, decay="none").item() == pytest.approx(expected)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: losses.plackett_luce_nll(SCORES, torch.tensor([0, 1, 1, 3])), "exactly once"),
        (lambda: losses.plackett_luce_nll(SCORES, torch.tensor([0, 1])), "belong together"),
        (lambda: losses.ranking_loss(torch.ones(2, 3), torch.ones(3, 2)), "rank"),
        (lambda: losses.ranking_loss(torch.ones(2, 3), torch.ones(2, 3), "log"), "no decay 'log'"),
        (lambda: losses.clip_loss(torch.ones(2, 3), torch.ones(3, 3)), "no pairs"),
        (lambda: losses.clip_loss(torch.ones(0, 3), torch.ones(0, 3)), "no pairs"),
    ],
)
def test_wrong_input_is_a_sentence(call, words):
    with pytest.raises(ValueError, match=words):
        call()


def test_ranking_terms_raise_the_agreement_of_the_orders():
    """R10 in small: what it measures is printed by the report, whatever it is."""
    from scipy.stats import kendalltau

    def agreement(with_ranks):
        draw = torch.Generator().manual_seed(3)
        hidden = torch.randn(48, 4, generator=draw)
        x, y = (
            hidden @ torch.randn(4, 16, generator=draw),
            hidden @ torch.randn(4, 16, generator=draw),
        )
        torch.manual_seed(0)
        nets = [torch.nn.Linear(16, 8), torch.nn.Linear(16, 8)]
        step = torch.optim.Adam([p for net in nets for p in net.parameters()], lr=1e-2)
        weight = 1.0 if with_ranks else 0.0
        for _ in range(100):
            loss = losses.rankclip_loss(
                nets[0](x[:32]),
                nets[1](y[:32]),
                lambda_in=weight,
                lambda_cross=weight,
                places="mean",
                symmetric=True,
                scale=10.0,
            ).total
            step.zero_grad()
            loss.backward()
            step.step()
        a, b = (functional.normalize(net(z[32:])) for net, z in zip(nets, (x, y), strict=True))
        mine, other = (a @ a.T).detach().numpy(), (b @ b.T).detach().numpy()
        return sum(kendalltau(mine[i], other[i]).statistic for i in range(16)) / 16

    assert agreement(True) > agreement(False)
