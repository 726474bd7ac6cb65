"""Builds ``data/crayon/garments.npz``: pullovers and coats with a coloured patch that gives away
the class in 95 % of the training images.

Run as ``python -m data.build_garments``. Training and validation come from the training split of
Fashion-MNIST, the test images from its test split; validation and test have four groups of equal
size. Stored are the grey images and the place and colour of each patch; the patch is drawn by
:func:`backend.crayon.patched.drawn`.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from backend.crayon.patched import colours, corners
from data.build_fashion import DEB_SHA256, PACKAGE, read_split
from data.sources import DATA, debian_files, save_npz

CLASSES: Final = (2, 4)  # pullover, coat
COUNTS: Final = {"train": 800, "validation": 150, "test": 300}  # of each class
ALIGNED: Final = {"train": 0.95, "validation": 0.5, "test": 0.5}
SEED: Final = 20241129


def main() -> None:
    """Writes the bundled file."""
    folder = debian_files(PACKAGE, DEB_SHA256) / "usr/share/datasets/fashion-mnist"
    rng = np.random.default_rng(SEED)
    splits = {"train": read_split(folder, "train"), "test": read_split(folder, "t10k")}
    orders = {
        (name, kind): rng.permutation(np.flatnonzero(labels == kind))
        for name, (_, labels) in splits.items()
        for kind in CLASSES
    }
    parts: list[NDArray[np.int64]] = []
    images = []
    for split, (side, count) in enumerate(COUNTS.items()):
        source = "test" if side == "test" else "train"
        start = COUNTS["train"] if side == "validation" else 0
        for y, kind in enumerate(CLASSES):
            rows = orders[source, kind][start : start + count]
            images.append(splits[source][0][rows])
            colour = colours(np.full(count, y), ALIGNED[side], rng)
            sides = np.full(count, split), np.full(count, y), colour, rows
            parts.append(np.stack([*sides, *corners(count, rng).T], axis=1))
    table = np.concatenate(parts).astype(np.int32)
    order = np.lexsort((rng.permutation(len(table)), table[:, 0]))
    arrays = {"images": np.concatenate(images)[order], "recipes": table[order]}
    save_npz(DATA / "crayon" / "garments.npz", arrays)


if __name__ == "__main__":
    main()
