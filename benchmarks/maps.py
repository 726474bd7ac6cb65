"""Maps of very many rows: the first picture and the refined one, against umap-learn in full.

umap-learn runs on SMALL rows, after a run that compiles it, and its time for the large set is taken
as proportional to their number, which flatters it: its search for neighbours grows faster. How many
neighbours a map keeps is compared on SMALL rows.
"""

from __future__ import annotations

import os
import warnings
from typing import Final

import numpy as np

from backend.gap import graph as graphs
from backend.gap import landmark
from backend.protocols import F32
from benchmarks.fair import pool
from benchmarks.table import Row, timed, told

SMALL: Final = 200_000
LARGE: Final = int(os.environ.get("LOUPE_BENCH_MAP", "1000000"))
WIDTH: Final = 64
TOPICS: Final = 200


def rows() -> list[Row]:
    """All rows."""
    small = pool(SMALL, WIDTH, TOPICS)
    one, two = (landmark.first_picture(small[:5_000], 200) for _ in range(2))  # compiles, too
    refined(graphs.neighbours_of(small[:5_000]), one, 2)
    is_same = bool((one == two).all())
    umap(small[:5_000])  # compiles
    plain_s, plain = timed(lambda: umap(small))
    first = landmark.first_picture(small)
    better = refined(graphs.neighbours_of(small), first)
    kept = {name: landmark.preservation(small, xy) for name, xy in
            (("first", first), ("refined", better), ("umap", plain))}  # fmt: skip
    return _large(plain_s * LARGE / SMALL, kept, is_same)


def _large(other_s: float, kept: dict[str, float], is_same: bool) -> list[Row]:
    held = pool(LARGE, WIDTH, TOPICS)
    first_s, first = timed(lambda: landmark.first_picture(held))
    graph_s, graph = timed(lambda: graphs.neighbours_of(held))
    moves_s, _ = timed(lambda: refined(graph, first))
    refined_s = first_s + graph_s + moves_s
    size = f"UMAP of {LARGE:,} x {WIDTH}, simulated"
    proof = f"neighbours kept at {SMALL:,} rows: {{:.3f}}, by umap-learn {kept['umap']:.3f}"
    same = "; same seed, same picture" if is_same else "; the same seed gave another picture"
    far = f"umap-learn's time from {SMALL:,} rows"
    found = f"graph {graph_s:.0f} s with {graphs.recall(graph, held, 100):.3f} of the neighbours"
    return [
        told(
            f"{size}, first picture", first_s, other_s, "≥ 20, ≥ 0.8 kept",
            proof.format(kept["first"]) + same + f"; {far}",
            is_same and other_s / first_s >= 20 and kept["first"] >= 0.8 * kept["umap"],
        ),
        told(
            f"{size}, refined", refined_s, other_s, "≥ 1, ≥ 0.8 kept",
            proof.format(kept["refined"]) + f"; {found}; {far}",
            other_s >= refined_s and kept["refined"] >= 0.8 * kept["umap"],
        ),
        told(
            f"{size}, another min_dist from the stored graph", moves_s, other_s, "≥ 1", far,
            other_s >= moves_s,
        ),
    ]  # fmt: skip


def refined(graph: graphs.Graph, first: F32, epochs: int = landmark.EPOCHS) -> F32:
    """The last picture."""
    *_, last = landmark.refined(graph, first, epochs=epochs)
    return np.array(last)


def umap(held: F32) -> F32:
    """umap-learn in full, with a seed as the page has it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that a seed means one thread
        from umap import UMAP

        found: F32 = UMAP(n_neighbors=15, min_dist=0.1, random_state=0, n_jobs=1).fit_transform(
            held
        )
    return found
