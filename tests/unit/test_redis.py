"""Small results in a real Redis server: kept, lost, flushed, away at the start, poisoned."""

from __future__ import annotations

import pickle
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from backend import small_cache
from backend.settings import Settings
from backend.small_cache import SmallCache, open_small_cache
from components.runtime import create_services
from tests.fake_work import WORKS
from tests.redis_server import RedisServer, server


@pytest.fixture(scope="module")
def redis_server() -> Iterator[RedisServer]:
    with server() as found:
        yield found


@pytest.fixture
def cache(redis_server: RedisServer) -> SmallCache:
    import redis

    client = redis.Redis.from_url(redis_server.url)
    client.flushall()
    client.close()
    return open_small_cache(Settings.from_env({"LOUPE_REDIS_URL": redis_server.url}))


def test_what_is_put_is_got_by_another_process_too(
    redis_server: RedisServer, cache: SmallCache
) -> None:
    cache.put_arrays("k", {"x": np.arange(5)})
    other = open_small_cache(Settings.from_env({"LOUPE_REDIS_URL": redis_server.url}))
    found = other.get_arrays("k")
    assert found is not None
    np.testing.assert_array_equal(found["x"], np.arange(5))


def test_flushed_redis_is_a_miss(redis_server: RedisServer, cache: SmallCache) -> None:
    import redis

    cache.put("k", b"v")
    redis.Redis.from_url(redis_server.url).flushall()
    assert cache.get("k") is None


def test_poisoned_values_are_never_unpickled(
    redis_server: RedisServer, cache: SmallCache, tmp_path: Path
) -> None:
    """Whoever can write to Redis must not be able to run code here."""
    import redis

    marker = tmp_path / "ran"

    class Bomb:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return (Path.touch, (marker,))  # type: ignore[return-value]

    client = redis.Redis.from_url(redis_server.url)
    for value in (pickle.dumps(Bomb()), b"!" + pickle.dumps(Bomb()), b"\x00" * 100):
        client.set("loupe:k", value)
        assert cache.get_arrays("k") is None
        assert cache.get_json("k") is None
        cache.get("k")
    assert not marker.exists()


def test_redis_that_goes_away_makes_the_app_slower_not_broken(
    redis_server: RedisServer, cache: SmallCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(small_cache, "REST_S", 0.1)
    cache.put("k", b"v")
    redis_server.stop()
    start_s = time.perf_counter()
    assert cache.get("k") is None
    cache.put("k", b"v")  # left alone for a while
    assert time.perf_counter() - start_s < 2
    redis_server.start()
    time.sleep(0.15)
    cache.put("k", b"w")
    assert cache.get("k") == b"w"


def test_the_app_starts_and_answers_without_its_redis(tmp_path: Path) -> None:
    gone = f"unix://{tmp_path}/nothing.sock"
    env = {"LOUPE_STATE_DIR": str(tmp_path / "state"), "LOUPE_REDIS_URL": gone}
    services = create_services(Settings.from_env(env), WORKS)
    try:
        assert services.small.get("k") is None
        assert services.jobs.call("test.echo", {"values": [2]}, timeout_s=30)["x"][0] == 2
    finally:
        services.close()
