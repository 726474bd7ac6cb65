"""Small finished results in memory or Redis, as bytes: nothing is ever pickled.

flask-caching's own serializers pickle; these only let bytes through.
"""

from __future__ import annotations

import datetime
import importlib
import importlib.util
import logging
import time
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import orjson
from flask_caching.backends.base import BaseCache
from flask_caching.backends.simplecache import SimpleCache
from numpy.typing import NDArray

from backend import wire
from backend.errors import BadRequest
from backend.protocols import JSON, Arrays
from backend.settings import Settings

log = logging.getLogger(__name__)
REST_S: Final = 30
WEEK_S: Final = 7 * 24 * 3600
# What each entry costs beside its bytes: the key, the tuple, the dict slot.
OVERHEAD_BYTES: Final = 300


class BytesOnly:
    """Serializer that passes bytes and refuses everything else."""

    def dumps(self, value: object) -> bytes:
        if not isinstance(value, bytes):
            raise TypeError(f"only bytes are cached, not {type(value).__name__}")
        return value

    def loads(self, value: bytes | None) -> bytes | None:
        return value


class BoundedCache(SimpleCache):
    """flask-caching's memory cache, bounded by bytes; the least recently used go first."""

    # cachelib declares its own pickling class here; bytes are all that is ever kept.
    serializer = BytesOnly()  # type: ignore[assignment]

    def __init__(self, budget_bytes: int) -> None:
        super().__init__(threshold=2**31, default_timeout=WEEK_S)
        self.budget_bytes = budget_bytes
        self.held_bytes = 0

    def get(self, key: str) -> Any:
        with self._lock:
            value = super().get(key)
            if value is not None:
                self._cache[key] = self._cache.pop(key)  # most recent last
            return value

    def set(
        self, key: str, value: Any, timeout: int | datetime.timedelta | None = None
    ) -> bool | None:
        with self._lock:
            self.delete(key)
            if len(value) + OVERHEAD_BYTES > self.budget_bytes:
                return False
            is_set = super().set(key, value, timeout)
            self.held_bytes += len(value) + OVERHEAD_BYTES
            while self.held_bytes > self.budget_bytes:
                self.delete(next(iter(self._cache)))
            return bool(is_set)

    def delete(self, key: str) -> bool:
        with self._lock:
            _, value = self._cache.pop(key, (0, None))
            if value is None:
                return False
            self.held_bytes -= len(value) + OVERHEAD_BYTES
            return True

    def clear(self) -> bool:
        with self._lock:
            self.held_bytes = 0
            return bool(super().clear())


class SmallCache:
    """Bytes, JSON or arrays by key, in front of slower places. A lost entry is only a miss.

    Args:
        lost: what ``backend`` raises when its server does not answer: a miss too.
    """

    def __init__(self, backend: BaseCache, lost: tuple[type[Exception], ...] = (OSError,)) -> None:
        self._backend = backend
        self._lost = lost
        self._quiet_until_s = 0.0  # a server that does not answer is left alone for a while

    def get(self, key: str) -> bytes | None:
        """The bytes put under ``key``; ``None`` if absent."""
        if time.monotonic() < self._quiet_until_s:
            return None
        try:
            value = self._backend.get(key)
        except self._lost as error:
            self._rest(error)
            return None
        return bytes(value) if value is not None else None

    def put(self, key: str, value: bytes, timeout_s: int | None = None) -> None:
        """Keep ``value``; what cannot be kept is left out."""
        if time.monotonic() < self._quiet_until_s:
            return
        try:
            self._backend.set(key, value, timeout_s)
        except self._lost as error:
            self._rest(error)

    def _rest(self, error: Exception) -> None:
        self._quiet_until_s = time.monotonic() + REST_S
        log.warning("the small cache does not answer and is left alone for %d s: %s", REST_S, error)

    def get_json(self, key: str) -> Any:
        """What :meth:`put_json` kept; ``None`` if absent or damaged."""
        value = self.get(key)
        try:
            return orjson.loads(value) if value is not None else None
        except orjson.JSONDecodeError:
            return None

    def put_json(self, key: str, value: JSON) -> None:
        self.put(key, orjson.dumps(value))

    def get_arrays(self, key: str) -> Mapping[str, NDArray[np.generic]] | None:
        """Arrays as :func:`backend.wire.unpack` gives them, read-only; ``None`` if damaged."""
        value = self.get(key)
        try:
            return wire.unpack(value)[0] if value is not None else None
        except BadRequest:
            return None

    def put_arrays(self, key: str, arrays: Arrays) -> None:
        self.put(key, wire.pack(arrays))


def open_small_cache(settings: Settings) -> SmallCache:
    """In memory within the budget, or Redis when ``LOUPE_REDIS_URL`` is set.

    Raises:
        BadRequest: Redis is asked for and its Python package is not installed.
    """
    if not settings.redis_url:
        return SmallCache(BoundedCache(settings.memory_cache_bytes))
    if importlib.util.find_spec("redis") is None:
        raise BadRequest(
            "LOUPE_REDIS_URL is set, and the Python package redis is not installed.",
            "Run `.venv/bin/pip install redis`, or leave LOUPE_REDIS_URL empty.",
        )
    from flask_caching.backends.rediscache import RedisCache

    redis = importlib.import_module("redis")
    try:
        client = redis.Redis.from_url(
            settings.redis_url, socket_timeout=1, socket_connect_timeout=1
        )
    except ValueError as error:
        raise BadRequest(
            "LOUPE_REDIS_URL is not a Redis URL.", "Example: redis://127.0.0.1:6379/0"
        ) from error
    backend = RedisCache(host=client, default_timeout=WEEK_S, key_prefix="loupe:")
    # As above: nothing is unpickled, whatever lies in Redis.
    backend.serializer = BytesOnly()  # type: ignore[assignment]
    return SmallCache(backend, (OSError, redis.RedisError))
