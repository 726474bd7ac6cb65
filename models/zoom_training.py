"""Training passes of the Zoom-In network and its baselines on batches that fit into memory.

Everything is drawn from a generator. Shapes: images (n, 3, s, s) uint8 with s a whole number of
tiles. Source: Advancing Vision Intelligence (dissertation, 2024), "(2.11)" is its equation.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from models.zoom_baselines import AtsNet, DownscaledCnn
from models.zoom_net import Geometry, ZoomNet
from models.zoom_sampling import complement, entropy, gumbel_order, order_weights, scored

ENTROPY_WEIGHT = 1e-5
BASELINE_PACE = 0.05


@dataclass(frozen=True, slots=True)
class Drawn:
    """One pass: what was drawn and what came out.

    Attributes:
        logits: (n, classes); alpha: (n, tiles).
        entropy: sum of the entropies of all maps.
        tiles: (d, 2), image and tile of each distinct tile; betas: (d, places).
        pieces: (m, 3), image, row and column of the centre of each piece that was looked at.
        joint: (m,), its attention: alpha times beta.
    """

    logits: Tensor
    alpha: Tensor
    entropy: Tensor
    tiles: Tensor
    betas: Tensor
    pieces: Tensor
    joint: Tensor


def shrunk(images: Tensor, factor: int) -> Tensor:
    """Images (n, 3, s, s) uint8 made smaller by means over squares, float32 in [0, 1]."""
    return functional.avg_pool2d(images.float(), factor) / 255.0


def pieces_at(images: Tensor, which: Tensor, centres: Tensor, side: int) -> Tensor:
    """Squares (k, 3, side, side) in [0, 1] around centres (k, 2) rows and columns; zeros outside.

    Args:
        which: (k,), the image of each.
    """
    half = side // 2
    padded = functional.pad(images, [half, side - half] * 2)
    reach = torch.arange(side)
    rows = (centres[:, :1] + reach)[:, None, :, None]
    columns = (centres[:, 1:] + reach)[:, None, None, :]
    channel = torch.arange(3)[None, :, None, None]
    return padded[which[:, None, None, None], channel, rows, columns].float() / 255.0


def places_px(count: int, side_px: int) -> Tensor:
    """Pixel of a tile's side that each of ``count`` places of its view stands for, (count,) int64.

    The source's map of locations: floor(i (side - 1) / (count - 1)).
    """
    if count == 1:
        return torch.tensor([side_px // 2])
    return torch.arange(count) * (side_px - 1) // (count - 1)


def zoom_pass(
    net: ZoomNet,
    images: Tensor,
    n_tiles: int,
    generator: torch.Generator,
    rejects: bool = False,
) -> Drawn:
    """Two-stage attention sampling of a batch.

    Args:
        rejects: draw from what attention rejects (the contrastive view) instead.
    """
    sizes = net.geometry
    views = shrunk(images, sizes.tile_px // sizes.view_px)
    logits = net.tile_logits(functional.avg_pool2d(views, sizes.view_px // sizes.cell_px))
    count, side = len(images), logits.shape[-1]
    alpha = logits.flatten(1).softmax(-1)
    law = complement(alpha) if rejects else alpha
    drawn = torch.multinomial(law.detach(), n_tiles, replacement=True, generator=generator)
    hits = torch.zeros_like(law, dtype=torch.int64).scatter_add_(1, drawn, torch.ones_like(drawn))
    tiles = hits.nonzero()
    image, tile = tiles.T
    times = hits[image, tile]
    views = functional.unfold(views, sizes.view_px, stride=sizes.view_px)
    views = views.view(count, 3, sizes.view_px, sizes.view_px, -1)[image, ..., tile]
    betas = net.sub_logits(views).flatten(1).softmax(-1)
    second = complement(betas) if rejects else betas
    order = gumbel_order(second.detach().log(), int(times.max()), generator)
    row, rank = (torch.arange(order.shape[1]) < times[:, None]).nonzero().T
    place = order[row, rank]
    corner = torch.stack((tile // side, tile % side), 1) * sizes.tile_px
    centres = corner[row] + _within(place, sizes)
    found = net.features(pieces_at(images, image[row], centres, sizes.subtile_px))
    chosen = second.gather(1, order)
    weights = order_weights(chosen.detach(), times)[row, rank]
    log_law = second[row, place].log() + law[image[row], tile[row]].log()
    taught = scored(found, log_law, net.baseline)
    share = weights * times[row] / n_tiles
    means = torch.zeros(count, found.shape[1]).index_add(0, image[row], taught * share[:, None])
    if net.training and not rejects:
        learn_baseline(net, found)
    spread = entropy(alpha).sum() + entropy(betas).sum()
    joint = alpha[image[row], tile[row]] * betas[row, place]
    pieces = torch.cat((image[row, None], centres), 1)
    return Drawn(net.g(means), alpha, spread, tiles, betas, pieces, joint.detach())


@torch.no_grad()
def learn_baseline(net: ZoomNet, features: Tensor) -> None:
    """Moves the network's running mean of features towards these (k, 32)."""
    net.baseline.lerp_(features.mean(0), BASELINE_PACE)


def _within(place: Tensor, sizes: Geometry) -> Tensor:
    """Row and column (k, 2) in its tile that each place of a tile's view stands for."""
    at = places_px(sizes.view_px, sizes.tile_px)
    return torch.stack((at[place // sizes.view_px], at[place % sizes.view_px]), 1)


def zoom_loss(
    net: ZoomNet,
    images: Tensor,
    labels: Tensor,
    n_tiles: int,
    generator: torch.Generator,
    is_contrastive: bool = True,
    masks: Tensor | None = None,
) -> Tensor:
    """The objective (2.11) of what was drawn, a mean over the batch.

    Cross-entropy; ``-log p(class 0)`` of what the attention on images of other classes rejects;
    minus 1e-5 times the entropy of all maps; and, where masks are given, :func:`mask_loss`.

    Args:
        labels: (n,) int64; 0 is the class of images with nothing in them.
        masks: (n, s, s) bool, where the object is: the optional supervision by pixels.
    """
    done = zoom_pass(net, images, n_tiles, generator)
    loss = functional.cross_entropy(done.logits, labels)
    loss = loss - ENTROPY_WEIGHT * done.entropy / len(images)
    positive = images[labels > 0]
    if is_contrastive and len(positive):
        loss = loss + contrastive_loss(net, positive, n_tiles, generator) / len(images)
    if masks is not None:
        loss = loss + mask_loss(done, masks, net.geometry.tile_px)
    return loss


def contrastive_loss(
    net: ZoomNet, positive: Tensor, n_tiles: int, generator: torch.Generator
) -> Tensor:
    """Sum over images of ``-log(1 - p)``: what their attention rejects must look like class 0."""
    rejected = zoom_pass(net, positive, n_tiles, generator, rejects=True)
    return -rejected.logits.log_softmax(-1)[:, 0].sum()


def mask_loss(done: Drawn, masks: Tensor, tile_px: int) -> Tensor:
    """Cross-entropy of both attention maps with the share of the object in each place.

    Images without an object count for nothing. The source names this supervision without saying
    how; this is the simplest form.
    """
    amount = functional.avg_pool2d(masks[:, None].float(), tile_px).flatten(1)
    has = amount.sum(1) > 0
    if not has.any():
        return done.alpha.sum() * 0.0
    wanted = amount[has] / amount[has].sum(1, keepdim=True)
    first = -(wanted * done.alpha[has].clamp(min=1e-12).log()).sum(1).mean()
    image, tile = done.tiles.T
    side = round(done.betas.shape[1] ** 0.5)
    fine = functional.avg_pool2d(masks[:, None].float(), tile_px // side)
    fine = functional.unfold(fine, side, stride=side)[image, :, tile]
    inside = fine.sum(1) > 0
    if not inside.any():
        return first
    target = fine[inside] / fine[inside].sum(1, keepdim=True)
    second = -(target * done.betas[inside].clamp(min=1e-12).log()).sum(1).mean()
    return first + second


def ats_pass(
    net: AtsNet, images: Tensor, count: int, generator: torch.Generator, baseline: Tensor
) -> tuple[Drawn, Tensor]:
    """One-stage sampling (its places stand as tiles), and the mean feature (32,)."""
    logits = net.place_logits(shrunk(images, net.scale_px))
    alpha = logits.flatten(1).softmax(-1)
    drawn = torch.multinomial(alpha.detach(), count, replacement=True, generator=generator)
    at = places_px(logits.shape[-1], images.shape[-1])
    width = logits.shape[-1]
    place = drawn.flatten()
    centres = torch.stack((at[place // width], at[place % width]), 1)
    which = torch.arange(len(images)).repeat_interleave(count)
    found = net.features(pieces_at(images, which, centres, net.subtile_px))
    taught = scored(found, alpha[which, place].log(), baseline)
    means = taught.view(len(images), count, -1).mean(1)
    tiles = torch.stack((which, place), 1)
    pieces = torch.cat((which[:, None], centres), 1)
    joint = alpha[which, place].detach()
    none = torch.zeros(0, 0)
    done = Drawn(net.g(means), alpha, entropy(alpha).sum(), tiles, none, pieces, joint)
    return done, found.detach().mean(0)


def ats_loss(
    net: AtsNet,
    images: Tensor,
    labels: Tensor,
    count: int,
    generator: torch.Generator,
    baseline: Tensor,
) -> tuple[Tensor, Tensor]:
    """Cross-entropy minus 1e-5 times the entropy of the map, and the next baseline (32,)."""
    done, mean = ats_pass(net, images, count, generator, baseline)
    loss = functional.cross_entropy(done.logits, labels)
    loss = loss - ENTROPY_WEIGHT * done.entropy / len(images)
    return loss, baseline.lerp(mean, BASELINE_PACE)


def cnn_loss(net: DownscaledCnn, images: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy of the plain network."""
    return functional.cross_entropy(net(shrunk(images, net.scale_px)), labels)
