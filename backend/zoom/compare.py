"""The same image by the baselines: attention sampling in one stage, and a plain reduced CNN."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from backend.errors import BadRequest
from backend.protocols import F32, I64, U8
from backend.zoom.backend import load_network, to_tensor
from backend.zoom.inference import infer
from backend.zoom.meter import Meter
from backend.zoom.source import ArraySource, ImageSource
from models.zoom_baselines import AtsNet, DownscaledCnn
from models.zoom_net import ZoomNet
from models.zoom_training import places_px

LARGEST_VIEW_PX = 8_000_000
Network = ZoomNet | AtsNet | DownscaledCnn


@dataclass(frozen=True, slots=True)
class Look:
    """One model's answer and what it cost.

    Attributes:
        answer: ``(k,)``, probabilities.
        pieces: ``(n, 4)`` int64, what was looked at in full resolution: x, y, width, height.
    """

    answer: F32
    pieces: I64
    peak_bytes: int
    flops: int
    seconds: float
    pixels_read: int


def look(model: str | Network, image: ImageSource | U8, n_tiles: int = 16, seed: int = 0) -> Look:
    """One look of any model for needles; ``n_tiles`` counts pieces, and nothing for a plain CNN.

    Raises:
        BadRequest: as :func:`infer`; also when a baseline would need its whole view in memory and
            that view is too large.
        NotFound, WeightsRefused: there is no such model, or its weights do not fit the card.
    """
    net = load_network(model) if isinstance(model, str) else model
    source = ArraySource(image) if isinstance(image, np.ndarray) else image
    if isinstance(net, ZoomNet):
        done = infer(net, source, n_tiles, seed)
        return Look(
            done.answer, done.subtiles, done.peak_bytes, done.flops, done.seconds, done.pixels_read
        )
    meter = Meter()
    with torch.inference_mode(), meter:
        view, pieces = _view(source, net.scale_px, meter), np.zeros((0, 4), np.int64)
        if isinstance(net, DownscaledCnn):
            logits = net(view)[0]
        else:
            pieces = _drawn(net, view, source, n_tiles, seed)
            side = net.subtile_px
            parts = [source.read(x, y, side, side, side, side) for x, y, *_ in pieces.tolist()]
            held = torch.cat([to_tensor(part) for part in parts])
            meter.read(side * side * n_tiles, held)
            logits = net(held)
        answer = logits.double().softmax(0).float().numpy()
    return Look(answer, pieces, meter.peak_bytes, meter.flops, meter.seconds, meter.pixels_read)


def _view(source: ImageSource, scale_px: int, meter: Meter) -> torch.Tensor:
    """The whole image made smaller, (1, 3, h, w)."""
    width, height = -(-source.width // scale_px), -(-source.height // scale_px)
    if width * height > LARGEST_VIEW_PX:
        raise BadRequest(
            f"This model needs its whole view of {width} x {height} pixels in memory.",
            "Use the two-stage model for an image of this size.",
        )
    pixels = source.read(0, 0, width * scale_px, height * scale_px, width, height)
    view = to_tensor(pixels)
    meter.read(width * height, view)
    return view


def _drawn(net: AtsNet, view: torch.Tensor, source: ImageSource, n_tiles: int, seed: int) -> I64:
    """Boxes (n, 4) of pieces drawn with replacement from the one map."""
    if not 1 <= n_tiles <= 1024:
        raise BadRequest(f"{n_tiles} pieces cannot be drawn.", "Allowed are 1 to 1024.")
    logits = net.place_logits(view)[0]
    alpha = logits.flatten().double().softmax(0)
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.multinomial(alpha, n_tiles, replacement=True, generator=generator)
    columns = logits.shape[1]
    y = places_px(logits.shape[0], source.height)[drawn // columns]
    x = places_px(columns, source.width)[drawn % columns]
    side = torch.full_like(x, net.subtile_px)
    corner = side // 2
    boxes: I64 = torch.stack((x - corner, y - corner, side, side), 1).numpy()
    return boxes


def full_pass_flops(net: Network, width: int, height: int) -> int:
    """Multiply-adds of ``f`` over every pixel of an image: what not sampling would cost."""
    meter = Meter()
    with torch.inference_mode(), meter:
        net.f(torch.zeros(1, 3, 64, 64))
    return meter.flops * width * height // 64**2
