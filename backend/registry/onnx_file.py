"""Whether an ONNX file is whole in itself, read from its bytes without any package.

A tensor of an ONNX file may say that its numbers lie in another file, by any path. Such files are
refused: a model from the web must not read files of this machine.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from backend.errors import BadRequest

MODEL, GRAPH, NODE, ATTRIBUTE, FUNCTION, SPARSE, TENSOR = range(7)
INSIDE: Final[dict[int, dict[int, int]]] = {  # message -> field -> message in it (onnx.proto)
    MODEL: {7: GRAPH, 25: FUNCTION},
    GRAPH: {1: NODE, 5: TENSOR, 15: SPARSE},
    NODE: {5: ATTRIBUTE},
    ATTRIBUTE: {5: TENSOR, 6: GRAPH, 10: TENSOR, 11: GRAPH, 22: SPARSE, 23: SPARSE},
    FUNCTION: {7: NODE},
    SPARSE: {1: TENSOR, 2: TENSOR},
    TENSOR: {},
}
EXTERNAL_DATA, DATA_LOCATION = 13, 14
DEEPEST: Final = 64
BYTES: Final = 2  # wire type


class _Broken(Exception):
    """The bytes are no protocol buffer."""


def check(path: Path) -> bytes:
    """The file's bytes, all of whose tensors are in it.

    Raises:
        BadRequest: one is not, or the file is no ONNX file.
    """
    data = path.read_bytes()
    try:
        is_outside = _reaches_out(memoryview(data), MODEL, 0)
    except _Broken as error:
        raise BadRequest(
            f"{path.name} is not an ONNX file, or was cut short.", "Export it again."
        ) from error
    if is_outside:
        raise BadRequest(
            f"{path.name} keeps its weights in another file (external data), which is not read.",
            "Write one file: torch.onnx.export(..., external_data=False), or "
            "onnx.save(onnx.load('model.onnx'), 'whole.onnx').",
        )
    return data


def _reaches_out(data: memoryview, message: int, depth: int) -> bool:
    if depth > DEEPEST:
        raise _Broken
    for field, wire, value in _fields(data):
        if message == TENSOR and field in (EXTERNAL_DATA, DATA_LOCATION):
            if field == EXTERNAL_DATA or value != 0:
                return True
            continue
        inner = INSIDE[message].get(field)
        if inner is not None and wire == BYTES:
            assert isinstance(value, memoryview)
            if _reaches_out(value, inner, depth + 1):
                return True
    return False


def _fields(data: memoryview) -> Iterator[tuple[int, int, int | memoryview]]:
    """Number, wire type and value of each field of a message."""
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        field, wire = tag >> 3, tag & 7
        if wire == 0:
            number, at = _varint(data, at)
            yield field, wire, number
            continue
        if wire == BYTES:
            size, at = _varint(data, at)
        elif wire in (1, 5):
            size = 8 if wire == 1 else 4
        else:
            raise _Broken
        if field == 0 or at + size > len(data):
            raise _Broken
        yield field, wire, data[at : at + size]
        at += size


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if at >= len(data) or shift > 63:
            raise _Broken
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
        shift += 7
