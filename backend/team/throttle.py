"""Limits on how often something may be tried, in the memory of the one web process."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

MOST_NAMES: Final = 50_000  # remembered at once; the longest untouched go first


class Bucket:
    """A budget for each name: ``burst`` at once, refilled at ``per_s`` a second."""

    def __init__(
        self, burst: float, per_s: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._burst = burst
        self._per_s = per_s
        self._clock = clock
        self._held: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._lock = threading.Lock()

    def take(self, name: str) -> float:
        """Take one for ``name``: 0 if there was one, else the seconds until there is."""
        with self._lock:
            left, now = self._left(name)
            if left < 1:
                return (1 - left) / self._per_s
            self._keep(name, left - 1, now)
            return 0.0

    def wait_s(self, name: str) -> float:
        """Seconds until ``name`` may try; takes nothing."""
        with self._lock:
            left, _ = self._left(name)
            return max(0.0, (1 - left) / self._per_s)

    def refill(self, name: str) -> None:
        """Forget what ``name`` has taken."""
        with self._lock:
            self._held.pop(name, None)

    def _left(self, name: str) -> tuple[float, float]:
        now = self._clock()
        left, at = self._held.get(name, (self._burst, now))
        return min(self._burst, left + (now - at) * self._per_s), now

    def _keep(self, name: str, left: float, now: float) -> None:
        self._held[name] = (left, now)
        self._held.move_to_end(name)
        while len(self._held) > MOST_NAMES:
            self._held.popitem(last=False)
