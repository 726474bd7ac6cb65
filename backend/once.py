"""What many threads ask for at once is made by one of them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


def alone(cached: Callable[P, R]) -> Callable[P, R]:
    """``cached``, called by one thread at a time.

    ``functools.cache`` lets every thread that asks before the first has finished compute as well:
    twenty annotators who open a set together decoded its pictures twenty times.
    """
    turn = threading.Lock()

    @wraps(cached)
    def called(*args: P.args, **more: P.kwargs) -> R:
        with turn:
            return cached(*args, **more)

    return called
