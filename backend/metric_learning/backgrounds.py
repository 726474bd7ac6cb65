"""Backgrounds to put behind a car: crops of the bundled photographs, and drawn patterns.

Two pools that share no photograph and no pattern: one to train on, one to test with, as in Kobs
2023, "Think outside the Black Box", chapter 11.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from backend.errors import BadRequest

U8 = NDArray[np.uint8]
F32 = NDArray[np.float32]

Pool = Literal["train", "test"]
PHOTOS: Final = Path(__file__).resolve().parents[2] / "data" / "photos" / "photos.npz"
COUNT: Final = 100
PHOTO_SHARE: Final = 40
SEEDS: Final[dict[Pool, int]] = {"train": 101, "test": 202}


@lru_cache(maxsize=4)
def pool(which: Pool, side: int = 128) -> U8:
    """A hundred backgrounds ``(100, side, side, 3)``: 40 crops of photographs, 60 patterns.

    Raises:
        BadRequest: there is no such pool.
    """
    if which not in SEEDS:
        raise BadRequest(f"There is no pool {which!r}.", "Allowed: train, test.")
    rng = np.random.default_rng(SEEDS[which])
    photos = _photos(which)
    crops = []
    for k in range(PHOTO_SHARE):
        photo = photos[k % len(photos)]
        size = int(rng.integers(side // 2 + side // 4, min(photo.shape[:2]) + 1))
        top, left = (int(rng.integers(0, photo.shape[i] - size + 1)) for i in (0, 1))
        crops.append(_resized(photo[top : top + size, left : left + size], side))
    patterns = [_pattern(rng, k, side) for k in range(COUNT - PHOTO_SHARE)]
    return np.stack([*crops, *patterns])


def corrupted(images: U8, masks: NDArray[np.floating[Any]], behind: U8) -> U8:
    """``M I + (1 - M) B`` (Kobs 2023, eq. 11.1).

    Args:
        images: ``(n, h, w, 3)``. ``masks``: ``(n, h, w)`` in [0, 1], 1 on the object.
        behind: ``(n, h, w, 3)``.

    Raises:
        BadRequest: the shapes differ.
    """
    if images.shape != behind.shape or masks.shape != images.shape[:3]:
        raise BadRequest(
            f"Images {images.shape}, masks {masks.shape} and backgrounds {behind.shape} do not fit."
        )
    m = masks[..., None]
    mixed = m * images + (1 - m) * behind
    return np.asarray(np.round(np.clip(mixed, 0, 255)), np.uint8)


def drawn(which: Pool, n: int, seed: int) -> NDArray[np.int64]:
    """The background of each of ``n`` images, rows of the pool."""
    return np.random.default_rng([SEEDS[which], seed]).integers(COUNT, size=n)


def _photos(which: Pool) -> U8:
    """Photographs of one pool: every crop of a photograph is in the same one."""
    with np.load(PHOTOS, allow_pickle=False) as held:
        images, photo = held["images"], held["photo"]
    return np.asarray(images[photo % 2 == (0 if which == "train" else 1)])


def _resized(image: U8, side: int) -> U8:
    rows = (np.arange(side) * image.shape[0] // side).astype(int)
    columns = (np.arange(side) * image.shape[1] // side).astype(int)
    found: U8 = image[rows][:, columns]
    return found


def _pattern(rng: np.random.Generator, kind: int, side: int) -> U8:
    """A plain colour, a gradient, stripes, checks, blobs or noise in two random colours."""
    first, second = rng.integers(0, 256, (2, 3)).astype(np.float32)
    y, x = np.mgrid[0:side, 0:side] / side
    angle, waves = rng.uniform(0, np.pi), rng.uniform(2, 12)
    along = x * np.cos(angle) + y * np.sin(angle)
    across = y * np.cos(angle) - x * np.sin(angle)
    share = (
        np.zeros_like(x),
        (along - along.min()) / np.ptp(along),
        (np.sin(2 * np.pi * waves * along) > 0).astype(float),
        ((np.sin(2 * np.pi * waves * along) * np.sin(2 * np.pi * waves * across)) > 0) * 1.0,
        0.5 + 0.5 * np.sin(2 * np.pi * waves * along + 3 * np.cos(2 * np.pi * waves / 2 * across)),
        rng.random((side, side)),
    )[kind % 6]
    mixed = first + (second - first) * share[..., None]
    return np.asarray(np.round(mixed), np.uint8)
