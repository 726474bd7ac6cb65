"""What only a worker can say about this machine, as works of their own."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from backend import catalog, devices
from backend.protocols import JSON, Arrays


def device(params: Mapping[str, JSON], ticket: object) -> Arrays:
    """``system.device``: where models run, in words, as UTF-8 bytes ``text (k,)`` uint8.

    Raises:
        BadRequest: the device of the settings is not in this machine.
    """
    del params, ticket
    text = devices.describe(catalog.default_device())
    return {"text": np.frombuffer(text.encode(), dtype=np.uint8)}
