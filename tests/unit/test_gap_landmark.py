"""Maps from landmarks and from stored graphs, with UMAP itself stood in for: it takes a minute to
compile, and the benchmark runs it.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any, ClassVar

import numpy as np
import pytest

from backend.errors import BadRequest
from backend.gap import graph as graphs
from backend.gap import landmark


class Umap:
    """Takes the first two coordinates, moved by what it was told, and remembers the graph."""

    graphs: ClassVar[list[Any]] = []

    def __init__(self, **options: Any) -> None:
        self.options = options
        Umap.graphs.append(options["precomputed_knn"][0])

    def fit_transform(self, rows: Any) -> Any:
        return rows[:, :2] * (1 + self.options["min_dist"]) + self.options["random_state"]


@pytest.fixture(autouse=True)
def stood_in(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("umap")
    module.UMAP = Umap  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "umap", module)
    monkeypatch.setattr(Umap, "graphs", [])


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(0)
    centres = 6 * rng.normal(size=(6, 8))
    return (centres[np.arange(600) % 6] + rng.normal(size=(600, 8))).astype("f4")


def test_the_first_picture_is_the_same_for_the_same_seed_and_keeps_groups_together(rows):
    first, again = (landmark.first_picture(rows, 120, neighbours=10, seed=3) for _ in range(2))
    assert (first == again).all()
    assert (first != landmark.first_picture(rows, 120, neighbours=10, seed=4)).any()
    assert first.shape == (600, 2)
    chosen = landmark.landmarks_of(600, 120, 3)
    assert first[chosen] == pytest.approx(rows[chosen, :2] * 1.1 + 3, abs=1e-5)
    near = graphs.nearest_others(first, np.arange(600), 3)
    assert (near % 6 == np.arange(600)[:, None] % 6).mean() > 0.8
    assert landmark.preservation(rows, first) > 3 * 15 / 599  # three times chance
    assert landmark.preservation(rows, rows) == 1.0


def test_a_row_lies_between_the_landmarks_that_are_most_like_it(rows):
    first = landmark.first_picture(rows, 120, seed=0)
    marks = landmark.landmarks_of(600, 120, 0)
    near = marks[graphs.nearest_others(rows[marks], np.array([0]), 1)[0, 0]]
    assert near in marks
    other = next(row for row in range(600) if row not in marks)
    far = np.linalg.norm(rows[marks] - rows[other], axis=1)
    five = first[marks[np.argsort(far)[:5]]]
    assert (five.min(0) - 1e-5 <= first[other]).all()
    assert (first[other] <= five.max(0) + 1e-5).all()


def test_neighbours_are_exact_and_another_distance_takes_the_stored_graph(rows):
    rows = rows[:100]
    graph = graphs.neighbours_of(rows, 10)
    far = np.linalg.norm(rows[:, None] - rows[None], axis=2)
    assert (graph.rows == np.argsort(far, axis=1, kind="stable")[:, :10]).all()
    assert graph.distances == pytest.approx(np.sort(far, axis=1)[:, :10], abs=1e-4)
    tight, loose = (landmark.layout(rows, graph, min_dist=d) for d in (0.0, 0.8))
    assert not np.allclose(tight, loose)
    assert all(held is graph.rows for held in Umap.graphs)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda rows: landmark.first_picture(rows[:3]), "3 rows"),
        (lambda rows: graphs.neighbours_of(rows[:9], 9), "9 neighbours"),
        (lambda rows: landmark.first_picture(np.full((9, 2), np.nan)), "not finite"),
        (lambda rows: landmark.layout(rows[:5], graphs.neighbours_of(rows[:9], 3)), "9 rows"),
        (
            lambda rows: landmark.layout(rows[:9], graphs.neighbours_of(rows[:9], 3), min_dist=2),
            "min_dist = 2",
        ),
    ],
)
def test_wrong_input_is_a_sentence(rows, call, words):
    with pytest.raises(BadRequest, match=words):
        call(rows)
