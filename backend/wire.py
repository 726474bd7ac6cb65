"""Arrays as one binary message that a browser reads without copying.

Layout: ``LPA1``, uint32 length of the header, JSON header, padding, raw little-endian data. Every
array starts at a multiple of 8 bytes from the start of the message, as typed arrays ask for.
``assets/10-wire.js`` is the other end.
"""

from __future__ import annotations

import struct
from collections.abc import Collection, Mapping
from typing import Any, Final

import numpy as np
import orjson
from numpy.typing import NDArray

from backend.errors import BadRequest
from backend.protocols import JSON, Arrays

MAGIC: Final = b"LPA1"
ALIGN: Final = 8
NUMBERS: Final = ("f2", "f4", "f8", "i1", "i2", "i4", "u1", "u2", "u4")
NAN_U16: Final = 65535  # stands for "not finite" in a quantised array


def pack(arrays: Arrays, meta: JSON = None, *, u16: Collection[str] = ()) -> bytes:
    """One message with ``arrays`` and ``meta``.

    int64 becomes int32 where it fits and float64 where not; booleans become bytes; text travels
    in the header. The arrays named in ``u16`` travel as 16 bits: ``lo + step * value``, 65535
    for what is not finite, so the error is at most half a step of 1/65534 of the range.

    Raises:
        BadRequest: an array is of another kind (complex, objects).
    """
    rows: list[dict[str, Any]] = []
    bodies: list[tuple[int, bytes]] = []
    at = 0
    for name, array in arrays.items():
        row: dict[str, Any] = {"name": name, "shape": list(np.shape(array))}
        if np.asarray(array).dtype.kind == "U":
            rows.append({**row, "dtype": "str", "values": np.ravel(array).tolist()})
            continue
        numbers = _sendable(name, array)
        if name in u16 and numbers.dtype.kind == "f":
            numbers, scale = quantised(numbers)
            row |= scale
        rows.append({**row, "dtype": numbers.dtype.str[1:], "offset": at})
        bodies.append((at, numbers.tobytes()))
        at = _aligned(at + numbers.nbytes)
    return _message(rows, bodies, at, meta)


def unpack(message: bytes) -> tuple[dict[str, NDArray[np.generic]], Any]:
    """The arrays (read-only views on ``message``) and the meta of :func:`pack`.

    Quantised arrays come back as float32.

    Raises:
        BadRequest: the bytes are not such a message, or it is cut short.
    """
    try:
        if message[:4] != MAGIC:
            raise ValueError("wrong start")
        (length,) = struct.unpack_from("<I", message, 4)
        header = orjson.loads(message[8 : 8 + length])
        start = _aligned(8 + length)
        arrays = {row["name"]: _array(row, message, start) for row in header["arrays"]}
    except (ValueError, KeyError, TypeError, struct.error) as error:
        raise BadRequest(f"The array message is damaged: {error}.", "Ask for it again.") from error
    return arrays, header["meta"]


def quantised(values: NDArray[np.generic]) -> tuple[NDArray[np.uint16], dict[str, float]]:
    """``values`` as uint16 codes and the ``lo`` and ``step`` that give them back."""
    is_finite = np.isfinite(values)
    finite = values[is_finite].astype(np.float64)
    lo, hi = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
    step = (hi - lo) / (NAN_U16 - 1) or 1.0
    codes = np.full(values.shape, NAN_U16, dtype="<u2")
    codes[is_finite] = np.rint((finite - lo) / step)
    return codes, {"lo": lo, "step": step}


def _message(
    rows: list[dict[str, Any]], bodies: list[tuple[int, bytes]], size: int, meta: JSON
) -> bytes:
    header = orjson.dumps({"meta": meta, "arrays": rows}, option=orjson.OPT_SERIALIZE_NUMPY)
    start = _aligned(8 + len(header))
    message = bytearray(start + size)
    message[:8] = MAGIC + struct.pack("<I", len(header))
    message[8 : 8 + len(header)] = header
    for at, body in bodies:
        message[start + at : start + at + len(body)] = body
    return bytes(message)


def _aligned(size: int) -> int:
    return -(-size // ALIGN) * ALIGN


def _sendable(name: str, array: NDArray[np.generic]) -> NDArray[np.generic]:
    """``array``, contiguous, little endian, of a type that browsers have."""
    array = np.asarray(array)
    if array.dtype.kind == "b":
        array = array.astype(np.uint8)
    elif array.dtype.str[1:] in ("i8", "u8"):
        limits = np.iinfo(np.int32)
        fits = not array.size or (array.min() >= limits.min and array.max() <= limits.max)
        array = array.astype(np.int32 if fits else np.float64)
    if array.dtype.str[1:] not in NUMBERS:
        raise BadRequest(
            f"The array {name!r} of type {array.dtype} cannot be sent.",
            "Numbers, booleans and text can.",
        )
    return np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<")).reshape(array.shape)


def _array(row: Mapping[str, Any], message: bytes, start: int) -> NDArray[np.generic]:
    shape = tuple(row["shape"])
    if row["dtype"] == "str":
        return np.array(row["values"], dtype=np.str_).reshape(shape)
    if row["dtype"] not in NUMBERS:
        raise ValueError(f"type {row['dtype']}")
    count = 1
    for length in shape:
        count *= int(length)
    offset = start + row["offset"]
    flat = np.frombuffer(message, dtype=f"<{row['dtype']}", count=count, offset=offset)
    if "step" in row:
        values = (flat.astype(np.float64) * row["step"] + row["lo"]).astype(np.float32)
        flat = np.where(flat == NAN_U16, np.float32(np.nan), values)
    return flat.reshape(shape)
