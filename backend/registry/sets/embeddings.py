"""Paired embeddings that were computed elsewhere: as :mod:`backend.gap.importer` reads them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backend.errors import BadRequest
from backend.gap import importer
from backend.gap.spaces import MOST_PAIRS
from backend.protocols import Progress
from backend.registry.data_spec import SetSpec
from backend.registry.earlier import Earlier
from backend.registry.reading import Listing
from backend.registry.sets import Content, sha_of


def listed(spec: SetSpec) -> Listing:
    """Every pair by its caption, or its number."""
    found = importer.read(Path(spec.path), normalise=True)
    n = len(found.pairs)
    captions = list(found.captions or ("",) * n)
    return Listing(
        names=[f"pair {row}" for row in range(n)],
        labels=captions,
        splits=[""] * n,
        rows=list(range(1, n + 1)),
    )


def content(spec: SetSpec, progress: Progress, earlier: Earlier) -> Content:
    """Both halves of every pair, scaled to length 1; read as a whole."""
    del earlier
    found = importer.read(Path(spec.path), normalise=True)
    n = len(found.pairs)
    if n > MOST_PAIRS:
        raise BadRequest(
            f"{n:,} pairs are more than a page can lay out and drag.",
            f"Give up to {MOST_PAIRS:,} of them; python -m backend gap measure takes any number.",
        )
    images, texts = found.pairs.block(0, n)
    progress(n, n)
    arrays: dict[str, NDArray[Any]] = {
        "images-own": images,
        "texts-own": texts,
        "captions": np.array(found.captions or ("",) * n),
        "labels": np.array(found.labels or ("",) * n),
    }
    thumbs = found.thumbs
    if thumbs is not None:
        arrays["thumbs"] = thumbs
    captions = [caption or f"pair {row}" for row, caption in enumerate(arrays["captions"].tolist())]
    return Content(
        captions,
        None if thumbs is None else lambda row: thumbs[row],
        lambda row: sha_of(images[row], texts[row], captions[row]),
        list(found.labels or ()),
        arrays=arrays,
    )
