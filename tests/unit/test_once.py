"""What many ask for at once is made once."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from functools import cache

from backend.once import alone


def test_many_who_ask_at_once_make_it_once() -> None:
    made, start = [], threading.Barrier(8)

    @alone
    @cache
    def slow(key: str) -> str:
        made.append(key)
        threading.Event().wait(0.05)  # long enough for all the others to ask
        return key

    def ask(_: int) -> str:
        start.wait()
        return slow("x")

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(ask, range(8))) == {"x"}
    assert made == ["x"]
