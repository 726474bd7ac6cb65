"""Reads a TensorFlow.js graph model (json and bin) and runs it node by node with torch.

Used once, at build time, to prove that a converted network answers like the published graph. It
knows the operations of that graph and no others.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

Node = dict[str, Any]


def attribute(node: Node, name: str) -> Any:
    """An attribute as plain Python: text, number, truth value, a list of these, or None."""
    value = node.get("attr", {}).get(name)
    if value is None:
        return None
    if "list" in value:
        held = value["list"]
        return [int(v) for v in held.get("i", [])] or [
            base64.b64decode(v).decode() for v in held.get("s", [])
        ]
    if "s" in value:
        return base64.b64decode(value["s"]).decode()
    return value.get("b", value.get("i", value.get("f", value.get("type"))))


def read_weights(path: Path, manifest: list[dict[str, Any]]) -> dict[str, Tensor]:
    """All constants by name; half precision is widened."""
    found = {}
    for group in manifest:
        content = b"".join((path.parent / name).read_bytes() for name in group["paths"])
        start = 0
        for entry in group["weights"]:
            dtype = np.dtype(entry.get("quantization", entry)["dtype"])
            count = int(np.prod(entry["shape"], dtype=np.int64))
            flat = np.frombuffer(content, dtype, count, start)
            start += count * dtype.itemsize
            array = flat.astype(np.dtype(entry["dtype"])).reshape(entry["shape"])
            found[entry["name"]] = torch.from_numpy(array.copy())
    return found


class Graph:
    """A graph model; call it with the input (1, h, w, 3) and the names of the nodes to tell."""

    def __init__(self, path: Path) -> None:
        told = json.loads(path.read_text(encoding="utf-8"))
        self.nodes: dict[str, Node] = {n["name"]: n for n in told["modelTopology"]["node"]}
        self.weights = read_weights(path, told["weightsManifest"])
        self.entry = next(k for k, n in self.nodes.items() if n["op"] == "Placeholder")

    def __call__(self, picture: Tensor, *wanted: str) -> list[Tensor]:
        """The values of some nodes."""
        known: dict[str, Any] = {self.entry: picture}
        for name in wanted:
            self._compute(name, known)
        return [known[name] for name in wanted]

    def _compute(self, name: str, known: dict[str, Any]) -> None:
        waiting = [name]
        while waiting:
            node = self.nodes[waiting[-1]]
            needed = [i for i in node.get("input", []) if not i.startswith("^")]
            missing = [i.split(":")[0] for i in needed if i.split(":")[0] not in known]
            if missing:
                waiting += missing
                continue
            arguments = []
            for one in needed:
                base, _, output = one.partition(":")
                value = known[base]
                arguments.append(value[int(output or 0)] if isinstance(value, tuple) else value)
            known[waiting.pop()] = self._run(node, arguments)

    def _run(self, node: Node, a: list[Any]) -> Any:
        if node["op"] == "Const":
            return self.weights[node["name"]]
        if "onv2" in node["op"]:
            return convolved(node, a)
        return OPERATIONS[node["op"]](node, a)


def convolved(node: Node, a: list[Tensor]) -> Tensor:
    """A convolution (n, h, w, c) with what is fused to it."""
    is_depthwise = "epthwise" in node["op"]
    stride = attribute(node, "strides")[1]
    weights = a[1].permute(2, 3, 0, 1) if is_depthwise else a[1].permute(3, 2, 0, 1)
    if is_depthwise:
        weights = weights.reshape(-1, 1, *weights.shape[2:])
    x = a[0].permute(0, 3, 1, 2)
    if attribute(node, "padding") == "SAME":
        x = padded(x, weights.shape[-1], stride, 0.0)
    groups = len(weights) if is_depthwise else 1
    y = functional.conv2d(x, weights, None, stride, groups=groups).permute(0, 2, 3, 1)
    for fused in attribute(node, "fused_ops") or []:
        y = y + a[2] if fused == "BiasAdd" else functional.relu(y)
    return y


def padded(x: Tensor, kernel: int, stride: int, value: float) -> Tensor:
    """(n, c, h, w) padded as SAME asks for."""
    amount = []
    for size in (x.shape[3], x.shape[2]):
        over = max((-(-size // stride) - 1) * stride + kernel - size, 0)
        amount += [over // 2, over - over // 2]
    return functional.pad(x, amount, value=value)


def pooled(node: Node, a: list[Tensor]) -> Tensor:
    """A running maximum with stride 1."""
    kernel = attribute(node, "ksize")[1]
    x = padded(a[0].permute(0, 3, 1, 2), kernel, 1, float("-inf"))
    return functional.max_pool2d(x, kernel, 1).permute(0, 2, 3, 1)


def resized(node: Node, a: list[Tensor]) -> Tensor:
    """Bilinear interpolation whose sampling grid starts at the first px's centre."""
    del node
    x, (height, width) = a[0], (int(v) for v in a[1])
    rows = torch.arange(height) * (x.shape[1] / height)
    columns = torch.arange(width) * (x.shape[2] / width)
    for dim, place in ((1, rows), (2, columns)):
        low = place.floor().long()
        high = (low + 1).clamp(max=x.shape[dim] - 1)
        share = (place - low).view([-1 if d == dim else 1 for d in range(4)])
        x = x.index_select(dim, low) * (1 - share) + x.index_select(dim, high) * share
    return x


def sliced(node: Node, a: list[Tensor]) -> Tensor:
    """A strided slice."""
    begin, end, step = (t.tolist() for t in a[1:4])
    masks = {
        name: int(attribute(node, f"{name}_mask") or 0)
        for name in ("begin", "end", "shrink_axis", "new_axis", "ellipsis")
    }
    index: list[Any] = []
    for i in range(len(begin)):
        bit = {name: mask >> i & 1 for name, mask in masks.items()}
        if bit["ellipsis"]:
            index.append(...)
        elif bit["new_axis"]:
            index.append(None)
        elif bit["shrink_axis"]:
            index.append(begin[i])
        else:
            first = None if bit["begin"] else begin[i]
            index.append(slice(first, None if bit["end"] else end[i], step[i]))
    return a[0][tuple(index)]


def cast_to(node: Node, a: list[Tensor]) -> Tensor:
    """Another number type."""
    kinds = {"DT_FLOAT": torch.float32, "DT_INT32": torch.int32}
    return a[0].to(kinds[attribute(node, "DstT")])


def strongest(node: Node, a: list[Tensor]) -> tuple[Tensor, Tensor]:
    """The k largest values and where they are."""
    del node
    values, places = torch.topk(a[0], int(a[1]), -1)
    return values, places.to(torch.int32)


OPERATIONS: dict[str, Callable[[Node, list[Any]], Any]] = {
    "Identity": lambda n, a: a[0],
    "Add": lambda n, a: a[0] + a[1],
    "Sub": lambda n, a: a[0] - a[1],
    "Mul": lambda n, a: a[0] * a[1],
    "FloorDiv": lambda n, a: torch.div(a[0], a[1], rounding_mode="floor"),
    "FloorMod": lambda n, a: torch.remainder(a[0], a[1]),
    "Equal": lambda n, a: a[0] == a[1],
    "Relu": lambda n, a: functional.relu(a[0]),
    "Relu6": lambda n, a: functional.relu6(a[0]),
    "Sigmoid": lambda n, a: torch.sigmoid(a[0]),
    "Mean": lambda n, a: a[0].mean(dim=[int(i) for i in a[1]], keepdim=True),
    "ConcatV2": lambda n, a: torch.cat(a[:-1], int(a[-1])),
    "Reshape": lambda n, a: a[0].reshape([int(i) for i in a[1]]),
    "ExpandDims": lambda n, a: a[0].unsqueeze(int(a[1])),
    "Cast": cast_to,
    "MaxPool": pooled,
    "ResizeBilinear": resized,
    "StridedSlice": sliced,
    "TopKV2": strongest,
    "GatherV2": lambda n, a: (
        a[0].index_select(int(a[2]), a[1].flatten().long()).reshape(*a[1].shape, *a[0].shape[1:])
    ),
}
