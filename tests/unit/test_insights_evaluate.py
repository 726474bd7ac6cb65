"""Algorithms 1 to 4 of the insight evaluation, by hand and against scipy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from backend.errors import BadRequest
from backend.insights import evaluate

I_ARM = (("free", "trial", "join", "now"), (0.30, 0.20, 0.10, -0.05), 0.12)
J_ARM = (("free", "month", "join", "now"), (0.25, -0.20, 0.10, -0.05), 0.08)


def test_the_worked_example_of_the_spec() -> None:
    found = evaluate.changes([evaluate.text_change(I_ARM, J_ARM)])
    assert found.d_c == pytest.approx([0.40])
    assert found.d_y == pytest.approx([0.04])


def test_swapping_a_pair_changes_neither_surrogate() -> None:
    there = evaluate.changes([evaluate.text_change(I_ARM, J_ARM)])
    back = evaluate.changes([evaluate.text_change(J_ARM, I_ARM)])
    assert there.d_c == pytest.approx(back.d_c)
    assert there.d_y == pytest.approx(back.d_y)


def test_bags_of_hand() -> None:
    first, second = ({"a": 1.0, "b": 2.0}, 0.1), ({"b": 5.0, "c": -3.0, "d": 0.5}, 0.3)
    assert evaluate.bag_change(first, second) == pytest.approx((-2.5 - 1.0, 0.2))


def test_identical_pictures_have_empty_masks() -> None:
    rng = np.random.default_rng(0)
    features, values = rng.normal(size=(4, 4, 8)), rng.normal(size=(16, 16))
    own, other = evaluate.image_masks(features, features)
    assert not own.any()
    assert not other.any()
    gained, _ = evaluate.image_change((features, values, 0.1), (features, values, 0.2))
    assert gained == 0


def test_a_changed_block_is_what_the_mask_covers() -> None:
    rng = np.random.default_rng(1)
    before = rng.normal(size=(4, 4, 32))
    after = before.copy()
    after[1:3, 2:4] = rng.normal(size=(2, 2, 32))
    wanted = np.zeros((4, 4), bool)
    wanted[1:3, 2:4] = True
    own, other = evaluate.image_masks(before, after)
    assert (own == wanted).all()
    assert (other == wanted).all()
    ones = np.ones((16, 16))
    gained, change = evaluate.image_change((before, ones, 0.1), (after, 2 * ones, 0.3))
    assert gained == 64  # 4 places of 16 values each, 2 less 1
    assert change == pytest.approx(0.2)


def test_places_without_features_match_each_other_and_nothing_else() -> None:
    some, none = np.ones((1, 2, 3)), np.zeros((1, 2, 3))
    assert not evaluate.image_masks(none, none)[0].any()
    assert evaluate.image_masks(none, some)[0].all()


def test_feature_maps_that_do_not_fit_are_a_sentence() -> None:
    with pytest.raises(BadRequest, match="do not fit"):
        evaluate.image_masks(np.ones((2, 2, 3)), np.ones((2, 2, 4)))
    with pytest.raises(BadRequest, match="4 tokens have 3"):
        evaluate.text_change((I_ARM[0], (1, 2, 3), 0.1), J_ARM)


def test_rho_is_scipys_and_its_interval_holds_it() -> None:
    rng = np.random.default_rng(2)
    success = rng.normal(size=60)
    gained = success + rng.normal(size=60)
    found = evaluate.correlation(evaluate.Changes(gained, success))
    surrogate = stats.pearsonr(np.sign(success) * gained, np.abs(success)).statistic
    assert found.rho == pytest.approx(surrogate)
    assert found.rho_signed == pytest.approx(stats.pearsonr(gained, success).statistic)
    assert found.share_positive == pytest.approx((success * gained > 0).mean())
    assert found.interval is not None
    assert found.interval[0] < surrogate < found.interval[1]


def test_the_null_tells_a_random_attributor_from_the_truth() -> None:
    rng = np.random.default_rng(3)
    success = rng.normal(size=200)
    truth = evaluate.correlation(evaluate.Changes(success, success))
    chance = evaluate.correlation(evaluate.Changes(rng.normal(size=200), success))
    assert truth.rho == pytest.approx(1)
    assert truth.p_null is not None
    assert truth.p_null < 0.001
    assert chance.p_null is not None
    assert chance.p_null > 0.01


@pytest.mark.parametrize("n", [0, 1, 5])
def test_without_variance_rho_is_undefined(n: int) -> None:
    found = evaluate.correlation(evaluate.Changes(np.ones(n), np.full(n, 0.1)))
    assert (found.rho, found.interval, found.p_null, found.n) == (None, None, None, n)
    assert evaluate.trust(found, fewest=3).score is None


def test_pairs_of_the_public_interface() -> None:
    pairs = [(I_ARM, J_ARM), (J_ARM, (("now",), (0.1,), 0.01))]
    found = evaluate.text_correlation(pairs)
    assert found.n == 2
    assert found.rho == pytest.approx(1) or found.rho == pytest.approx(-1)


def test_pairwise_accuracy_of_the_worked_example() -> None:
    found = evaluate.pairwise_accuracy((0.1, 0.3, 0.2, 0.2), (0.05, 0.2, 0.25, 0.1))
    assert found == pytest.approx(4 / 6)


def test_a_tie_is_right_only_where_both_are_tied() -> None:
    assert evaluate.pairwise_accuracy((1, 1), (2, 2)) == 1
    assert evaluate.pairwise_accuracy((1, 1), (2, 3)) == 0
    assert np.isnan(evaluate.pairwise_accuracy((1,), (2,)))
    with pytest.raises(BadRequest, match="do not pair up"):
        evaluate.pairwise_accuracy((1, 2), (1, 2, 3))


def test_a_trust_score_needs_pairs_and_is_rho_in_percent() -> None:
    rng = np.random.default_rng(4)
    success = rng.normal(size=40)
    found = evaluate.correlation(evaluate.Changes(success + rng.normal(size=40), success))
    told = evaluate.trust(found)
    assert found.rho is not None
    assert told.score == pytest.approx(max(0, 100 * found.rho))
    assert "40 control" in told.sentence
    few = evaluate.trust(evaluate.correlation(evaluate.Changes(success[:9], success[:9])))
    assert few.score is None
    assert few.sentence.startswith("Not enough pairs: 9")
