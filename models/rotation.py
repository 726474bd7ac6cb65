"""Rotation of image batches in torch: what the models here were trained with and scored under."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional


def rotate(images: Tensor, degrees: Tensor) -> Tensor:
    """Each image turned about its centre, counter-clockwise on screen; bilinear, zeros outside.

    Args:
        images: (n, c, h, w) float, with h = w (a turned grid does not fit a rectangle).
        degrees: (n,) float, the angle of each image; or (1,) for all.

    Returns:
        (n, c, h, w), same dtype. At multiples of 90 degrees the pixels are moved, not mixed (to
        about 1e-6).

    Raises:
        ValueError: the images are not square.
    """
    n, _, height, width = images.shape
    if height != width:
        raise ValueError(
            f"Only square images can be rotated on their own grid, not {height} x {width}."
        )
    radians = degrees.to(torch.float64) * (math.pi / 180.0)
    cos, sin = torch.cos(radians), torch.sin(radians)
    # cos(pi/2) is 6e-17, not 0; snapping keeps right angles on pixel centres.
    cos, sin = (torch.where(v.abs() < 1e-12, torch.zeros_like(v), v) for v in (cos, sin))
    zero = torch.zeros_like(cos)
    # grid_sample asks where each output pixel comes from; y points down, so this is the inverse of
    # a counter-clockwise turn on screen.
    matrix = torch.stack([torch.stack([cos, -sin, zero], -1), torch.stack([sin, cos, zero], -1)], 1)
    theta = matrix.to(images.dtype).expand(n, 2, 3)
    grid = functional.affine_grid(theta, list(images.shape), align_corners=False)
    return functional.grid_sample(
        images, grid, mode="bilinear", padding_mode="zeros", align_corners=False
    )
