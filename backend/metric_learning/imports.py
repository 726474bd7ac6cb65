"""Embeddings of the user's own: a .npy array and a table of properties, checked and kept."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from backend.cache import ArrayStore
from backend.errors import BadRequest
from backend.metric_learning import properties
from backend.metric_learning.distances import checked

MOST_ROWS: Final = 20_000
MOST_BYTES: Final = 200_000_000
MOST_PROPERTIES: Final = 40


def keep(store: ArrayStore, embeddings: bytes, table: bytes, name: str) -> dict[str, Any]:
    """Puts an import into the store; ``{key, n, d, properties, notes}``.

    Args:
        embeddings: a .npy file. ``table``: a .csv or .parquet file called ``name``.

    Raises:
        BadRequest: a file cannot be read or does not fit the other, or a value is not finite.
    """
    x = array(embeddings)
    held = properties.table(frame(table, name), n=len(x))
    if len(held) > MOST_PROPERTIES:
        raise BadRequest(
            f"The table has {len(held)} properties.", f"At most {MOST_PROPERTIES} are shown here."
        )
    if all(one.problem for one in held):
        raise BadRequest(held[0].problem, "Give a column with two values, each of two images.")
    key, kept = packed(x.astype(np.float32), held)
    store.put(key, kept)
    return {
        "key": key,
        "n": len(x),
        "d": x.shape[1],
        "properties": [one.name for one in held],
        "notes": [one.problem for one in held if one.problem],
    }


def packed(
    x: NDArray[Any], held: Sequence[properties.Property]
) -> tuple[str, dict[str, NDArray[Any]]]:
    """Embeddings and properties as they are kept, and the name of that: the hash of its content."""
    kept: dict[str, NDArray[Any]] = {
        "embeddings": np.asarray(x),
        "names": np.array([one.name for one in held]),
    }
    for k, one in enumerate(held):
        kept[f"property{k}"] = np.asarray(one.values)[one.codes]
    told = hashlib.sha256()
    for key, value in kept.items():
        told.update(f"{key}{value.shape}{value.dtype}".encode() + value.tobytes())
    return told.hexdigest(), kept


def array(data: bytes) -> NDArray[np.float64]:
    """Embeddings (n, d) out of a .npy file; nothing is unpickled.

    Raises:
        BadRequest: it is none, or holds something else.
    """
    if len(data) > MOST_BYTES:
        raise BadRequest(
            f"The embeddings have {len(data) / 1e6:.0f} MB.",
            "Use python -m backend metric nr-precision for more than 200 MB.",
        )
    try:
        x = np.load(io.BytesIO(data), allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise BadRequest(
            "The embeddings are not a .npy file of numbers.", "Save them with numpy.save."
        ) from error
    if not isinstance(x, np.ndarray):
        raise BadRequest("The embeddings are an archive of arrays.", "Give one .npy file.")
    found = checked(x)
    if len(found) > MOST_ROWS:
        raise BadRequest(
            f"There are {len(found)} embeddings; {MOST_ROWS} can be opened here.",
            "Use python -m backend metric nr-precision for more.",
        )
    return found


def frame(data: bytes, name: str) -> pd.DataFrame:
    """A table out of a .csv or .parquet file.

    Raises:
        BadRequest: it cannot be read.
    """
    suffix = name.lower().rpartition(".")[2]
    if suffix not in ("csv", "parquet"):
        raise BadRequest(f"{name[-60:]!r} is neither .csv nor .parquet.", "Choose one of them.")
    try:
        read = pd.read_csv if suffix == "csv" else pd.read_parquet
        return read(io.BytesIO(data))
    except (ValueError, OSError, UnicodeDecodeError, pd.errors.ParserError) as error:
        raise BadRequest(f"{name[-60:]!r} cannot be read as {suffix}.", "Save it again.") from error
