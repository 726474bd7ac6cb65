"""The body of a request that carries JSON."""

from __future__ import annotations

from typing import Any

import orjson
from flask import request

from backend.errors import BadRequest


def json_body() -> dict[str, Any]:
    """The present request's JSON object.

    Raises:
        BadRequest: its content type is not application/json, or it is no JSON object.
    """
    if request.mimetype != "application/json":
        raise BadRequest("The request is not JSON.", "Its content type must be application/json.")
    try:
        body = orjson.loads(request.get_data())
    except orjson.JSONDecodeError as error:
        raise BadRequest("The request is not JSON.") from error
    if not isinstance(body, dict):
        raise BadRequest("The request is not a JSON object.")
    return body
