"""The wire format: what goes in comes out, aligned; damage is refused."""

from __future__ import annotations

import struct

import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from backend import wire
from backend.errors import BadRequest

KINDS = ["f2", "f4", "f8", "i1", "i2", "i4", "u1", "u2", "u4"]


def header_of(message: bytes) -> dict[str, object]:
    (length,) = struct.unpack_from("<I", message, 4)
    header: dict[str, object] = orjson.loads(message[8 : 8 + length])
    return header


@settings(max_examples=100, deadline=None)
@given(
    arrays=st.dictionaries(
        st.text(max_size=8),
        st.sampled_from(KINDS).flatmap(
            lambda kind: hnp.arrays(np.dtype(kind), hnp.array_shapes(min_dims=0, min_side=0))
        ),
        max_size=4,
    ),
    meta=st.dictionaries(st.text(max_size=5), st.integers(-(2**31), 2**31) | st.text(max_size=9)),
)
def test_round_trip(arrays: dict[str, np.ndarray], meta: dict[str, object]) -> None:
    message = wire.pack(arrays, meta)  # type: ignore[arg-type]
    held, again = wire.unpack(message)
    assert again == meta
    assert list(held) == list(arrays)
    for name, array in arrays.items():
        np.testing.assert_array_equal(held[name], array)
        assert held[name].dtype == array.dtype
    start = -(-(8 + struct.unpack_from("<I", message, 4)[0]) // 8) * 8
    for row in header_of(message)["arrays"]:  # type: ignore[attr-defined]
        assert (start + row["offset"]) % 8 == 0


@pytest.mark.parametrize(
    ("array", "kind"),
    [
        (np.array([1, -5], np.int64), "i4"),
        (np.array([2**40], np.int64), "f8"),
        (np.array([2**40], np.uint64), "f8"),
        (np.array([], np.int64), "i4"),
        (np.array([True, False]), "u1"),
        (np.array([1.5, 2.5], ">f4"), "f4"),
        (np.asfortranarray(np.arange(6.0).reshape(2, 3)), "f8"),
        (np.float32(3), "f4"),
    ],
)
def test_types_that_browsers_have(array: np.ndarray, kind: str) -> None:
    held, _ = wire.unpack(wire.pack({"x": array}))
    assert held["x"].dtype.str[1:] == kind
    np.testing.assert_array_equal(held["x"], array)
    assert held["x"].shape == np.shape(array)


def test_text_travels_in_the_header() -> None:
    names = np.array([["zero", "ein<b>s"], ["", "ü"]])
    held, _ = wire.unpack(wire.pack({"names": names, "x": np.ones(3, np.float32)}))
    np.testing.assert_array_equal(held["names"], names)
    np.testing.assert_array_equal(held["x"], np.ones(3))


@pytest.mark.parametrize("array", [np.array([1j]), np.array([{}]), np.array(["2020"], "M8[D]")])
def test_other_kinds_are_refused(array: np.ndarray) -> None:
    with pytest.raises(BadRequest, match="cannot be sent"):
        wire.pack({"x": array})


def test_quantised_numbers_are_within_half_a_step() -> None:
    values = np.random.default_rng(0).normal(size=(1000, 2)).astype(np.float32)
    values[3, 1], values[4, 0] = np.nan, np.inf
    message = wire.pack({"xy": values, "n": np.arange(3)}, u16=["xy", "n", "absent"])
    held, _ = wire.unpack(message)
    finite = np.isfinite(values)
    step = float(np.ptp(values[finite])) / 65534
    assert np.abs(held["xy"][finite] - values[finite]).max() <= step * 0.51
    assert np.isnan(held["xy"][~finite]).all()
    assert held["n"].tolist() == [0, 1, 2]
    assert len(message) < 2000 * 2 + 300


@pytest.mark.parametrize(
    "values", [[], [np.nan], [np.inf, -np.inf], [5.0], [5.0, 5.0], [-1e30, 1e30]]
)
def test_quantised_edge_cases(values: list[float]) -> None:
    array = np.array(values, np.float32)
    held, _ = wire.unpack(wire.pack({"x": array}, u16=["x"]))
    finite = np.isfinite(array)
    np.testing.assert_allclose(held["x"][finite], array[finite], rtol=1e-4)
    assert np.isnan(held["x"][~finite]).all()


def test_cut_or_foreign_messages_are_refused() -> None:
    message = wire.pack({"x": np.arange(4.0)}, {"a": 1})
    for bad in (b"", b"LPA1", b"\x89PNG", message[:-1], message[:20], b"LPA1" + b"\xff" * 20):
        with pytest.raises(BadRequest, match="damaged"):
            wire.unpack(bad)


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=80))
def test_any_bytes_are_refused_or_read(data: bytes) -> None:
    with pytest.raises(BadRequest):
        wire.unpack(b"LPA1" + data)
