"""Registered estimators of particle motion, or of optical flow: two frames in, displacements out.

A network answers with displacements (b, 2, h, w) in px from the first frame to the second, u to the
right and v down, at the side of the frames, at half of it, or coarser; of several such answers, as
networks that refine theirs give, the finest and of equally fine ones the last counts.
"""

from __future__ import annotations

from functools import partial
from typing import Final

import numpy as np
import torch
from torch.nn import functional

from backend.errors import BadRequest
from backend.piv_methods import PivMethod
from backend.protocols import F32
from backend.registry.networks import InPieces, Network, inputs_of
from backend.registry.outputs import Named
from backend.registry.spec import ModelSpec
from models.cards import ModelCard

COARSEST: Final = 8  # px of a cell of the coarsest answer that is taken


def motion_backend(spec: ModelSpec, card: ModelCard, ask: Network) -> PivMethod:
    """The estimator of a spec around its network."""
    return PivMethod(partial(_estimate, spec, InPieces(ask, spec, _read)), card, ask.device)


def _estimate(spec: ModelSpec, ask: InPieces, frames: F32) -> F32:
    """Fields (b, 2, s/2, s/2) of frames (b, 2, s, s) in [0, 1]."""
    side = frames.shape[-1]
    if side != spec.input[1] and not spec.any_side:
        raise BadRequest(
            f"{spec.name} takes frames of {spec.input[1]} px, and these have {side} px.",
            "Cut them to its side, or export it with free height and width.",
        )
    fields: F32 = at_half(ask(*arranged(spec, frames)), side)
    return fields


def arranged(spec: ModelSpec, frames: F32) -> list[F32]:
    """Grey frames (b, 2, s, s) as the network takes them: one array or two, grey or in colour."""
    channels = spec.input[0]
    parts = [frames[:, :1], frames[:, 1:]]
    if channels in (3, 6):
        parts = [np.repeat(part, 3, axis=1) for part in parts]
    return parts if inputs_of(spec) == 2 else [np.concatenate(parts, axis=1)]


def at_half(fields: F32, side: int) -> F32:
    """Fields (b, 2, h, w) at any fineness as (b, 2, side/2, side/2): means, or between places.

    Raises:
        BadRequest: they are not of a square frame of this side.
    """
    cells = fields.shape[-1]
    fits = fields.shape[-2] == cells and cells and side % cells == 0
    if not fits or side // cells > COARSEST:
        raise BadRequest(
            f"The model answers frames of {side} px with the shape {fields.shape[1:]}.",
            "It must be (2, side, side), or a half to an eighth of that: u and v in px.",
        )
    if cells == side:
        blocks = fields.reshape(len(fields), 2, side // 2, 2, side // 2, 2)
        means: F32 = blocks.mean(axis=(3, 5), dtype=np.float32)
        return means
    if 2 * cells == side:
        return fields
    finer: F32 = functional.interpolate(
        torch.from_numpy(np.ascontiguousarray(fields)),
        (side // 2, side // 2),
        mode="bilinear",
        align_corners=False,
    ).numpy()
    return finer


def _read(named: Named, count: int) -> F32:
    """The finest field ``(count, 2, h, w)`` in an answer; of equally fine ones the last."""
    fields = [one for one in named.values() if one.ndim == 4 and one.shape[:2] == (count, 2)]
    if not fields:
        shapes = ", ".join(str(array.shape) for array in list(named.values())[:4])
        raise BadRequest(
            f"The model answers {count} pairs of frames with {shapes}.",
            f"It must be ({count}, 2, height, width): u and v in px from first to second frame.",
        )
    return max(reversed(fields), key=lambda one: one.shape[-1])
