"""Turns a model card into a network ready for inference."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from models.cards import WEIGHTS, ModelCard, WeightsMismatch, verify_weights, weights_path
from models.centernet import CropCenterNet
from models.detector import CropDetector
from models.digit_cnn import DigitCNN
from models.dual_encoder import Heads
from models.efficientnet_lite import EfficientNetLite0
from models.guided_nets import BirdNet, GarmentNet
from models.p4_cnn import P4CNN
from models.people_clip import PeopleClip
from models.piv_net import PivNet
from models.point_transformer import PointTransformer
from models.zoom_baselines import AtsNet, DownscaledCnn
from models.zoom_net import ZoomNet

ARCHITECTURES: Mapping[str, Callable[[int], nn.Module]] = {
    "BirdNet": BirdNet,
    "CropCenterNet": CropCenterNet,
    "CropDetector": CropDetector,
    "DigitCNN": DigitCNN,
    "GarmentNet": GarmentNet,
    "P4CNN": P4CNN,
    "PairHeads": lambda classes: Heads(),  # a space has no classes
    "PeopleClip": lambda classes: PeopleClip(),  # groups are its classes
    "PivNet": lambda families: PivNet(),  # a field has no classes
    "PointTransformer": PointTransformer,
    "EfficientNetLite0": EfficientNetLite0,
    "ZoomNet": ZoomNet,
    "AtsNet": AtsNet,
    "DownscaledCnn": DownscaledCnn,
}
"""Factories by the name a card uses; each takes the number of classes."""


def load_module(card: ModelCard, folder: Path = WEIGHTS) -> nn.Module:
    """The card's network with its weights, in eval mode, on the CPU, its parameters frozen.

    It maps (n, channels, height, width) float32 in [0, 1] to logits (n, len(card.classes)) float32.

    Raises:
        WeightsMismatch: the architecture is unknown; the file is missing, damaged or not the
        card's; or its
            tensors do not fit the network.
    """
    if card.architecture not in ARCHITECTURES:
        known = ", ".join(sorted(ARCHITECTURES))
        raise WeightsMismatch(
            f"Card {card.key!r} asks for the architecture {card.architecture!r}; known are {known}."
        )
    verify_weights(card, folder)
    try:
        stored = load_file(weights_path(card, folder))
    except SafetensorError as error:
        raise WeightsMismatch(
            f"{card.weights_file} is not a readable safetensors file: {error}."
        ) from error
    module = ARCHITECTURES[card.architecture](len(card.classes))
    module.load_state_dict(_fit(card, stored, module.state_dict()))
    return module.eval().requires_grad_(False)


def _fit(
    card: ModelCard, stored: Mapping[str, Tensor], wanted: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """The stored tensors in the dtypes the network wants; half precision is widened here."""
    missing, extra = sorted(wanted.keys() - stored.keys()), sorted(stored.keys() - wanted.keys())
    if missing or extra:
        problem = (
            f"lacks {missing[0]!r}" if missing else f"has {extra[0]!r}, which the network has not"
        )
        raise WeightsMismatch(
            f"{card.weights_file} does not fit {card.architecture}: it {problem}."
        )
    for name, tensor in stored.items():
        if tensor.shape != wanted[name].shape:
            raise WeightsMismatch(
                f"{card.weights_file} does not fit {card.architecture}: {name!r} has the shape "
                f"{tuple(tensor.shape)}, the network wants {tuple(wanted[name].shape)}."
            )
        if not torch.isfinite(tensor).all():
            raise WeightsMismatch(
                f"{card.weights_file} holds values in {name!r} that are not finite."
            )
    return {name: tensor.to(wanted[name].dtype) for name, tensor in stored.items()}
