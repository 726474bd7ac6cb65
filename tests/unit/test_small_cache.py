"""Small results: bytes only, bounded, and never a reason to fail."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from flask_caching.backends.simplecache import SimpleCache

from backend.errors import BadRequest
from backend.settings import Settings
from backend.small_cache import (
    OVERHEAD_BYTES,
    BoundedCache,
    BytesOnly,
    SmallCache,
    open_small_cache,
)


@pytest.fixture
def no_pickle(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any use of pickle fails the test."""

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("pickled")

    for name in ("dumps", "loads", "dump", "load"):
        monkeypatch.setattr(f"pickle.{name}", refuse)


@pytest.mark.usefixtures("no_pickle")
def test_bytes_json_and_arrays_come_back_without_pickle() -> None:
    cache = open_small_cache(Settings.from_env({}))
    cache.put("b", b"\x80\x04pickle-like")
    cache.put_json("j", {"n": [1, 2.5, None, "ü"]})
    cache.put_arrays("a", {"x": np.arange(3, dtype=np.float32)})
    assert cache.get("b") == b"\x80\x04pickle-like"
    assert cache.get_json("j") == {"n": [1, 2.5, None, "ü"]}
    arrays = cache.get_arrays("a")
    assert arrays is not None
    np.testing.assert_array_equal(arrays["x"], [0, 1, 2])
    assert cache.get("absent") is None
    assert cache.get_json("absent") is None
    assert cache.get_arrays("absent") is None


def test_the_library_default_would_pickle() -> None:
    """The reason for our serializer; if this fails, the library has changed: look again."""
    cache = SimpleCache()
    cache.set("x", {1, 2})
    assert cache._cache["x"][1].startswith(b"\x80")


def test_only_bytes_are_accepted() -> None:
    for value in ({}, "text", 3, None):
        with pytest.raises(TypeError):
            BytesOnly().dumps(value)


def test_least_recently_used_go_first_within_the_budget() -> None:
    backend = BoundedCache(budget_bytes=3 * (100 + OVERHEAD_BYTES))
    cache = SmallCache(backend)
    for key in "abc":
        cache.put(key, bytes(100))
    assert cache.get("a") is not None
    cache.put("d", bytes(100))
    assert [cache.get(key) is not None for key in "abcd"] == [True, False, True, True]
    cache.put("d", bytes(10))  # replaced, not added
    assert backend.held_bytes == 2 * 100 + 10 + 3 * OVERHEAD_BYTES
    cache.put("huge", bytes(10_000))
    assert cache.get("huge") is None
    assert cache.get("a") is not None
    backend.clear()
    assert backend.held_bytes == 0


def test_entry_over_the_budget_replaces_nothing_but_its_own_key() -> None:
    cache = SmallCache(BoundedCache(1000))
    cache.put("a", b"old")
    cache.put("a", bytes(5000))
    assert cache.get("a") is None  # the old value would be wrong


def test_damaged_values_are_misses() -> None:
    cache = SmallCache(BoundedCache(1000))
    cache.put("x", b"{")
    assert cache.get_json("x") is None
    assert cache.get_arrays("x") is None


def test_redis_without_its_package_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(BadRequest, match="package redis is not installed"):
        open_small_cache(Settings.from_env({"LOUPE_REDIS_URL": "redis://localhost"}))


def test_lost_server_is_a_miss_and_left_alone_for_a_while(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    class Gone(SimpleCache):
        def get(self, key: str) -> Any:
            asked.append(key)
            raise ConnectionError("refused")

        def set(self, key: str, value: Any, timeout: Any = None) -> bool | None:
            asked.append(key)
            raise ConnectionError("refused")

    now_s = 1000.0
    monkeypatch.setattr("backend.small_cache.time.monotonic", lambda: now_s)
    cache = SmallCache(Gone())
    for _ in range(5):  # each ask may cost a second of waiting
        assert cache.get("a") is None
        cache.put("a", b"1")
    assert asked == ["a"]
    assert caplog.text.count("does not answer") == 1
    now_s += 31
    cache.put("b", b"1")
    assert asked == ["a", "b"]
