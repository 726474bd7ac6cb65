"""Training passes for images so small that nothing has to be drawn. Same shapes as elsewhere.

On large images the few pieces drawn at first hardly ever show the needle, so nothing is learned.
So ``f`` learns first from single pieces of images hardly larger than one. Then the attention maps
learn, with ``f`` as it is, on images of a few tiles, where the maps of ``f`` are affordable once:
their means over squares are the features of all pieces (but for the zeros around a piece's own
border), and equation (2.5), which the draws only estimate, can be computed as it stands. The source
does not say how its network starts to learn; this start is ours. It uses labels of images only.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.zoom_baselines import AtsNet
from models.zoom_net import ZoomNet, feature_maps
from models.zoom_sampling import complement, entropy
from models.zoom_training import ENTROPY_WEIGHT, learn_baseline, pieces_at, shrunk

AT_ONCE = 4


def piece_loss(
    net: ZoomNet | AtsNet, images: Tensor, labels: Tensor, generator: torch.Generator
) -> Tensor:
    """Cross-entropy of one piece at random out of each image, without any attention.

    Only of use where the images are hardly larger than a piece.
    """
    side = net.geometry.subtile_px if isinstance(net, ZoomNet) else net.subtile_px
    size, count = images.shape[-1], len(images)
    centres = torch.randint(side // 2, size - side // 2 + 1, (count, 2), generator=generator)
    found = net.features(pieces_at(images, torch.arange(count), centres, side))
    if isinstance(net, ZoomNet):
        learn_baseline(net, found)
    return functional.cross_entropy(net.g(found), labels)


@torch.no_grad()
def place_features(layers: nn.Module, images: Tensor, side: int, step: int) -> Tensor:
    """Features (n, s / step, s / step, 32), half precision, of the pieces around every
    ``step``-th pixel of images (n, 3, s, s) uint8; a few images at a time."""
    found = []
    for some in torch.split(images, AT_ONCE):
        maps = feature_maps(layers, some.float() / 255.0)
        maps = functional.pad(maps, [side // 2, side - side // 2] * 2)
        count = images.shape[-1] // step
        means = functional.avg_pool2d(maps, side, step)[:, :, :count, :count]
        found.append(means.permute(0, 2, 3, 1).half())
    return torch.cat(found)


def whole_zoom_loss(
    net: ZoomNet, images: Tensor, labels: Tensor, features: Tensor, is_contrastive: bool = True
) -> Tensor:
    """The objective (2.11) with the means over all tiles and places, equation (2.5).

    Args:
        features: of the images' places, from :func:`place_features`.
    """
    sizes, count = net.geometry, len(images)
    view = sizes.view_px
    side = features.shape[1] // view
    # (n, tiles, places, 32), tiles row by row
    split = features.float().reshape(count, side, view, side, view, -1).permute(0, 1, 3, 2, 4, 5)
    split = split.reshape(count, side * side, view * view, -1)
    views = shrunk(images, sizes.tile_px // view)
    logits = net.tile_logits(functional.avg_pool2d(views, view // sizes.cell_px))
    alpha = logits.flatten(1).softmax(-1)
    views = functional.unfold(views, view, stride=view).permute(0, 2, 1)
    betas = net.sub_logits(views.reshape(-1, 3, view, view)).flatten(1).softmax(-1)
    betas = betas.view(count, side * side, -1)
    loss = functional.cross_entropy(net.g(_mean(alpha, betas, split)), labels)
    loss = loss - ENTROPY_WEIGHT * (entropy(alpha).mean() + entropy(betas).sum(1).mean())
    positive = labels > 0
    if is_contrastive and positive.any():
        rest = _mean(complement(alpha), complement(betas), split)[positive]
        loss = loss - net.g(rest).log_softmax(-1)[:, 0].sum() / count
    learn_baseline(net, split.flatten(0, 2))
    return loss


def _mean(alpha: Tensor, betas: Tensor, features: Tensor) -> Tensor:
    return torch.einsum("nt,ntp,ntpd->nd", alpha, betas, features)


def whole_ats_loss(net: AtsNet, images: Tensor, labels: Tensor, features: Tensor) -> Tensor:
    """Cross-entropy with the mean over all places, equation (2.2), and the entropy term."""
    alpha = net.place_logits(shrunk(images, net.scale_px)).flatten(1).softmax(-1)
    mean = torch.einsum("np,npd->nd", alpha, features.float().flatten(1, 2))
    loss = functional.cross_entropy(net.g(mean), labels)
    return loss - ENTROPY_WEIGHT * entropy(alpha).mean()
