"""Tiny models of every kind and tiny data sets, written to a folder."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from PIL import Image
from safetensors.torch import save_file
from torch import nn

SIZE = (1, 12, 12)
CLASSES = ("dark", "bright")


def net(classes: int = 2) -> nn.Module:
    """Tells dark from bright pictures: the logits are ±8 times the mean minus a half."""
    net = nn.Sequential(
        nn.Conv2d(1, 2, 3, padding=1),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(2, 4),
        nn.Linear(4, classes),
    )
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.zero_()
        net[0].weight[:, 0, 1, 1] = 1
        net[4].weight[:2] = torch.eye(2)
        net[5].weight[0, 0] = -8.0
        net[5].weight[1, 0] = 8.0
        net[5].bias[0] = 8 * 0.5
        net[5].bias[1] = -8 * 0.5
    return net.eval()


def noisy(classes: int) -> nn.Module:
    """Random while it runs, whatever its mode: it answers differently each time."""

    class Random(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return nn.functional.dropout(x, 0.5, training=True)

    return nn.Sequential(nn.Flatten(), nn.Linear(144, 8), Random(), nn.Linear(8, classes))


def broken(classes: int) -> nn.Module:
    """Answers with infinity."""

    class Broken(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.flatten(1)[:, :classes] / 0

    return Broken()


def exported(path: Path, module: nn.Module | None = None, *, fixed: int = 0) -> Path:
    """A ``.pt2`` with a free batch, or one of ``fixed`` images."""
    dynamic = None if fixed else ({0: torch.export.Dim("batch")},)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        example = (torch.zeros(fixed or 2, *SIZE),)
        program = torch.export.export(module or net(), example, dynamic_shapes=dynamic)
        torch.export.save(program, path)
    return path


def scripted(path: Path) -> Path:
    """A TorchScript file."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.trace(net(), torch.zeros(1, *SIZE)).save(str(path))
    return path


def weights(path: Path) -> Path:
    """The weights alone; :func:`net` is their factory."""
    save_file(net().state_dict(), path)
    return path


def onnx_file(path: Path, *, batch: int | str = "batch", softmax: bool = False) -> Path:
    """The same classifier in ONNX: mean, times ±8."""
    weight = numpy_helper.from_array(np.array([[-8.0, 8.0]], np.float32), "w")
    bias = numpy_helper.from_array(np.array([4.0, -4.0], np.float32), "b")
    axes = numpy_helper.from_array(np.array([1, 2, 3], np.int64), "axes")
    nodes = [
        helper.make_node("ReduceMean", ["x", "axes"], ["m"], keepdims=0),
        helper.make_node("Unsqueeze", ["m", "one"], ["u"]),
        helper.make_node("Gemm", ["u", "w", "b"], ["y" if not softmax else "z"]),
    ]
    one = numpy_helper.from_array(np.array([1], np.int64), "one")
    if softmax:
        nodes.append(helper.make_node("Softmax", ["z"], ["y"], axis=1))
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [batch, *SIZE])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [batch, 2])],
        [weight, bias, axes, one],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.save(model, path)
    return path


def onnx_elsewhere(path: Path) -> Path:
    """The same, with its weights in another file."""
    model = onnx.load(onnx_file(path))
    onnx.save(model, path, save_as_external_data=True, location="weights.bin", size_threshold=0)
    return path


def images(folder: Path, count: int = 6, splits: bool = False) -> Path:
    """Class folders of grey noise, dark and bright, as PNG of 16 × 16 px."""
    rng = np.random.default_rng(0)
    for label, base in enumerate((20, 180)):
        for i in range(count):
            top = folder / ("train" if i % 2 else "test") if splits else folder
            place = top / CLASSES[label]
            place.mkdir(parents=True, exist_ok=True)
            noise = rng.integers(0, 60, (16, 16), dtype=np.uint8) + base
            Image.fromarray(noise.astype(np.uint8)).save(place / f"{i}.png")
    return folder


def transformers_folder(folder: Path) -> Path:
    """A random ResNet of transformers with two classes."""
    from transformers import ResNetConfig, ResNetForImageClassification

    torch.manual_seed(0)
    config = ResNetConfig(
        num_channels=1,
        embedding_size=4,
        hidden_sizes=[4, 8],
        depths=[1, 1],
        layer_type="basic",
        id2label={0: "dark", 1: "bright"},
        label2id={"dark": 0, "bright": 1},
    )
    ResNetForImageClassification(config).eval().save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(
        json.dumps({"size": {"height": 32, "width": 32}, "image_mean": [0.5], "image_std": [0.5]})
    )
    return folder


WORDS = ("<pad>", "<s>", "</s>", "<unk>", "a", "red", "dog", "blue", "cat")


EFFICIENT = {
    "image_size": 32,
    "width_coefficient": 1.0,
    "depth_coefficient": 1.0,
    "kernel_sizes": [3, 3],
    "in_channels": [32, 16],
    "out_channels": [16, 16],
    "strides": [1, 2],
    "num_block_repeats": [1, 1],
    "expand_ratios": [1, 2],
    "hidden_dim": 16,
    "initializer_range": 0.2,
}
"""Of ALIGN's tower of images: two blocks, wide enough that pictures come out apart."""


def language_folder(folder: Path, kind: str) -> Path:
    """A tiny random CLIP, Siglip, Align or Bert of transformers, with a tokenizer of nine words."""
    import transformers
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    torch.manual_seed(0)
    cut = Tokenizer(models.WordLevel({word: i for i, word in enumerate(WORDS)}, "<unk>"))
    cut.pre_tokenizer = pre_tokenizers.Whitespace()
    cut.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 1), ("</s>", 2)]
    )
    names = {"pad_token": "<pad>", "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}
    transformers.PreTrainedTokenizerFast(tokenizer_object=cut, **names).save_pretrained(folder)
    shared = {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 1}
    shared["num_attention_heads"] = 2
    text = {**shared, "vocab_size": len(WORDS), "max_position_embeddings": 8}
    text |= {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
    vision = {**shared, "image_size": 32, "patch_size": 16}
    make = getattr(transformers, f"{kind}Config")
    if kind == "Bert":
        config = make(**text)
    elif kind == "Align":
        config = make(text_config=text, vision_config=EFFICIENT, projection_dim=16)
    else:
        config = make(text_config=text, vision_config=vision)
    getattr(transformers, f"{kind}Model")(config).eval().save_pretrained(folder)
    return folder
