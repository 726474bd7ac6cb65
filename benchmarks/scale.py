"""``python -m benchmarks.scale``: what one item costs, for the capacity plan in docs/scale.md.

CPU time of one thread, not wall time, so that a busy machine does not change it; bytes as stored.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

from backend.cache import ArrayStore, key_of
from backend.cluster.parts import WORKS
from backend.nero.requests import OrbitRequest

ROWS = 64


def costs(store: ArrayStore) -> list[tuple[str, float, float, float]]:
    """Rows of work, CPU milliseconds, bytes on disk and bytes a second view reads, for one item."""
    orbit = OrbitRequest("digits", "digits-plain", "rotation-10", items=tuple(range(ROWS)))
    jobs: list[tuple[str, str, dict[str, Any]]] = [
        ("NERO orbit, 28 px digit, 36 elements, small CNN", "nero.orbit", dict(orbit.params())),
        ("Grad-CAM map, 128 px image, EfficientNet-Lite0", "crayon.maps", {"set": "birds"}),
        ("embedding, 128 px image, EfficientNet-Lite0", "embeddings", {"set": "birds"}),
    ]
    return [(title, *cost(work, params, store)) for title, work, params in jobs]


def cost(work: str, params: dict[str, Any], store: ArrayStore) -> tuple[float, float, float]:
    """CPU milliseconds, bytes on disk and bytes in memory of one item."""
    WORKS[work].part(params, 0, 8, {})  # loads the model
    start_s = time.process_time()
    arrays = WORKS[work].part(params, 0, ROWS, {})
    took_s = time.process_time() - start_s
    key = key_of("scale", 1, work=work)
    store.put(key, arrays)
    whole = sum(array.nbytes for array in arrays.values())
    return 1000 * took_s / ROWS, store.path(key).stat().st_size / ROWS, whole / ROWS


def main() -> None:
    """Prints the table."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        rows = costs(ArrayStore(Path(folder), 10**9))
    sys.stdout.write(
        "| work | CPU time an item | on disk | on the wire |\n| --- | --- | --- | --- |\n"
    )
    for title, milliseconds, disk, wire in rows:
        sys.stdout.write(f"| {title} | {milliseconds:.1f} ms | {disk:,.0f} B | {wire:,.0f} B |\n")


if __name__ == "__main__":
    main()
