"""The index finds exactly what sorting everything finds; its lists say how much they miss."""

from __future__ import annotations

import numpy as np
import pytest

from backend.errors import BadRequest
from backend.gap import index as indexes
from backend.gap.nearest import nearest


@pytest.fixture(scope="module")
def pool():
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(40, 32))
    return (centres[rng.integers(40, size=6_000)] + 0.5 * rng.normal(size=(6_000, 32))).astype("f4")


@pytest.fixture(scope="module")
def held(pool):
    return indexes.build(pool)


@pytest.mark.parametrize(("queries", "k"), [(1, 1), (3, 100), (16, 25)])
def test_codes_miss_nothing(pool, held, queries, k, monkeypatch):
    monkeypatch.setattr(indexes, "PART", 999)
    asked = np.random.default_rng(1).normal(size=(queries, 32))
    rows, cosines = nearest(asked, pool, k)
    found = held.search(asked, k)
    assert found.is_exact
    assert (found.rows == rows).all()
    assert found.cosines == pytest.approx(cosines, abs=1e-5)
    assert found.scored < queries * len(pool)  # most rows were never scored in full


def test_rows_that_are_equal_or_of_any_length_are_found_too():
    pool = np.tile(np.array([[3.0, 4.0, 0.0], [0.0, 0.1, 0.0]]), (20, 1))
    found = indexes.build(pool).search(np.array([[3.0, 4.0, 0.0]]), 5)
    assert found.rows[0].tolist() == [0, 2, 4, 6, 8]
    assert found.cosines[0] == pytest.approx([1] * 5)


def test_lists_find_most_and_all_lists_find_everything(pool, held):
    asked = np.random.default_rng(2).normal(size=(8, 32))
    assert held.recall(10, probes=48) > 0.8
    assert not held.near(asked, 10).is_exact
    every = len(held.lists.centres)
    assert (held.search(asked, 10).rows == nearest(asked, pool, 10)[0]).all()
    assert (held.near(asked, 10, every).rows == held.search(asked, 10).rows).all()
    assert held.recall(10, probes=1) < held.recall(10, probes=every)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda held: held.search(np.ones((0, 32)), 1), "no query"),
        (lambda held: held.search(np.ones((1, 31)), 1), "31 dimensions"),
        (lambda held: held.search(np.zeros((1, 32)), 1), "is zero"),
        (lambda held: held.search(np.ones((1, 32)), 6_001), "K = 6001"),
        (lambda held: held.near(np.ones((1, 32)), 1, 0), "0 lists"),
        (lambda held: indexes.build(np.full((2, 2), np.nan)), "not finite"),
    ],
)
def test_wrong_input_is_a_sentence(held, call, words):
    with pytest.raises(BadRequest, match=words):
        call(held)
