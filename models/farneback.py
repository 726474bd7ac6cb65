"""Farnebäck's optical flow (2003) of OpenCV as an estimator of displacements: no training."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

PYRAMID_SCALE: Final = 0.5
LEVELS: Final = 3
WINDOW_PX: Final = 13
ITERATIONS: Final = 3
POLY_PX: Final = 5
POLY_SIGMA: Final = 1.1
HALF_STEPS: Final = 3  # fixed-point iterations towards the middle of the pair

F32 = NDArray[np.float32]


def farneback(frames: F32) -> F32:
    """Displacements (b, 2, h/2, w/2) of frames (b, 2, h, w) in [0, 1], u right, v down, px per
    pair.

    OpenCV gives the displacement d of what is at x in the first frame. Particles are at
    p = x + d/2 half-way between the frames, where the truth is given; so d is carried there by
    iterating d(p) ← d(p − d(p)/2), and averaged over blocks of 2 × 2 px.
    """
    found = np.empty((len(frames), 2, frames.shape[2] // 2, frames.shape[3] // 2), np.float32)
    grey = np.clip(np.round(frames * 255), 0, 255).astype(np.uint8)
    for i, (first, second) in enumerate(grey):
        blocks = half_way(_forward(first, second)).reshape(found.shape[2], 2, found.shape[3], 2, 2)
        found[i] = blocks.mean((1, 3)).transpose(2, 0, 1)
    return found


def _forward(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> F32:
    """The displacement (h, w, 2) at the pixels of the first frame."""
    empty = np.zeros((*first.shape, 2), np.float32)
    flow = cv2.calcOpticalFlowFarneback(
        np.ascontiguousarray(first), np.ascontiguousarray(second), empty,
        PYRAMID_SCALE, LEVELS, WINDOW_PX, ITERATIONS, POLY_PX, POLY_SIGMA,
        0,
    )  # fmt: skip
    return np.asarray(flow, np.float32)


def half_way(flow: F32) -> F32:
    """A flow (h, w, 2) known at where things start, at where they are half-way."""
    height, width = flow.shape[:2]
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    moved = flow
    for _ in range(HALF_STEPS):
        moved = np.asarray(
            cv2.remap(
                flow, x - moved[..., 0] / 2, y - moved[..., 1] / 2,
                cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE,
            ),
            np.float32,
        )  # fmt: skip
    return moved
