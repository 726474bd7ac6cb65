"""What a model's own file says about its input and answers, so that its owner need not."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from backend.errors import BadRequest
from backend.registry import exported_by, language, shapes
from backend.registry.answers import CLASSIFICATION, DETECTION, MOST_SIDE, PAIRS, TEXTS
from backend.registry.named import LIBRARIES, library
from backend.registry.spec import ModelSpec, unlike


def task_in(kind: str, place: str, factory: str = "") -> str:
    """What a model answers, where its file, folder or library says it; else classes of images."""
    if kind == "transformers":
        return language.task_in(Path(place))
    if kind == "onnx":
        return exported_by.task_in(Path(place))
    named, _, name = factory.partition(":")
    if kind not in LIBRARIES and named not in LIBRARIES:
        return CLASSIFICATION
    held = library(kind) if kind in LIBRARIES else library(named)
    return held.task_of(place if kind in LIBRARIES else name)


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
    _check_same_size(spec, found)
    usual = found.pop("usual", spec.answer.usual)  # of a file that leaves its sides free
    if any(usual):
        found.setdefault("input", usual)
    empty = {
        name: value
        for name, value in found.items()
        if value and not _is_said(name, getattr(spec, name))
    }
    made = spec.changed(empty) if empty else spec
    values = {**empty, "input": made.size}
    return made, [f"{name} = {_told(values[name])}" for name in empty]


def _is_said(name: str, value: Any) -> bool:
    if name == "range":
        return bool(value != "0..1")
    return any(value) if isinstance(value, tuple) else bool(value)


def _told(value: Any) -> str:
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
    given = [
        _sides(node.meta["val"].shape)
        for node in program.graph.nodes
        if node.op == "placeholder" and node.name in names and hasattr(node.meta["val"], "shape")
    ]
    wanted = set(program.graph_signature.user_outputs)
    (output,) = [node for node in program.graph.nodes if node.op == "output"]
    values: list[Any] = [one.meta.get("val") for one in output.args[0] if str(one) in wanted]
    answers = [_sides(value.shape) for value in values if hasattr(value, "shape")]
    return shapes.told(spec, given, answers)


def _of_onnx(spec: ModelSpec) -> dict[str, Any]:
    from backend.registry.onnx_model import session

    opened = session(Path(spec.path))
    taken = opened.get_inputs()
    given = [_sides(entry.shape) for entry in taken]
    answers = [_sides(entry.shape) for entry in opened.get_outputs()]
    found = shapes.told(spec, given, answers)
    if taken[0].type == "tensor(uint8)":
        found["range"] = "0..255"
    return found | exported_by.told(opened.get_modelmeta().custom_metadata_map)


def _sides(shape: Iterable[Any]) -> tuple[int, ...]:
    """A shape with 0 for sides that are free."""
    return tuple(side if isinstance(side, int) else 0 for side in shape)


def _of_transformers(spec: ModelSpec) -> dict[str, Any]:
    from backend.registry.kinds import check_transformers

    path = Path(spec.path)
    check_transformers(path)
    config = json.loads((path / "config.json").read_text(encoding="utf-8"))
    found: dict[str, Any] = {}
    if spec.task in (PAIRS, TEXTS):
        return {"classes": language.classes_of(spec.task)}
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
    if isinstance(wanted, int) and wanted <= MOST_SIDE:
        free = spec.task == DETECTION  # such networks take other sizes as well
        found["usual" if free else "input"] = (channels, wanted, wanted)
    names = config.get("id2label") or {}
    if len(names) > (spec.task == CLASSIFICATION):
        found["classes"] = unlike([str(names[key]) for key in sorted(names, key=int)])
    if preprocessing.get("do_normalize", bool(preprocessing.get("image_mean"))):
        found["mean"] = tuple(preprocessing.get("image_mean", ()))
        found["std"] = tuple(preprocessing.get("image_std", ()))
    if spec.task == CLASSIFICATION and spec.output == "auto":
        found["output"] = "logits"
    return found


def _of_library(spec: ModelSpec) -> dict[str, Any]:
    found = library(spec.kind).told(spec.path)
    if any(spec.input):
        found.pop("input", None)  # most networks take other sizes; the trial run tells
    return found
