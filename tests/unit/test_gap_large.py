"""Maps and neighbours of very many pairs, with the limits set low so that few are many."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from backend.cache import ArrayStore
from backend.gap import landmark, large, requests, spaces, views, work
from backend.gap.importer import Imported
from backend.gap.pairs import Pairs
from backend.gap.requests import MapSettings

N = 60
SETTINGS = MapSettings(count=N, neighbours=6)


class Ticket:
    """Never cancelled; remembers what it was told."""

    def __init__(self, store: ArrayStore) -> None:
        self.store = store
        self.messages: list[str] = []

    def step(self, done: int, total: int, message: str = "") -> None:
        del done, total
        self.messages.append(message)

    __call__ = step


@pytest.fixture
def ticket(tmp_path, monkeypatch):
    def placed(rows: Any, **options: Any) -> Any:  # UMAP takes long to compile
        del options
        return rows[:, :2].astype(np.float32)

    monkeypatch.setattr(large, "first_picture", placed)
    monkeypatch.setattr(requests, "PLAIN_TO", 20)
    return Ticket(ArrayStore(tmp_path, 10**8))


@pytest.fixture
def held(ticket):
    rng = np.random.default_rng(0)
    shared = rng.normal(size=(N, 5))
    both = shared + 0.3 * rng.normal(size=(2, N, 5)) + np.array([1.0, -1.0])[:, None, None]
    both = (both / np.linalg.norm(both, axis=2, keepdims=True)).astype("f4")
    captions = tuple(f"thing {i // 2}" for i in range(N))
    key = spaces.put(Imported(Pairs(*both), captions), "Many", ticket.store)
    return spaces.load(key, ticket.store)


def made(job: Any, work_of: Any, ticket: Ticket) -> Any:
    arrays = work_of(job.params, ticket)
    ticket.store.put(job.key, arrays)
    return arrays


def test_the_first_picture_is_shown_until_a_better_one_is_there(held, ticket):
    with pytest.raises(views.NotComputed) as missing:
        views.layouts(ticket.store, [held], SETTINGS)
    assert missing.value.job.work == "gap.first"
    first = made(requests.first_job(held, SETTINGS), large.first, ticket)
    (shown,), reach = views.layouts(ticket.store, [held], SETTINGS)
    best = requests.refined_job(held, SETTINGS)
    assert shown.refines == best
    assert shown.images == pytest.approx((first["images"] - shown.middle) @ shown.turn, abs=1e-5)
    assert reach == pytest.approx(1.06 * max(abs(shown.images).max(), abs(shown.texts).max()))

    ticket.store.put(requests.picture_key(best.key, 2), {**first, "images": 2 * first["images"]})
    (shown,), _ = views.layouts(ticket.store, [held], SETTINGS)
    assert shown.key == requests.picture_key(best.key, 2)

    made(best, large.refine, ticket)
    (shown,), _ = views.layouts(ticket.store, [held], SETTINGS)
    assert (shown.key, shown.refines, shown.recall) == (best.key, None, 1.0)
    both = [
        np.concatenate([one["images"], one["texts"]]) for one in (first, ticket.store.get(best.key))
    ]
    rows = np.concatenate([held.images, held.texts])
    true = [landmark.preservation(rows, xy, SETTINGS.neighbours - 1) for xy in both]
    assert shown.kept == pytest.approx(true, abs=0.01)
    assert "picture 7" in ticket.messages
    assert not ticket.store.has(requests.picture_key(best.key, 2))  # not needed any more


def test_another_least_distance_takes_the_stored_graph(held, ticket, monkeypatch):
    made(requests.refined_job(held, SETTINGS), large.refine, ticket)
    monkeypatch.setattr(large, "neighbours_of", None)
    loose = MapSettings(count=N, neighbours=6, min_dist=0.8)
    arrays = large.refine(requests.refined_job(held, loose).params, ticket)
    before = ticket.store.get(requests.refined_job(held, SETTINGS).key)
    assert np.abs(arrays["images"] - before["images"]).max() > 0.1


@pytest.mark.parametrize("lists_from", [1, 10**6])
def test_an_index_finds_the_neighbours_that_comparing_all_finds(
    held, ticket, lists_from, monkeypatch
):
    monkeypatch.setattr(large, "APPROXIMATE_FROM", lists_from)
    monkeypatch.setattr(large, "PROBES", 5)
    monkeypatch.setattr(large, "TRIED", 20)
    monkeypatch.setattr(large, "NEAREST", 10)
    made(requests.index_job(held), large.index, ticket)
    for row in (0, 17, N - 1):
        params = {**requests.named(held), "row": row, "k": 20}
        told = views.found_near(held, row, large.near(params, ticket))
        true = views.neighbours(held, row)
        assert told["recall"] == 1 if lists_from > N else 0 < told["recall"] <= 1
        assert told["gap"] == true["gap"]
        captions = [held.captions[one["row"]] for one in told["texts"]]
        assert len(set(captions)) == len(captions) == views.NEIGHBOURS
        if lists_from > N:
            assert [one["row"] for one in told["images"]] == [one["row"] for one in true["images"]]


def test_the_slider_moves_drawn_pairs_where_there_are_many(held, ticket, monkeypatch):
    monkeypatch.setattr(work, "DRAGGED_TO", 20)
    monkeypatch.setattr(work, "DRAGGED", 15)
    work._slider.cache_clear()
    params = requests.sweep_job(held).params
    assert len(work.slider_of(params, ticket).pairs) == len(work.dragged(N)) == 15
    work._slider.cache_clear()


def test_unmatched_cosines_of_many_pairs_are_those_of_drawn_ones(held, monkeypatch):
    monkeypatch.setattr(work, "COUNTED", 10)
    assert work.unmatched(held).sum() == 10 * 9


def test_an_import_is_mapped_and_not_copied(held):
    base: Any = held.images
    while isinstance(base.base, np.ndarray):
        base = base.base
    assert isinstance(base, np.memmap)
    assert not held.images.flags.writeable
