"""Shards without a cluster: their names, and that the parts are the whole."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from backend.cache import ArrayStore
from backend.cluster import parts, ray_jobs
from backend.errors import BadRequest
from backend.metric_learning import counting, imports, properties, sensitivity
from backend.metric_learning.distances import pairs
from backend.metric_learning.neighbours import Ties
from backend.nero.requests import OrbitRequest
from backend.nero.result import OrbitResult
from backend.nero.work import orbit
from backend.protocols import JSON, Progress
from backend.registry import index, store
from backend.registry.data_spec import SetSpec
from backend.settings import Settings
from tests import own_models


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
    joined = work.join([work.part(params, one.start, one.stop, {}) for one in cut])
    assert list(sorted(joined)) == sorted(whole)
    for name, array in whole.items():
        np.testing.assert_allclose(joined[name], array, atol=1e-5, err_msg=name)
    assert OrbitResult.from_arrays(joined).item_names == OrbitResult.from_arrays(whole).item_names


@pytest.mark.parametrize("ties", ["index", "expected"])
def test_nr_precision_of_parts_is_that_of_the_whole(tmp_path: Path, ties: Ties) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(40, 3))
    x[7] = x[3]  # a tie
    asked = [properties.of(name, rng.integers(0, 3, 40)) for name in ("a", "b")]
    store = ArrayStore(tmp_path, 10**8)
    key, arrays = imports.packed(x, asked)
    store.put(key, arrays)
    params = {"own": key, "queries": 40, "distance": "euclidean", "ties": ties}
    params |= {"permutations": 5, "seed": 1}
    work = parts.WORKS["metric.hits"]
    held = work.held(params, store)
    cut = parts.shards("metric.hits", params, rows=16)
    joined = work.join([work.part(params, one.start, one.stop, held) for one in cut])
    whole = counting.counts(pairs(x), asked, ties, 5, 1)
    np.testing.assert_array_equal(joined["hits"], whole.hits)
    np.testing.assert_array_equal(joined["by_index"], whole.by_index)
    for k, sums in enumerate(whole.shuffled):
        np.testing.assert_array_equal(joined[f"shuffled{k}"], sums)


def test_what_a_command_counts_in_shards_is_what_it_counts_alone(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    x, asked = rng.normal(size=(30, 3)), [properties.of("a", rng.integers(0, 2, 30))]
    how = {"distance": "cosine", "ties": "index", "permutations": 9, "seed": 0}
    store = ArrayStore(tmp_path, 10**8)
    counted = counting.on_cluster(store, x, asked, lambda done, total: None, how)
    given = sensitivity.sensitivity(x, asked, "cosine", permutations=9, counted=counted)
    pd.testing.assert_frame_equal(
        given.frame, sensitivity.sensitivity(x, asked, "cosine", permutations=9).frame
    )


def test_files_looked_at_elsewhere_are_those_looked_at_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = own_models.images(tmp_path / "set")
    (folder / "dark" / "broken.png").write_bytes(b"no image")
    spec = SetSpec("mine", "folder", str(folder))
    settings = Settings.from_env({"LOUPE_STATE_DIR": str(tmp_path / "state")})
    store.use(None, settings)
    here = index.build(spec, lambda done, total: None)
    shutil.rmtree(index.folder("mine"))
    store.use(None, replace(settings, ray_address="10.0.0.10:6379"))
    asked: list[str] = []
    monkeypatch.setattr(
        ray_jobs, "run", lambda work, *rest: asked.append(work) or _alone(work, *rest)
    )
    monkeypatch.setenv("LOUPE_RAY_ADDRESS", "10.0.0.10:6379")
    try:
        assert index.build(spec, lambda done, total: None) == here
        assert index.build(spec, lambda done, total: None)[2]["read"] == 0
    finally:
        store.use(None)
    assert asked == ["registry.files", "registry.files"]


def _alone(
    work: str, params: Mapping[str, JSON], held: ArrayStore, _address: str, progress: Progress
) -> dict[str, Any]:
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("LOUPE_RAY_ADDRESS")
        return ray_jobs.anywhere(work, params, held, progress)


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
