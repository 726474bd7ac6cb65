"""Looking at one image with the two-stage network: once, many times, or where the user says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from backend.errors import BadRequest
from backend.protocols import F32, I64, U8, Progress
from backend.zoom.attention import TileDraw, sample_subtiles, sample_tiles
from backend.zoom.meter import Meter
from backend.zoom.policy import Policy
from backend.zoom.result import ZoomResult
from backend.zoom.source import ArraySource, ImageSource
from backend.zoom.views import Box, Views, scales
from models.zoom_net import ZoomNet

LEAST_REGION_PX = 16
MOST_DRAWS = 200


@dataclass(frozen=True, slots=True)
class Draws:
    """The same question with other draws.

    Attributes:
        answers: ``(d, k)``, probabilities of the classes of each draw.
        distinct: ``(d,)`` int64, different tiles of each.
        seeds: ``(d,)`` int64: :func:`infer` with one of these gives that draw again.
        first: the first draw in full.
    """

    answers: F32
    distinct: I64
    seeds: I64
    first: ZoomResult

    def interval(self, label: int, share: float = 0.9) -> tuple[float, float, float]:
        """Low, mean, high of a class's probability: the middle ``share`` of the draws."""
        values = self.answers[:, label].astype(np.float64)
        low, high = np.quantile(values, [(1 - share) / 2, (1 + share) / 2])
        return float(low), float(values.mean()), float(high)

    def agreement(self) -> float:
        """The share of draws with the most frequent answer."""
        return float(np.bincount(self.answers.argmax(1)).max() / len(self.answers))


def infer(
    model: str | ZoomNet,
    image: ImageSource | U8,
    n_tiles: int = 16,
    seed: int = 0,
    *,
    policy: Policy = "sample",
    s1: float | None = None,
    s2: float | None = None,
    region: Box | None = None,
    progress: Progress | None = None,
) -> ZoomResult:
    """One look at an image: ``n_tiles`` draws of tiles, as many pieces at full resolution.

    Only the reduced view, strip by strip, and what was drawn are read. Equal arguments give equal
    results. The mean feature is unbiased over seeds (policy "sample"); the answer, which is not
    linear in it, is not.

    Args:
        model: a key of a model for needles, or a network in eval mode.
        s1, s2: scales of the views; those of the training unless given.
        region: x, y, width, height: look here, as the only tile of the first stage.

    Raises:
        BadRequest: an argument is out of range, or the image cannot be read.
        NotFound, WeightsRefused: there is no such model, or its weights do not fit the card.
    """
    done = draws(
        model, image, n_tiles, 1, seed, policy=policy, s1=s1, s2=s2, region=region,
        progress=progress,
    )  # fmt: skip
    return done.first


def draws(
    model: str | ZoomNet,
    image: ImageSource | U8,
    n_tiles: int = 16,
    count: int = 20,
    seed: int = 0,
    *,
    policy: Policy = "sample",
    s1: float | None = None,
    s2: float | None = None,
    region: Box | None = None,
    progress: Progress | None = None,
) -> Draws:
    """``count`` looks with the seeds ``seed``, ``seed + 1``, ...; maps are computed once.

    Args, Raises: as :func:`infer`; also for a number of draws out of range.
    """
    if not 1 <= count <= MOST_DRAWS:
        raise BadRequest(f"{count} draws cannot be made.", f"Allowed are 1 to {MOST_DRAWS}.")
    net = network(model)
    source = ArraySource(image) if isinstance(image, np.ndarray) else image
    tell: Callable[[int, int], None] = progress or (lambda done, total: None)
    meter = Meter()
    results: list[ZoomResult] = []
    with torch.inference_mode(), meter:
        views = Views(net, source, scales(net, s1, s2), meter)
        box = _checked_region(region, source) if region else None
        tell(0, count + 1)
        alpha = torch.ones(1, 1) if box else views.alpha().cpu()
        for i in range(count):
            tell(i + 1, count + 1)
            results.append(_look(views, alpha, box, n_tiles, seed + i, policy))
            if i == 0:  # what one look costs
                first = (meter.peak_bytes, meter.flops, meter.elapsed_s(), meter.pixels_read)
    results[0].cost[:] = first
    tell(count + 1, count + 1)
    return Draws(
        np.stack([result.answer for result in results]),
        np.array([result.distinct for result in results]),
        seed + np.arange(count, dtype=np.int64),
        results[0],
    )


def network(model: str | ZoomNet) -> ZoomNet:
    """The network of a model's key, in eval mode; a network is returned as it is.

    Raises:
        BadRequest: the model is of another kind. NotFound, WeightsRefused: as ``load_network``.
    """
    if isinstance(model, ZoomNet):
        return model
    from backend.zoom.backend import load_network

    found = load_network(model)
    if not isinstance(found, ZoomNet):
        raise BadRequest(
            f"{model} does not look in two stages.", "Choose a model such as needle-zoom."
        )
    return found


def _look(
    views: Views, alpha: Tensor, region: Box | None, n_tiles: int, seed: int, policy: Policy
) -> ZoomResult:
    generator = torch.Generator().manual_seed(seed)
    drawn = sample_tiles(alpha, n_tiles, generator, policy)
    boxes = [region or views.tile_box(index) for index in drawn.tiles.tolist()]
    betas: list[Tensor] = []
    rows: list[dict[str, Tensor]] = []
    for i, box in enumerate(boxes):  # one after another: one view alive at a time
        beta = views.beta(box).cpu()
        betas.append(beta)
        hits = int(drawn.hits[i])
        part = sample_subtiles(beta, hits, generator, policy, views.allowed(box).cpu())
        centres = [views.centre(box, place) for place in part.places.tolist()]
        chance = alpha.flatten()[drawn.tiles[i]].double()
        rows.append(
            {
                "subtiles": torch.tensor([views.piece_box(centre) for centre in centres]),
                "tile_of": torch.full((len(centres),), i),
                "places": torch.stack(
                    (part.places // beta.shape[1], part.places % beta.shape[1]), 1
                ),
                "probabilities": part.probabilities * chance,
                "weights": part.weights * (hits / n_tiles),
                "features": views.features(centres).cpu(),
            }
        )
    gathered = {name: torch.cat([row[name] for row in rows]) for name in rows[0]}
    if policy == "topk":  # what was picked, weighted by the attention on it
        gathered["weights"] = gathered["probabilities"] / gathered["probabilities"].sum()
    return _result(views.net, alpha, drawn, boxes, betas, gathered)


def _result(
    net: ZoomNet,
    alpha: Tensor,
    drawn: TileDraw,
    boxes: list[Box],
    betas: list[Tensor],
    rows: dict[str, Tensor],
) -> ZoomResult:
    weights, features = rows["weights"].float(), rows["features"]
    head, offset = net.g.weight.cpu(), net.g.bias.cpu()
    logits = head @ (weights @ features) + offset
    # A class against the mean of the others, (k, k): linear, so it splits into pieces exactly.
    k = len(offset)
    against = torch.eye(k) - (1 - torch.eye(k)) / max(1, k - 1)
    effects = features @ (against @ head).T
    return ZoomResult(
        alpha=alpha.numpy(),
        tiles=np.array(boxes, np.int64),
        hits=drawn.hits.numpy(),
        tile_probabilities=alpha.flatten()[drawn.tiles].numpy(),
        betas=torch.stack(betas).numpy(),
        subtiles=rows["subtiles"].numpy(),
        tile_of=rows["tile_of"].numpy(),
        places=rows["places"].numpy(),
        probabilities=rows["probabilities"].float().numpy(),
        weights=weights.numpy(),
        contributions=(weights[:, None] * effects).numpy(),
        bias=(against @ offset).numpy(),
        logits=logits.numpy(),
        answer=logits.double().softmax(0).float().numpy(),
        cost=np.zeros(4),
    )


def _checked_region(region: Box, source: ImageSource) -> Box:
    """The part of a user's rectangle that lies in the image.

    Raises:
        BadRequest: less than 16 x 16 pixels of it do.
    """
    x, y, width, height = region
    left, top = max(0, x), max(0, y)
    right, bottom = min(source.width, x + width), min(source.height, y + height)
    if right - left < LEAST_REGION_PX or bottom - top < LEAST_REGION_PX:
        raise BadRequest(
            f"The rectangle {width} x {height} at {x}, {y} holds too little of the image.",
            f"Draw at least {LEAST_REGION_PX} x {LEAST_REGION_PX} pixels of the image of "
            f"{source.width} x {source.height}.",
        )
    return left, top, right - left, bottom - top
