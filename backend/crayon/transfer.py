"""Maps of one model used to guide another whose maps have another size."""

from __future__ import annotations

import numpy as np
import torch
from torch.nn import functional

from backend.protocols import F32


def resized(maps: F32, shape: tuple[int, int]) -> F32:
    """Maps ``(n, h, w)`` at another size, bilinear, max-normalised again where not all zero."""
    x = torch.from_numpy(np.ascontiguousarray(maps))[:, None]
    y = functional.interpolate(x, shape, mode="bilinear", align_corners=False)[:, 0]
    peak = y.amax(dim=(1, 2), keepdim=True)
    out: F32 = torch.where(peak > 0, y / peak.clamp_min(1e-10), y).numpy()
    return out
