"""Builds ``data/piv/eval.npz``: 120 synthetic pairs of particle images with their exact fields.

Run as ``python -m data.build_piv``. The file holds ``frames`` (n, 2, 128, 128) uint8, ``fields``
(n, 2, 64, 64) float16 in px per pair (u right, v down) at the centres of blocks of 2 × 2 px, and
``family`` (n,) uint8, 20 of each of :data:`models.piv_flows.FAMILIES`. Nothing is downloaded.
Training draws other fields: its random streams start with another number.
"""

from __future__ import annotations

import numpy as np

from data.sources import DATA, save_npz
from models.piv_flows import FAMILIES
from models.piv_particles import draw_pair

STREAM = 20200501
PER_FAMILY = 20


def main() -> None:
    """Writes the file."""
    kinds = [(kind, item) for kind in range(len(FAMILIES)) for item in range(PER_FAMILY)]
    pairs = [
        draw_pair(FAMILIES[kind], np.random.default_rng([STREAM, kind, item]))
        for kind, item in kinds
    ]
    arrays = {
        "frames": np.stack([frames for frames, _ in pairs]),
        "fields": np.stack([field for _, field in pairs]).astype(np.float16),
        "family": np.array([kind for kind, _ in kinds], np.uint8),
    }
    save_npz(DATA / "piv" / "eval.npz", arrays)


if __name__ == "__main__":
    main()
