"""The mean of what was drawn without replacement: exact by enumeration, printed form refuted."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import permutations

import pytest
import torch
from torch import Tensor

from backend.errors import BadRequest
from backend.zoom.estimator import combine_without_replacement, order_weights
from models.zoom_sampling import complement, entropy, gumbel_order, scored
from models.zoom_sampling import order_weights as batched_weights

BETA = torch.tensor([0.5, 0.3, 0.2], dtype=torch.float64)
F = torch.tensor([[1.0], [2.0], [4.0]], dtype=torch.float64)
FIVE = torch.tensor([0.35, 0.3, 0.2, 0.1, 0.05], dtype=torch.float64)
FIVE_F = torch.tensor([[1.0, 5.0], [2.0, -1.0], [4.0, 0.0], [8.0, 3.0], [-3.0, 2.0]]).double()


def orders(beta: Tensor, count: int) -> Iterator[tuple[list[int], float]]:
    """Every ordered draw of ``count`` items without replacement, and its probability."""
    for order in permutations(range(len(beta)), count):
        chance, left = 1.0, 1.0
        for i in order:
            chance *= float(beta[i]) / left
            left -= float(beta[i])
        yield list(order), chance


def printed(features: Tensor, beta: Tensor) -> Tensor:
    """(2.9) of the source as it stands: the second term inside the sum, with its index j."""
    total = torch.zeros(features.shape[1], dtype=features.dtype)
    for i in range(len(beta)):
        for j in range(i):
            total += beta[j] * features[j] + (1 - beta[:i].sum()) * features[j]
    return total / len(beta)


@pytest.mark.parametrize(
    ("order", "chance", "estimate"),
    [
        ([0, 1], 0.3, 1.25),
        ([0, 2], 0.2, 1.75),
        ([1, 0], 0.214286, 1.65),
        ([1, 2], 0.085714, 2.7),
        ([2, 0], 0.125, 2.8),
        ([2, 1], 0.075, 3.2),
    ],
)
def test_worked_example(order: list[int], chance: float, estimate: float) -> None:
    assert dict((tuple(o), c) for o, c in orders(BETA, 2))[tuple(order)] == pytest.approx(
        chance, abs=1e-6
    )
    assert combine_without_replacement(F[order], BETA[order]).item() == pytest.approx(estimate)


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5])
def test_the_expectation_over_all_draws_is_the_exact_mean(count: int) -> None:
    expected = FIVE @ FIVE_F
    found = sum(
        chance * combine_without_replacement(FIVE_F[order], FIVE[order])
        for order, chance in orders(FIVE, count)
    )
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("count", [2, 3, 5])
def test_the_printed_formula_and_the_plain_mean_are_biased(count: int) -> None:
    expected = FIVE @ FIVE_F
    literal = sum(c * printed(FIVE_F[o], FIVE[o]) for o, c in orders(FIVE, count))
    plain = sum(c * FIVE_F[o].mean(0) for o, c in orders(FIVE, count))
    assert (literal - expected).abs().max() > 0.05
    assert (plain - expected).abs().max() > 0.05


def test_the_printed_formula_gives_nothing_for_one_draw() -> None:
    assert printed(FIVE_F[:1], FIVE[:1]).abs().sum() == 0
    torch.testing.assert_close(combine_without_replacement(FIVE_F[:1], FIVE[:1]), FIVE_F[0])


def test_all_items_drawn_with_nothing_left_weigh_what_they_should() -> None:
    weights = order_weights(BETA)
    assert weights.sum().item() == pytest.approx(1.0)
    assert order_weights(torch.full((3,), 1 / 3)).min() >= 0


def test_batched_weights_ignore_what_was_not_drawn() -> None:
    both = batched_weights(torch.stack((BETA, BETA)), torch.tensor([2, 3]))
    torch.testing.assert_close(both[0, :2], order_weights(BETA[:2]))
    assert both[0, 2] == 0
    torch.testing.assert_close(both[1], order_weights(BETA))


def test_two_stages_together_are_unbiased() -> None:
    """m_c draws of tile c weigh m_c / N: enumerated for 2 tiles, N = 2, 3 places each."""
    alpha = [0.7, 0.3]
    betas = [BETA, torch.tensor([0.2, 0.2, 0.6]).double()]
    features = [F, F.flip(0) + 1]
    found = torch.zeros(1, dtype=torch.float64)
    for first in (0, 1):
        for second in (0, 1):
            hits = [(first == c) + (second == c) for c in (0, 1)]
            for c in (0, 1):
                if hits[c]:
                    inner = sum(
                        chance * combine_without_replacement(features[c][o], betas[c][o])
                        for o, chance in orders(betas[c], hits[c])
                    )
                    found += alpha[first] * alpha[second] * hits[c] / 2 * inner
    expected = sum(alpha[c] * (betas[c] @ features[c]) for c in (0, 1))
    torch.testing.assert_close(found, expected)


def test_gumbel_order_has_the_law_of_drawing_one_after_another() -> None:
    draws = 40_000
    generator = torch.Generator().manual_seed(1)
    rows = gumbel_order(BETA.log().expand(draws, 3), 2, generator)
    for order, chance in orders(BETA, 2):
        share = (rows == torch.tensor(order)).all(1).double().mean().item()
        assert share == pytest.approx(chance, abs=4 * (chance / draws) ** 0.5)


def test_places_without_weight_are_never_drawn() -> None:
    log = torch.tensor([0.0, -torch.inf, 0.0]).expand(2000, 3)
    assert set(gumbel_order(log, 2, torch.Generator().manual_seed(0)).flatten().tolist()) == {0, 2}


@pytest.mark.parametrize("baseline", [None, torch.tensor([3.0], dtype=torch.float64)])
def test_the_gradient_of_the_map_is_that_of_the_exact_mean(baseline: Tensor | None) -> None:
    """Enumerated over all draws of two: d/dlogits of sum beta f, with and without a baseline."""
    logits = torch.tensor([0.3, -0.2, 0.5], dtype=torch.float64, requires_grad=True)
    (exact,) = torch.autograd.grad((logits.softmax(0) @ F).sum(), logits)
    beta = logits.softmax(0)
    mean = torch.zeros(1, dtype=torch.float64)
    for order, chance in orders(beta.detach(), 2):
        taught = scored(F[order], beta[order].log(), baseline)
        mean = mean + chance * (batched_weights(beta[order].detach()) @ taught)
    (found,) = torch.autograd.grad(mean.sum(), logits)
    torch.testing.assert_close(found, exact)
    torch.testing.assert_close(mean.detach(), (beta @ F).detach())


def test_the_complement_is_a_distribution_over_the_rest() -> None:
    torch.testing.assert_close(complement(BETA), torch.tensor([0.25, 0.35, 0.4]).double())
    assert complement(torch.tensor([1.0])).tolist() == [1.0]


def test_entropy_counts_zero_as_nothing() -> None:
    assert entropy(torch.tensor([1.0, 0.0])).item() == 0
    assert entropy(torch.tensor([0.5, 0.5])).item() == pytest.approx(0.693147, abs=1e-6)


@pytest.mark.parametrize(
    ("features", "probabilities"),
    [
        (torch.zeros(2, 3), torch.tensor([0.5])),
        (torch.zeros(0, 3), torch.zeros(0)),
        (torch.zeros(3), torch.tensor([0.5, 0.2, 0.1])),
        (torch.zeros(2, 3), torch.tensor([0.5, 0.0])),
        (torch.zeros(2, 3), torch.tensor([0.9, 0.9])),
        (torch.zeros(2, 3), torch.tensor([0.5, torch.nan])),
    ],
)
def test_what_was_never_a_draw_is_refused(features: Tensor, probabilities: Tensor) -> None:
    with pytest.raises(BadRequest):
        combine_without_replacement(features, probabilities)
