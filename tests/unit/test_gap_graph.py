"""Graphs of neighbours by lists, and layouts that start from them."""

from __future__ import annotations

import numba
import numpy as np
import pytest

from backend.errors import BadRequest
from backend.gap import forces, graph, landmark


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(12, 6))
    found = centres[np.arange(1_500) % 12] + 0.3 * rng.normal(size=(1_500, 6))
    return (found / np.linalg.norm(found, axis=1, keepdims=True)).astype("f4")


@pytest.fixture(scope="module")
def held(rows):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(graph, "EXACT_TO", 100)
        patch.setattr(graph, "CELL", 50)
        told: list[tuple[int, int]] = []
        found = graph.neighbours_of(
            rows, 8, progress=lambda done, total: told.append((done, total))
        )
        again = graph.neighbours_of(rows, 8)
    assert told[-1] == (30, 30)
    assert (found.rows == again.rows).all()
    return found


def test_lists_find_nearly_all_neighbours_and_say_how_many(rows, held):
    true = graph.neighbours_of(rows, 8)  # few enough to compare all
    hits = [len(np.intersect1d(a, b)) for a, b in zip(true.rows, held.rows, strict=True)]
    share = (np.sum(hits) - len(rows)) / (7 * len(rows))
    assert share > 0.97
    assert graph.recall(held, rows) == pytest.approx(share, abs=0.02)
    assert graph.recall(true, rows) == 1


def test_a_row_is_its_own_first_neighbour_and_the_others_go_by_distance(rows, held):
    assert (held.rows[:, 0] == np.arange(len(rows))).all()
    assert (held.distances[:, 0] == 0).all()
    assert (np.diff(held.distances, axis=1) >= 0).all()
    assert all(len(set(line)) == 8 for line in held.rows.tolist())
    far = np.linalg.norm(rows[held.rows] - rows[:, None], axis=2)
    assert held.distances == pytest.approx(far, abs=1e-3)


def test_edges_are_there_from_both_ends_and_the_strongest_is_one(held):
    starts, others, odds = forces.edges_of(held.rows, held.distances)
    heads = np.repeat(np.arange(len(held.rows)), np.diff(starts))
    there = dict(zip(zip(heads.tolist(), others.tolist(), strict=True), odds, strict=True))
    assert all(there[b, a] == pytest.approx(odd, abs=1e-6) for (a, b), odd in there.items())
    assert odds.max() == 1
    assert odds.min() > 0


def test_the_curve_is_umaps_own():
    assert forces.curve_of(0.1) == pytest.approx((1.5769, 0.8951), abs=1e-3)  # what umap-learn fits


def test_a_refined_layout_keeps_more_neighbours_and_is_the_same_on_any_number_of_threads(
    rows, held
):
    start = np.random.default_rng(1).normal(size=(len(rows), 2)).astype("f4")

    def laid_out(threads: int):
        before = numba.get_num_threads()
        numba.set_num_threads(threads)
        try:
            return [xy.copy() for xy in landmark.refined(held, start, epochs=30)]
        finally:
            numba.set_num_threads(before)

    one, more = laid_out(1), laid_out(numba.config.NUMBA_NUM_THREADS)
    assert len(one) == 30
    assert (one[-1] == more[-1]).all()
    kept = [landmark.preservation(rows, xy) for xy in (start, one[-1])]
    assert kept[1] > 5 * kept[0]
    assert np.isfinite(one[-1]).all()


def test_a_graph_of_other_rows_is_refused(held):
    with pytest.raises(BadRequest, match="the data 3"):
        next(landmark.refined(held, np.zeros((3, 2), np.float32)))
