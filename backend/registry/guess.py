"""What a model's own file says about its input and answers, so that its owner need not."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from backend.errors import BadRequest
from backend.registry import language
from backend.registry.named import LIBRARIES, library
from backend.registry.spec import MOST_CLASSES, TASK, ModelSpec, counted

CHANNELS: Final = (1, 3)


def guessed(spec: ModelSpec) -> tuple[ModelSpec, list[str]]:
    """The spec with what its file says filled in where its owner said nothing, and what was
    guessed, in words.

    Raises:
        BadRequest: the file says something that a view of images cannot use.
    """
    readers = {
        "torch.export": _of_export,
        "onnx": _of_onnx,
        "transformers": _of_transformers,
    }
    reader = _of_library if spec.kind in LIBRARIES else readers.get(spec.kind)
    found: dict[str, Any] = reader(spec) if reader else {}
    empty = {
        name: value
        for name, value in found.items()
        if value and not _is_said(name, getattr(spec, name))
    }
    _check_same_size(spec, found)
    told = [f"{name} = {_told(value)}" for name, value in empty.items()]
    return (spec.changed(empty) if empty else spec), told


def _is_said(name: str, value: Any) -> bool:
    if name == "range":
        return bool(value != "0..1")
    return any(value) if isinstance(value, tuple) else bool(value)


def _told(value: Any) -> str:
    if isinstance(value, tuple) and len(value) == 3 and all(isinstance(v, int) for v in value):
        return "x".join(map(str, value))
    if isinstance(value, tuple) and len(value) > 4:
        return f"{len(value)}, {value[0]} to {value[-1]}"
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _check_same_size(spec: ModelSpec, found: Mapping[str, Any]) -> None:
    size = found.get("input")
    if size and any(spec.input) and tuple(size) != spec.input:
        written = "x".join(map(str, size))
        raise BadRequest(
            f"--input says {spec.size}, and the file itself takes {written}.",
            f"Leave --input away, or write --input {written}.",
        )


def _of_export(spec: ModelSpec) -> dict[str, Any]:
    from backend.registry.torch_models import exported_program

    program = exported_program(Path(spec.path))
    names = set(program.graph_signature.user_inputs)
    shapes = [
        tuple(node.meta["val"].shape)
        for node in program.graph.nodes
        if node.op == "placeholder" and node.name in names and hasattr(node.meta["val"], "shape")
    ]
    if len(shapes) != 1:
        raise BadRequest(
            f"The program takes {len(shapes)} tensors.",
            "An image classifier takes one; export a module whose forward has one argument.",
        )
    shape = tuple(side if isinstance(side, int) else 0 for side in shapes[0])
    outputs = [node for node in program.graph.nodes if node.op == "output"]
    first = outputs[0].args[0][-1] if outputs and outputs[0].args[0] else None
    answer = getattr(getattr(first, "meta", {}).get("val", None), "shape", ())
    return _of_shapes(spec, shape, answer)


def _of_onnx(spec: ModelSpec) -> dict[str, Any]:
    from backend.registry.onnx_model import session

    opened = session(Path(spec.path))
    given = [side if isinstance(side, int) else 0 for side in opened.get_inputs()[0].shape]
    answer = [side if isinstance(side, int) else 0 for side in opened.get_outputs()[0].shape]
    found = _of_shapes(spec, tuple(given), tuple(answer))
    if opened.get_inputs()[0].type == "tensor(uint8)":
        found["range"] = "0..255"
    return found


def _of_shapes(spec: ModelSpec, given: tuple[int, ...], answer: Any) -> dict[str, Any]:
    """Input and number of classes of two shapes with 0 for what is free."""
    if len(given) != 4:
        raise BadRequest(
            f"{spec.name} takes an array of {len(given)} axes {given}.",
            "An image classifier takes (images, channels, height, width).",
        )
    if given[1] not in (0, *CHANNELS) and given[3] in CHANNELS:
        raise BadRequest(
            f"{spec.name} takes images with the channels last: {given}.",
            "Export it channels first: with tf2onnx add --inputs-as-nchw; in torch permute inside.",
        )
    found: dict[str, Any] = {"batch": given[0]}
    if all(given[1:]):
        found["input"] = given[1:]
    count = answer[1] if len(answer) >= 2 and isinstance(answer[1], int) else 0
    if 2 <= count <= MOST_CLASSES and all(side == 1 for side in answer[2:]):
        found["classes"] = counted(count)
    return found


def _of_transformers(spec: ModelSpec) -> dict[str, Any]:
    from backend.registry.kinds import check_transformers

    path = Path(spec.path)
    check_transformers(path)
    config = json.loads((path / "config.json").read_text(encoding="utf-8"))
    found: dict[str, Any] = {}
    if (task := language.task_of(config)) != TASK:
        return {"classes": language.classes_of(task)}
    size, channels = config.get("image_size"), config.get("num_channels", 3)
    preprocessing: Mapping[str, Any] = {}
    if (path / "preprocessor_config.json").is_file():
        text = (path / "preprocessor_config.json").read_text(encoding="utf-8")
        preprocessing = json.loads(text)
    wanted = preprocessing.get("crop_size") or preprocessing.get("size") or size
    if isinstance(wanted, Mapping):
        wanted = wanted.get("height") or wanted.get("shortest_edge")
    if isinstance(wanted, list):
        wanted = wanted[0]
    if isinstance(wanted, int):
        found["input"] = (channels, wanted, wanted)
    names = config.get("id2label") or {}
    if len(names) > 1:
        found["classes"] = tuple(str(names[key]) for key in sorted(names, key=int))
    if preprocessing.get("do_normalize", bool(preprocessing.get("image_mean"))):
        found["mean"] = tuple(preprocessing.get("image_mean", ()))
        found["std"] = tuple(preprocessing.get("image_std", ()))
    found["output"] = "logits"
    return {k: v for k, v in found.items() if k != "output" or spec.output == "auto"}


def _of_library(spec: ModelSpec) -> dict[str, Any]:
    found = library(spec.kind).told(spec.path)
    if any(spec.input):
        del found["input"]  # most networks take other sizes; the trial run tells
    return found
