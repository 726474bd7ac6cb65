"""The test cars drawn again, in parts that are kept, so that a second model need not wait."""

from __future__ import annotations

import contextlib
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from backend.cache import ArrayStore, key_of
from backend.errors import StorageFull
from backend.metric_learning import rendering, shipped

U8 = NDArray[np.uint8]

PART: Final = 250
"""Images in a part: 12 MB, so that a run that was cancelled goes on where it was."""
THREADS: Final = 2
VERSION: Final = 1


def parts(n: int) -> list[range]:
    """The rows of the first ``n`` test images, in parts."""
    return [range(start, min(start + PART, n)) for start in range(0, n, PART)]


def drawn(rows: range, store: ArrayStore, data: str) -> U8:
    """Test images ``(len(rows), 128, 128, 3)``, from the store or drawn now and kept.

    Args:
        data: names the test table and the meshes.
    """
    key = key_of("metric.renders", VERSION, data=data, start=rows.start, stop=rows.stop)
    held = store.get(key)
    if held is not None:
        return np.asarray(held["images"], np.uint8)
    with ThreadPoolExecutor(THREADS) as pool:  # the inner loops let go of Python's lock
        images = np.stack(list(pool.map(image, rows)))
    with contextlib.suppress(StorageFull):  # then it is drawn once more for the next model
        store.put(key, {"images": images})
    return images


def image(row: int) -> NDArray[Any]:
    """One test image ``(128, 128, 3)`` uint8, as the networks saw it."""
    return rendering.render(shipped.meshes()[shipped.model(row)], shipped.values(row))[0]
