"""What tests of the shared routes share."""

from __future__ import annotations

from typing import Any

import orjson
from werkzeug.test import TestResponse

from backend.cache import key_of

KEY = key_of("test", 1)


def told(response: TestResponse, status: int) -> dict[str, Any]:
    """The JSON of a failure, which must be a sentence without internals."""
    assert response.status_code == status, response.text[:200]
    assert response.mimetype == "application/json"
    assert response.headers["Cache-Control"] == "no-store"
    body: dict[str, Any] = orjson.loads(response.data)
    assert set(body) == {"message", "hint"}
    assert body["message"]
    assert not any(
        word in response.text for word in ("Traceback", "/root", "/work", "site-packages")
    )
    return body
