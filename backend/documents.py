"""Reading the JSON files that Loupe writes for people: each names its schema and its version."""

from __future__ import annotations

import json
from typing import Any

from backend.errors import BadRequest


def read(data: bytes, schema: str, version: int, kind: str) -> dict[str, Any]:
    """The object in a file.

    Args:
        kind: what such a file is called, such as "pinboard".

    Raises:
        BadRequest: it is not JSON of this schema and version.
    """
    try:
        told: Any = json.loads(data)
    except (ValueError, RecursionError) as error:  # the latter: lists in lists in lists
        raise BadRequest("The file is not JSON.", f"Choose a {kind} of Loupe.") from error
    if not isinstance(told, dict) or told.get("schema") != schema:
        raise BadRequest(f"The file is no {kind} of Loupe.", f'It says "schema": "{schema}".')
    if told.get("version") != version:
        raise BadRequest(
            f"The {kind} has version {str(told.get('version'))[:20]}.",
            f"This Loupe reads version {version}; update it.",
        )
    return told
