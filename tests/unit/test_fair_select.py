"""PBM against the worked example, its invariants and a plain reading of the algorithm."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend import fair
from backend.errors import BadRequest
from backend.fair import groups, metrics

SCORES = [0.90, 0.80, 0.70, 0.60, 0.50, 0.72, 0.65]
GROUPS = [1, 1, 1, -1, -1, 0, 0]


@st.composite
def pools(draw):
    n = draw(st.integers(1, 24))
    scores = draw(st.lists(st.integers(0, 6), min_size=n, max_size=n))  # many ties
    signs = draw(st.lists(st.sampled_from([-1, 0, 1]), min_size=n, max_size=n))
    return np.array(scores, float), np.array(signs), draw(st.integers(1, n))


def as_printed(scores, signs, k):
    """The algorithm read line by line; None where it does not say what to do."""
    left, taken = set(range(len(scores))), []
    while len(taken) < k:
        best = {}
        for sign in (1, -1, 0):
            mine = [i for i in left if signs[i] == sign]
            best[sign] = min(mine, key=lambda i: (-scores[i], i)) if mine else None
        if best[1] is None or best[-1] is None:
            return None
        pair = (scores[best[1]] + scores[best[-1]]) / 2
        new = [best[1], best[-1]] if best[0] is None or pair > scores[best[0]] else [best[0]]
        if len(taken) + len(new) > k:
            return None
        taken += new
        left -= set(new)
    return taken


@pytest.mark.parametrize(
    ("k", "picked", "bias", "plain"),
    [
        (2, {0, 3}, 0, 1.0),
        (3, {0, 3, 5}, 0, 2 / 3),
        (4, {0, 3, 5, 6}, 0, 0.75),
        (6, {0, 3, 5, 6, 1, 4}, 0, 1 / 3),
    ],
)
def test_the_worked_example(k, picked, bias, plain):
    found = fair.pbm(SCORES, GROUPS, k)
    assert set(found.tolist()) == picked
    assert fair.abs_bias_at_k(np.array(GROUPS)[found], k) == bias
    assert fair.abs_bias_at_k(np.array(GROUPS)[fair.top_k(SCORES, k)], k) == pytest.approx(plain)


def test_the_last_place_of_the_worked_example_is_drawn():
    last = {int(fair.pbm(SCORES, GROUPS, 5, seed)[-1]) for seed in range(20)}
    assert last == {1, 4}
    assert fair.abs_bias_at_k(np.array(GROUPS)[fair.pbm(SCORES, GROUPS, 5)], 5) == 0.2
    assert fair.abs_bias_at_k(np.array(GROUPS)[fair.top_k(SCORES, 5)], 5) == 0.6


@given(pools())
def test_exactly_k_and_nobody_twice(pool):
    scores, signs, k = pool
    found = fair.pbm(scores, signs, k)
    assert len(found) == len(set(found.tolist())) == k
    assert (found == fair.pbm(scores, signs, k)).all()


@given(pools())
def test_it_is_the_printed_algorithm_where_that_speaks(pool):
    scores, signs, k = pool
    expected = as_printed(scores, signs, k)
    if expected is not None:
        assert set(fair.pbm(scores, signs, k).tolist()) == set(expected)


@given(pools())
def test_both_groups_are_even_up_to_one_while_they_last(pool):
    scores, signs, k = pool
    done = fair.select(scores, signs, k)
    total = int(signs[done.indices].sum())
    if not done.missing:
        assert abs(total) <= 1
        assert not done.note
    else:
        assert (signs[done.indices] == done.missing).sum() == (signs == done.missing).sum()
        assert f"{done.missing:+d}" in done.note


@given(pools())
def test_each_group_is_taken_best_first(pool):
    scores, signs, k = pool
    found = fair.pbm(scores, signs, k)
    for sign in (-1, 0, 1):
        mine = found[signs[found] == sign]
        order = [i for i in np.argsort(-scores, kind="stable") if signs[i] == sign]
        assert mine.tolist() == order[: len(mine)]


@given(pools(), st.integers(0, 5))
def test_p_goes_from_the_plain_result_to_the_balanced_one(pool, seed):
    scores, signs, k = pool
    assert (fair.select(scores, signs, k, 0.0, seed).indices == fair.top_k(scores, k)).all()
    whole = fair.select(scores, signs, k, 1.0, seed)
    assert (whole.indices == fair.pbm(scores, signs, k, seed)).all()
    assert sum(len(step.taken) for step in whole.steps) == k


def test_mean_bias_falls_with_p():
    rng = np.random.default_rng(0)
    signs = np.repeat([1, -1], 200)
    scores = rng.normal(size=400) + 0.8 * (signs == 1)
    means = []
    for p in (0.0, 0.25, 0.5, 0.75, 1.0):
        found = [fair.select(scores, signs, 40, p, seed).indices for seed in range(30)]
        means.append(np.mean([fair.abs_bias_at_k(signs[f], 40) for f in found]))
    assert means == sorted(means, reverse=True)
    assert means[-1] == 0


def test_steps_say_why():
    done = fair.select(SCORES, GROUPS, 4)
    assert done.steps[0].taken == (0, 3)
    assert done.steps[0].pair_score == pytest.approx(0.75)
    assert done.steps[0].other_score == 0.72
    assert done.steps[1].taken == (5,)
    assert done.steps[2].pair_score == pytest.approx(0.65)  # a tie goes to the item without group
    assert done.steps[2].taken == (6,)


def test_one_group_fills_up_and_says_so():
    done = fair.select([3, 1, 2], [1, 1, 0], 3)
    assert done.indices.tolist() == [2, 0, 1]
    assert done.missing == -1
    assert "group -1" in done.note


def test_bias_by_hand():
    assert fair.bias_at_k([1, -1, -1, 0], 3) == pytest.approx(-1 / 3)
    assert fair.abs_bias_at_k([1, -1, -1, 0], 4) == 0.25
    assert metrics.bias_curve([1, 1, -1]).tolist() == pytest.approx([1, 1, 1 / 3])
    assert metrics.shares_curve([1, 0]).tolist() == [[0, 0, 1], [0, 0.5, 0.5]]
    for k in range(1, 9):
        even = np.resize([1, -1], k)
        assert fair.abs_bias_at_k(even, k) == (k % 2) / k  # the floor without items of no group


def test_recall_counts_over_all_queries_together():
    assert fair.recall_at_k([[0, 1], [5, 6]], [[1], [5, 6, 7]]) == 0.75
    with pytest.raises(BadRequest, match="No item is relevant"):
        fair.recall_at_k([[0]], [[]])
    with pytest.raises(BadRequest, match="1 results and 2"):
        fair.recall_at_k([[0]], [[], []])


def test_sensitivities_by_hand():
    found = metrics.predictor([1, 1, 1, -1, -1, 0], [1, 1, -1, -1, 0, 1])
    assert found.sensitivity_plus == pytest.approx(2 / 3)
    assert found.sensitivity_minus == 0.5
    assert found.ratio == pytest.approx(4 / 3)
    assert found.f1 == pytest.approx((2 * 2 / (3 + 3) + 2 * 1 / (2 + 2)) / 2)
    assert found.confusion.sum() == 6
    assert metrics.predictor([1], [1]).document()["sensitivity_minus"] is None


def test_names_become_groups():
    assert groups.named(["a", " b", "c"], "a", "b").tolist() == [1, -1, 0]
    with pytest.raises(BadRequest, match="in group 'd'"):
        groups.named(["a", "b"], "a", "d")


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: fair.pbm(SCORES, GROUPS, 8), "K = 8 is out of range for a pool of 7"),
        (lambda: fair.pbm(SCORES, GROUPS, 0), "K = 0"),
        (lambda: fair.pbm(SCORES, GROUPS[:3], 2), "3 groups for 7 scores"),
        (lambda: fair.pbm(SCORES, [2, *GROUPS[1:]], 2), "Group 2 of item 0"),
        (lambda: fair.pbm([np.nan, *SCORES[1:]], GROUPS, 2), "item 0 is not finite"),
        (lambda: fair.pbm([], [], 1), r"shape \(0,\)"),
        (lambda: fair.select(SCORES, GROUPS, 2, 1.5), "p = 1.5"),
        (lambda: fair.select(SCORES, GROUPS, 2, np.nan), "p = nan"),
        (lambda: fair.select(SCORES, GROUPS, 2, seed=-1), "Seed -1"),
        (lambda: fair.abs_bias_at_k([1, 0], 3), "K = 3"),
        (lambda: groups.both(np.array([1, 0], np.int8)), "no item of group -1"),
        (lambda: groups.named(["a"], "a", "a"), "Both groups are called 'a'"),
    ],
)
def test_wrong_input_is_a_sentence(call, words):
    with pytest.raises(BadRequest, match=words):
        call()
