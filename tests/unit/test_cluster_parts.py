"""Shards without a cluster: their names, and that the parts are the whole."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from backend.cache import ArrayStore
from backend.cluster import parts, ray_jobs
from backend.errors import BadRequest
from backend.nero.requests import OrbitRequest
from backend.nero.result import OrbitResult
from backend.nero.work import orbit


class Ticket:
    store: ArrayStore

    def __call__(self, done: int, total: int) -> None: ...


@pytest.mark.parametrize(
    ("task", "model", "family"),
    [("digits", "digits-plain", "rotation-45"), ("texts", "minilm-text", "")],
)
def test_parts_are_the_whole(task: str, model: str, family: str) -> None:
    from backend import catalog

    if model not in catalog.models():
        model = next(iter(catalog.models_for(task)))
    params = OrbitRequest(task, model, family, items=tuple(range(7))).params()
    whole = orbit(params, Ticket())
    cut = parts.shards("nero.orbit", params, rows=3)
    assert [(one.start, one.stop) for one in cut] == [(0, 3), (3, 6), (6, 7)]
    work = parts.WORKS["nero.orbit"]
    joined = work.join([work.part(params, one.start, one.stop) for one in cut])
    assert list(sorted(joined)) == sorted(whole)
    for name, array in whole.items():
        np.testing.assert_allclose(joined[name], array, atol=1e-5, err_msg=name)
    assert OrbitResult.from_arrays(joined).item_names == OrbitResult.from_arrays(whole).item_names


def test_shards_are_named_by_everything_that_goes_in() -> None:
    first = OrbitRequest("digits", "digits-plain", "rotation-45", items=(0, 1)).params()
    other = OrbitRequest("digits", "digits-rotated", "rotation-45", items=(0, 1)).params()
    keys = {one.key for p in (first, other) for one in parts.shards("nero.orbit", p, rows=1)}
    assert len(keys) == 4
    with pytest.raises(BadRequest, match="not computed in shards"):
        parts.shards("os.system", {})


def test_a_cluster_that_is_not_there_is_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "ray", None)
    params = OrbitRequest("digits", "digits-plain", "rotation-45", items=(0,)).params()
    store = ArrayStore(tmp_path, 10**8)
    with pytest.raises(BadRequest, match="the Python package ray is not installed"):
        ray_jobs.run("nero.orbit", params, store, "local", lambda done, total: None)


def test_only_what_can_be_cut_goes_to_the_cluster() -> None:
    assert parts.can_run("nero.orbit", {})
    assert parts.can_run("crayon.maps", {"set": "birds"})
    assert not parts.can_run("crayon.maps", {"set": "birds", "saliency": "scorecam"})
    assert not parts.can_run("crayon.maps", {"set": "birds", "parent": "x"})
    assert not parts.can_run("nero.item", {})


def test_a_worker_sends_what_can_be_cut_to_the_cluster(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from multiprocessing import Pipe

    from backend.worker import Worker

    asked: list[tuple[str, str]] = []

    def run(work: str, _params: object, _store: object, address: str, _ticket: object) -> object:
        asked.append((work, address))
        return {"x": np.zeros(1)}

    monkeypatch.setattr(ray_jobs, "run", run)
    ours, theirs = Pipe()
    runs = {"nero.orbit": "tests.fake_work:echo", "test.echo": "tests.fake_work:echo"}
    worker = Worker(ours, runs, ArrayStore(tmp_path, 10**6))
    ticket = Ticket()
    worker._computed("nero.orbit", {}, ticket)  # type: ignore[arg-type]
    monkeypatch.setenv("LOUPE_RAY_ADDRESS", "10.0.0.10:6379")
    worker._computed("nero.orbit", {}, ticket)  # type: ignore[arg-type]
    worker._computed("test.echo", {}, ticket)  # type: ignore[arg-type]
    assert asked == [("nero.orbit", "10.0.0.10:6379")]
    theirs.close()
    ours.close()
