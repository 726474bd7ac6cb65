"""What can be done to the order of words, and what it is called."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

Move = tuple[str, int, int]  # kind, how far or how often, and the seed
REVERSE: Move = ("reverse", 1, 0)
SHORT = (
    REVERSE,
    *(("turn", k, 0) for k in (1, 2, 3, -1, -2, -3)),
    *(("swap", k, 0) for k in (1, 2, 4)),
)
LONG = (*SHORT[:7], *(("swap", k, seed) for k in (1, 2, 3, 4) for seed in (0, 1, 2)))
LEVELS = {"20": LONG, "11": SHORT}


@lru_cache(maxsize=4096)
def order(n: int, kind: str, k: int, seed: int) -> tuple[int, ...]:
    """Which of ``n`` words comes first, second and so on."""
    if n < 2 or kind == "reverse":
        return tuple(range(n))[::-1]
    if kind == "turn":  # the first k words go to the end
        return tuple(np.roll(np.arange(n), -k).tolist())
    places = np.arange(n)
    rng = np.random.default_rng((seed, n))
    for _ in range(k):
        a, b = rng.choice(n, 2, replace=False)
        places[[a, b]] = places[[b, a]]
    return tuple(places.tolist())


def name(kind: str, k: int, seed: int) -> str:
    if kind == "reverse":
        return "reversed"
    if kind == "turn":
        what = "word" if abs(k) == 1 else f"{abs(k)} words"
        return f"first {what} to the end" if k > 0 else f"last {what} to the front"
    return f"{k} swap{'s' * (k > 1)}" + (f", draw {seed + 1}" if seed else "")
