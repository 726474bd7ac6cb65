"""Class maps (Grad-CAM) of any registered image classifier, over a whole image made small."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np

from backend import catalog
from backend.errors import BadRequest
from backend.protocols import F32, JSON, Arrays
from backend.torch_backend import TorchBackend
from backend.zoom.library import library
from backend.zoom.maps import CamRequest
from backend.zoom.source import ImageSource
from models.cards import InputSpec

TOP: Final = 5
GREY: Final = np.array([0.299, 0.587, 0.114], np.float32)


def class_map(model: str, image: ImageSource) -> tuple[F32, F32]:
    """Where a classifier finds the class it answers with, and all its probabilities.

    The image is squeezed to the size that the model takes, whatever its proportions.

    Args:
        model: a key of ``maps.classifiers()``.

    Returns:
        ``(rows, columns)`` over the whole image, 0 to 1, all 0 where nothing speaks for the class;
        and probabilities ``(k,)``.

    Raises:
        BadRequest: the model runs elsewhere than in torch, or its last layer's output is no map.
    """
    net = catalog.load_model(model)
    if not isinstance(net, TorchBackend):
        raise BadRequest(f"{model} gives no gradients.", "Choose a classifier in PyTorch.")
    batch = as_input(image, net.card.input)
    probabilities = net.predict(batch)[0]
    target = np.array([probabilities.argmax()], np.int64)
    for layer in reversed(net.card.layers):  # the last one that is a map
        try:
            found = net.class_activation(batch, target, layer)[0]
        except BadRequest:
            continue
        top = float(found.max())
        return (found / top if top > 0 else found).astype(np.float32), probabilities
    raise BadRequest(f"No layer of {model} puts out a map.", "Choose another classifier.")


def as_input(image: ImageSource, spec: InputSpec) -> F32:
    """The whole image as (1, c, h, w) float32 in [0, 1], in the size that a model takes."""
    pixels = image.read(0, 0, image.width, image.height, spec.width, spec.height)
    scaled = pixels.astype(np.float32) / np.float32(255)
    if spec.channels == 1:
        grey: F32 = np.ascontiguousarray((scaled @ GREY)[None, None])
        return np.clip(grey, 0, 1)
    return np.ascontiguousarray(scaled.transpose(2, 0, 1)[None])


def work(params: Mapping[str, JSON], ticket: object) -> Arrays:
    """``zoom.gradcam``: ``map (rows, columns)``, ``top_classes (5,)`` and ``top (5,)``, the
    probabilities of the likeliest classes.

    Raises:
        NotFound, BadRequest, WeightsRefused: as the parts of it do.
    """
    del ticket  # one forward and one backward pass
    request = CamRequest.from_params(params)
    found, probabilities = class_map(request.model, library().open(request.image))
    order = np.argsort(-probabilities, kind="stable")[:TOP].astype(np.int64)
    return {"map": found, "top_classes": order, "top": probabilities[order]}
