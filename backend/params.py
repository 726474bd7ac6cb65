"""Numbers among the parameters of a job, which are JSON that a browser may have sent."""

from __future__ import annotations

from collections.abc import Mapping

from backend.errors import BadRequest
from backend.protocols import JSON


def whole(params: Mapping[str, JSON], name: str) -> int:
    """The whole number called ``name``.

    Raises:
        BadRequest: it is none.
    """
    value = params[name]
    if isinstance(value, bool) or not isinstance(value, int):
        raise BadRequest(f"{name}={value!r} is not a whole number.")
    return value


def number(params: Mapping[str, JSON], name: str) -> float:
    """The number called ``name``.

    Raises:
        BadRequest: it is none.
    """
    value = params[name]
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise BadRequest(f"{name}={value!r} is not a number.")
    return float(value)
