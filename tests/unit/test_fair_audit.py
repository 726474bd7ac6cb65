"""Two biases told apart on a simulated space, with predictors, baselines and diagnostics."""

from __future__ import annotations

import numpy as np
import pytest

from backend.errors import BadRequest
from backend.fair import baselines, diagnose, metrics, predict, synthetic

SPACE = synthetic.space(queries=8, per_query=60, width=32, seed=1)
RELEVANT = [SPACE.relevant(q) for q in range(8)]
K = 20


def test_the_space_is_as_asked():
    assert SPACE.images.shape == (480, 32)
    assert np.linalg.norm(SPACE.queries, axis=1) == pytest.approx(np.ones(8), abs=1e-6)
    assert (SPACE.groups == 1).mean() == pytest.approx(0.6, abs=0.06)
    again = synthetic.space(queries=8, per_query=60, width=32, seed=1)
    assert (again.images == SPACE.images).all()
    some = synthetic.space(queries=8, per_query=60, width=32, share_none=0.3)
    assert (some.groups == 0).mean() == pytest.approx(0.3, abs=0.06)


def test_true_groups_bring_the_bias_to_zero():
    plain = diagnose.audit(SPACE.scores, SPACE.groups, K, relevant=RELEVANT)
    done = diagnose.audit(SPACE.scores, SPACE.groups, K, relevant=RELEVANT, p=1)
    assert plain.abs_bias > 0.4
    assert done.abs_bias == 0
    assert done.missing == 0
    assert 0 < done.recall <= plain.recall
    assert np.abs(plain.by_query).mean() == pytest.approx(plain.abs_bias)


def test_a_balanced_model_still_shows_the_bias_of_the_pool():
    """C.3.3: independence of score and group leaves the pool's own share in every window."""
    held = synthetic.space(8, 400, 32, share_plus=0.8, model_bias=0.0, seed=2)
    clean = baselines.without_direction(held.images, held.direction)
    scores = held.queries @ clean.T
    assert abs(diagnose.similarity_correlation(scores[0], held.groups)) < 0.1
    found = diagnose.audit(scores, held.groups, 100)
    assert found.bias == pytest.approx(held.groups.mean(), abs=0.1)
    assert diagnose.audit(scores, held.groups, 100, p=1).abs_bias == 0


def test_dropping_informative_dimensions_lowers_the_correlation():
    other = synthetic.space(queries=8, per_query=60, width=32, seed=1)
    information = baselines.informative_dimensions(other.images, other.groups)
    assert information.min() >= 0
    before = [diagnose.similarity_correlation(row, SPACE.groups) for row in SPACE.scores]
    images, queries = baselines.mi_clip(SPACE.images, SPACE.queries, 24, information)
    after = [diagnose.similarity_correlation(row, SPACE.groups) for row in queries @ images.T]
    assert np.abs(after).mean() < np.abs(before).mean()
    same, _ = baselines.mi_clip(SPACE.images, SPACE.queries, 0, information)
    assert same == pytest.approx(SPACE.images, abs=1e-6)


def test_a_dimension_that_is_the_group_has_all_its_information():
    signs = np.resize([1, -1], 80)
    rows = np.stack([signs, np.repeat([1, -1], 40)], axis=1).astype(np.float32)
    found = baselines.informative_dimensions(rows, signs, bins=2)
    assert found == pytest.approx([np.log(2), 0], abs=1e-9)


def test_removing_a_direction_is_a_projection():
    clean = baselines.without_direction(SPACE.images, SPACE.direction)
    assert clean @ SPACE.direction == pytest.approx(np.zeros(480), abs=1e-6)
    assert baselines.without_direction(clean, SPACE.direction) == pytest.approx(clean, abs=1e-6)
    with pytest.raises(BadRequest, match="nothing is left"):
        baselines.without_direction(SPACE.direction[None], SPACE.direction)


def test_zero_shot_groups_and_their_margin():
    said = predict.zero_shot(SPACE.images, SPACE.direction, -SPACE.direction)
    quality = metrics.predictor(SPACE.groups, said)
    assert quality.f1 > 0.9
    done = diagnose.audit(SPACE.scores, SPACE.groups, K, predicted=said, p=1)
    assert done.abs_bias < 0.2
    unsure = predict.zero_shot(SPACE.images, SPACE.direction, -SPACE.direction, 0.5)
    evidence = 2 * (SPACE.images @ SPACE.direction)
    assert ((unsure == 0) == (np.abs(evidence) < 0.5)).all()
    assert (said != 0).all()


def test_noise_spoils_the_predictor_and_brings_the_bias_back():
    evidence = 2 * (SPACE.images @ SPACE.direction)
    f1, bias = [], []
    for sd in (0.0, 1.0, 50.0):
        said = predict.by_margin(predict.noisy(evidence, sd))
        f1.append(metrics.predictor(SPACE.groups, said).f1)
        bias.append(diagnose.audit(SPACE.scores, SPACE.groups, K, predicted=said, p=1).abs_bias)
    assert f1 == sorted(f1, reverse=True)
    assert bias == sorted(bias)
    assert f1[-1] == pytest.approx(0.5, abs=0.1)


def test_the_threshold_moves_the_ratio_of_sensitivities():
    chance = 1 / (1 + np.exp(-10 * (SPACE.images @ SPACE.direction)))
    found = [
        metrics.predictor(SPACE.groups, predict.by_threshold(chance, t)).sensitivity_plus
        for t in (0.0, 0.5, 0.9, 1.0)
    ]
    assert found == sorted(found, reverse=True)
    assert found[0] == 1
    assert found[-1] == 0


def test_quantiles_equal_sorting():
    scores, signs = SPACE.scores[0], SPACE.groups
    found = diagnose.quantile_bias(scores, signs, 10)
    order = np.argsort(-scores, kind="stable")
    assert found.bias[-1] == pytest.approx(signs[order[:48]].mean())
    assert found.bias[0] == pytest.approx(signs[order[-48:]].mean())
    assert found.counts.sum() == 480
    assert found.level == pytest.approx(signs.mean())
    rising = diagnose.quantile_bias(np.arange(100), np.repeat([-1, 1], 50), 4)
    assert rising.bias.tolist() == [-1, -1, 1, 1]
    assert rising.slope > 0


def test_correlation_is_spearmans_without_group_zero():
    from scipy.stats import spearmanr

    rng = np.random.default_rng(0)
    scores, signs = rng.integers(0, 9, 50), rng.integers(-1, 2, 50)
    wanted = spearmanr(scores[signs != 0], signs[signs != 0]).statistic
    assert diagnose.similarity_correlation(scores, signs) == pytest.approx(wanted)
    assert diagnose.similarity_correlation(np.ones(4), [1, -1, 1, -1]) == 0


def test_a_random_selection_has_the_share_of_the_pool():
    scores = np.stack([baselines.random_scores(480, seed) for seed in range(40)])
    found = diagnose.audit(scores, SPACE.groups, 100)
    assert found.bias == pytest.approx(SPACE.groups.mean(), abs=0.05)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: synthetic.space(queries=64), "64 queries do not fit 64"),
        (lambda: synthetic.space(share_plus=2), "share_plus = 2"),
        (lambda: synthetic.space(per_query=0), "0 images a query"),
        (lambda: predict.by_margin([1.0], -1), "margin of -1"),
        (lambda: predict.by_threshold([0.5], 2), "Threshold 2"),
        (lambda: predict.noisy([0.5], float("nan")), "noise of nan"),
        (lambda: diagnose.quantile_bias([1, 2], [1, -1], 3), "3 parts of 2 items"),
        (lambda: diagnose.similarity_correlation([1, 2], [1, 1]), "no item of group -1"),
        (lambda: baselines.informative_dimensions(SPACE.images, np.zeros(480)), "No item has"),
        (lambda: baselines.mi_clip(SPACE.images, SPACE.queries, 32, np.ones(32)), "32 of 32"),
    ],
)
def test_wrong_input_is_a_sentence(call, words):
    with pytest.raises(BadRequest, match=words):
        call()
