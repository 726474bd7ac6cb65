"""Builds ``data/fashion/eval.npz`` and the uncommitted ``data/cache/fashion_train.npz``.

Run as ``python -m data.build_fashion``. The source is the Debian package dataset-fashion-mnist; the
evaluation items come from its TEST split, so no training image is among them. Arrays as in
``data.build_digits``; ``rows`` counts within the split.
"""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from data.build_digits import held_out
from data.sources import CACHE, DATA, debian_files, save_npz

PACKAGE = "dataset-fashion-mnist"
DEB_SHA256 = "39e172fe32dd318ebb3e512220c3beea2fa47d7e20bab348fb4e0922d6beefc0"
SEED = 20200502
PER_CLASS = 50


def read_split(folder: Path, name: str) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """A split ("train", "t10k"): images (n, 28, 28) uint8 and labels (n,) uint8, in file order."""
    images = gzip.decompress((folder / f"{name}-images-idx3-ubyte.gz").read_bytes())
    labels = gzip.decompress((folder / f"{name}-labels-idx1-ubyte.gz").read_bytes())
    # IDX headers: 4 big-endian words before the images, 2 before the labels.
    return (
        np.frombuffer(images, np.uint8, offset=16).reshape(-1, 28, 28),
        np.frombuffer(labels, np.uint8, offset=8),
    )


def main() -> None:
    """Writes the two files."""
    folder = debian_files(PACKAGE, DEB_SHA256) / "usr/share/datasets/fashion-mnist"
    images, labels = read_split(folder, "t10k")
    mask = held_out(labels, PER_CLASS, SEED)
    rows = np.flatnonzero(mask).astype(np.int64)
    arrays = {"images": images[mask], "labels": labels[mask], "rows": rows}
    save_npz(DATA / "fashion" / "eval.npz", arrays)
    images, labels = read_split(folder, "train")
    rows = np.arange(len(labels), dtype=np.int64)
    save_npz(CACHE / "fashion_train.npz", {"images": images, "labels": labels, "rows": rows})


if __name__ == "__main__":
    main()
