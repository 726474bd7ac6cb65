"""The bundled cars and what was measured on them; reading needs no torch."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from backend.errors import NotFound
from backend.metric_learning import cars, properties
from backend.metric_learning.meshes import Mesh, bundled
from backend.metric_learning.properties import Property

ROOT: Final = Path(__file__).resolve().parents[2]
CARS: Final = ROOT / "data" / "cars"
MEASURED: Final = ROOT / "data" / "metric"
SHOWN: Final = 1_500
"""Images whose pictures and embeddings are bundled: the first rows of the test table."""
SCALE: Final = 127.0


@lru_cache(maxsize=1)
def table() -> pd.DataFrame:
    """The properties of all 5,000 test images."""
    return pd.read_parquet(CARS / "test.parquet")


@lru_cache(maxsize=4)
def held_properties(n: int = SHOWN) -> tuple[Property, ...]:
    """The eleven properties of the first ``n`` test images."""
    return tuple(properties.table(table().iloc[:n], cars.NAMES))


@lru_cache(maxsize=1)
def meshes() -> dict[str, Mesh]:
    """The six test cars."""
    return bundled(CARS / "meshes.npz")


@lru_cache(maxsize=1)
def _pictures() -> tuple[bytes, NDArray[np.int64]]:
    with np.load(CARS / "pictures.npz", allow_pickle=False) as held:
        return held["webp"].tobytes(), held["ends"]


def picture(row: int) -> bytes:
    """A small picture of one image, as WebP.

    Raises:
        NotFound: the row has none.
    """
    packed, ends = _pictures()
    if not 0 <= row < len(ends) - 1:
        raise NotFound(f"There is no picture {row}.", f"There are 0 to {len(ends) - 2}.")
    return packed[ends[row] : ends[row + 1]]


def values(row: int) -> dict[str, float]:
    """The numeric properties of one test image.

    Raises:
        NotFound: there is no such row.
    """
    _checked(row)
    held = table().iloc[row]
    return {name: float(held[name]) for name in cars.BY_NAME}


def model(row: int) -> str:
    """The car of one test image. Raises ``NotFound``."""
    _checked(row)
    return str(table()[cars.MODEL].iloc[row])


def _checked(row: int) -> None:
    if not 0 <= row < len(table()):
        raise NotFound(f"There is no image {row}.", f"There are 0 to {len(table()) - 1}.")


@lru_cache(maxsize=16)
def arrays(name: str) -> Mapping[str, NDArray[Any]]:
    """The arrays of one file of ``data/metric``."""
    with np.load(MEASURED / f"{name}.npz", allow_pickle=False) as held:
        return {key: held[key] for key in held.files}


@lru_cache(maxsize=4)
def frame(name: str) -> pd.DataFrame:
    """One table of ``data/metric``."""
    return pd.read_parquet(MEASURED / f"{name}.parquet")


def embedding(loss: str) -> NDArray[np.float32]:
    """Embeddings (1500, 128) of the bundled images by one loss (fold 0), as kept: in 8 bits.

    Raises:
        NotFound: there is no such loss.
    """
    held = arrays("embeddings")
    if loss not in held:
        raise NotFound(f"There is no embedding {loss[:80]!r}.", f"There is {', '.join(held)}.")
    return np.asarray(held[loss], np.float32) / SCALE


def packed(x: NDArray[np.float32]) -> NDArray[np.int8]:
    """Embeddings in 8 bits, each scaled so that its largest number is full."""
    largest = np.abs(x).max(axis=1, keepdims=True)
    return np.asarray(np.round(x / largest * SCALE), np.int8)
