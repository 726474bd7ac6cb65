"""Maps from landmarks and from stored graphs: reproducible, and neighbours stay near."""

from __future__ import annotations

import numpy as np
import pytest

from backend.errors import BadRequest
from backend.gap import landmark


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(0)
    centres = 4 * rng.normal(size=(6, 8))
    return (centres[np.arange(600) % 6] + rng.normal(size=(600, 8))).astype("f4")


def test_the_first_picture_is_the_same_for_the_same_seed_and_keeps_groups_together(rows):
    first, again = (landmark.first_picture(rows, 120, neighbours=10, seed=3) for _ in range(2))
    assert (first == again).all()
    assert first.shape == (600, 2)
    near = landmark._nearest(first, np.arange(600), 5)
    assert (near % 6 == np.arange(600)[:, None] % 6).mean() > 0.9
    chance = 15 / 599
    assert landmark.preservation(rows, first) > 3 * chance
    assert landmark.preservation(rows, rows) == 1.0


def test_another_distance_needs_no_new_graph(rows, monkeypatch):
    rows = rows[:100]
    graph = landmark.neighbours_of(rows, 10, seed=1)
    assert (graph.rows[:, 0] == np.arange(100)).all()

    def searched(*args: object, **more: object) -> None:
        raise AssertionError("neighbours were searched again")

    monkeypatch.setattr("umap.umap_.nearest_neighbors", searched)
    tight, loose = (landmark.layout(rows, graph, min_dist=d) for d in (0.0, 0.8))
    assert not np.allclose(tight, loose)
    assert (tight == landmark.layout(rows, graph, min_dist=0.0)).all()


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda rows: landmark.first_picture(rows[:3]), "3 rows"),
        (lambda rows: landmark.neighbours_of(rows[:9], 9), "9 neighbours"),
        (lambda rows: landmark.first_picture(np.full((9, 2), np.nan)), "not finite"),
        (lambda rows: landmark.layout(rows[:5], landmark.neighbours_of(rows[:9], 3)), "9 rows"),
        (
            lambda rows: landmark.layout(rows[:9], landmark.neighbours_of(rows[:9], 3), min_dist=2),
            "min_dist = 2",
        ),
    ],
)
def test_wrong_input_is_a_sentence(rows, call, words):
    with pytest.raises(BadRequest, match=words):
        call(rows)
