"""Sharded jobs on two nodes of a real Ray cluster, one of them killed: ``make cluster-test``."""

from __future__ import annotations

import os
import threading
import time
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backend import catalog
from backend.cache import ArrayStore
from backend.cluster import parts, ray_jobs
from backend.errors import BadRequest, Cancelled
from backend.metric_learning import counting, properties
from backend.metric_learning.distances import pairs
from backend.nero.requests import OrbitRequest
from backend.nero.work import orbit
from backend.registry import apart
from backend.settings import PROJECT
from tests import own_models

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.filterwarnings("ignore"),  # Ray's own: sockets and processes of its daemons
]
ROWS = tuple(range(60))


def params(model: str = "digits-plain") -> dict[str, Any]:
    return OrbitRequest("digits", model, "rotation-10", items=ROWS).params()


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    pytest.importorskip("ray", reason="ray is not installed (requirements-cluster.txt)")
    import ray
    from ray.cluster_utils import Cluster

    os.environ["PYTHONPATH"] = str(PROJECT)  # node processes are started from here
    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    ray.init(
        address=made.address,
        log_to_driver=False,
        runtime_env={"env_vars": {"PYTHONPATH": str(PROJECT), "OMP_NUM_THREADS": "1"}},
    )
    yield made
    ray.shutdown()
    made.shutdown()


@pytest.fixture
def store(tmp_path: Path) -> ArrayStore:
    return ArrayStore(tmp_path / "results", 10**9)


class Watched:
    """Progress that remembers, and acts once ``at`` shards are done."""

    def __init__(self, at: int = -1, act: Any = None) -> None:
        self.seen: list[int] = []
        self._at = at
        self._act = act

    def __call__(self, done: int, _total: int) -> None:
        self.seen.append(done)
        if done == self._at:
            self._act()


def local() -> dict[str, Any]:
    class Ticket:
        store: Any = None

        def __call__(self, done: int, total: int) -> None: ...

    return dict(orbit(params(), Ticket()))


def test_a_node_killed_in_the_middle_loses_nothing(cluster: Any, store: ArrayStore) -> None:
    node = cluster.add_node(num_cpus=2)
    cluster.wait_for_nodes()
    watched = Watched(2, lambda: cluster.remove_node(node, allow_graceful=False))
    made = ray_jobs.run("nero.orbit", params(), store, cluster.address, watched, rows=4)
    assert watched.seen[-1] == 15
    assert sorted(watched.seen) == watched.seen
    expected = local()
    assert set(made) == set(expected)
    for name, array in expected.items():
        if name == "text":
            np.testing.assert_array_equal(made[name], array)
        elif array.dtype.kind == "f":
            np.testing.assert_allclose(made[name], array, atol=1e-5, err_msg=name)
        else:
            np.testing.assert_array_equal(made[name], array, err_msg=name)


def test_a_job_that_was_cut_off_goes_on_where_it_was(cluster: Any, store: ArrayStore) -> None:
    def stop() -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        ray_jobs.run("nero.orbit", params(), store, cluster.address, Watched(3, stop), rows=10)
    again = Watched()
    ray_jobs.run("nero.orbit", params(), store, cluster.address, again, rows=10)
    assert again.seen[0] >= 3
    third = Watched()
    start_s = time.perf_counter()
    ray_jobs.run("nero.orbit", params(), store, "nowhere:1", third, rows=10)  # nothing is missing
    assert third.seen == [6]
    assert time.perf_counter() - start_s < 5


def test_embeddings_and_maps_in_shards(cluster: Any, store: ArrayStore) -> None:
    for work, name in (("embeddings", "embeddings"), ("crayon.maps", "maps")):
        asked = {"set": "birds"}
        expected = parts.WORKS[work].part(asked, 0, 64, {})[name]
        patched = parts.ShardedWork(
            lambda _: 64, parts.WORKS[work].part, parts.WORKS[work].join, 32
        )
        with pytest.MonkeyPatch.context() as patch:
            patch.setitem(parts.WORKS, work, patched)
            made = ray_jobs.run(work, asked, store, cluster.address, Watched())
        np.testing.assert_allclose(made[name], expected, atol=1e-5)


def test_nr_precision_and_indexes_in_shards(
    cluster: Any, store: ArrayStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One node is killed while NR-Prec is counted; its shards are counted again elsewhere."""
    rng = np.random.default_rng(0)
    x, asked = rng.normal(size=(3000, 16)), [properties.of("a", rng.integers(0, 5, 3000))]
    expected = counting.counts(pairs(x), asked, permutations=20)
    monkeypatch.setenv("LOUPE_RAY_ADDRESS", cluster.address)
    monkeypatch.setitem(parts.WORKS, counting.WORK, replace(parts.WORKS[counting.WORK], rows=250))
    node = cluster.add_node(num_cpus=2)
    cluster.wait_for_nodes()
    watched = Watched(3, lambda: cluster.remove_node(node, allow_graceful=False))
    how = {"distance": "euclidean", "ties": "index", "permutations": 20, "seed": 0}
    made = counting.on_cluster(store, x, asked, watched, how)
    assert watched.seen[-1] == 12
    np.testing.assert_array_equal(made.hits, expected.hits)
    np.testing.assert_array_equal(made.shuffled[0], expected.shuffled[0])

    folder = own_models.images(tmp_path / "set", count=20)
    paths = {"paths": [str(path) for path in sorted(folder.rglob("*.png"))]}
    monkeypatch.setitem(parts.WORKS, apart.WORK, replace(parts.WORKS[apart.WORK], rows=8))
    found = ray_jobs.run(apart.WORK, paths, store, cluster.address, Watched())
    here = apart.part(paths, 0, len(paths["paths"]))
    for name, array in here.items():
        np.testing.assert_array_equal(found[name], array)


def test_mistakes_keep_their_sentence(cluster: Any, store: ArrayStore) -> None:
    with pytest.raises(BadRequest, match="Only Grad-CAM of an original model"):
        ray_jobs.run(
            "crayon.maps", {"set": "birds", "saliency": "x"}, store, cluster.address, Watched()
        )


def test_a_hard_shard_is_not_tried_for_ever(
    cluster: Any, store: ArrayStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    from backend.errors import BackendError

    class Dying:  # local, so that Ray sends it as it is
        def ready(self) -> bool:
            return True

        def part(self, work: str, params: Any, start: int, stop: int, held: Any) -> Any:
            os._exit(9)

    monkeypatch.setattr(ray_jobs, "Holder", Dying)
    with pytest.raises(BackendError, match="failed 4 times"):
        ray_jobs.run("nero.orbit", params(), store, cluster.address, Watched(), rows=60)


def test_nothing_is_left_behind(cluster: Any) -> None:
    import ray
    from ray.util.state import list_actors

    del cluster
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert ray.is_initialized()
        end_s = time.monotonic() + 20
        while time.monotonic() < end_s:
            try:
                alive = [a for a in list_actors() if a.state == "ALIVE"]
            except ray.util.state.exception.RayStateApiException:  # needs the dashboard
                return
            if not alive:
                return
            threading.Event().wait(0.2)
        raise AssertionError(alive)


def test_models_load_once_for_each_actor() -> None:
    """What the actor relies on: the catalog keeps what it has loaded."""
    assert catalog.load_model("digits-plain") is catalog.load_model("digits-plain")
