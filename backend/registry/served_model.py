"""A model that is a function in another Python process of the same user: asked over a local socket.

See :mod:`backend.serving` for the other end. Messages are those of :mod:`backend.wire`; nothing is
pickled, and the key in the state folder lets only this user connect.
"""

from __future__ import annotations

import threading
from multiprocessing import AuthenticationError
from multiprocessing.connection import Client, Connection
from pathlib import Path
from typing import Any, Final

import numpy as np

from backend import wire
from backend.errors import BadRequest, NotFound
from backend.protocols import F32
from backend.registry.outputs import Named, first
from backend.registry.plain import PlainBackend
from backend.registry.spec import ModelSpec
from models.cards import ModelCard

SUFFIX: Final = ".key"


class ServedNetwork:
    """The function behind the socket that a spec's ``path`` names; see
    :class:`backend.registry.networks.Network`.
    """

    device = "another process"

    def __init__(self, spec: ModelSpec) -> None:
        self._spec = spec
        self._lock = threading.Lock()
        self._pipe: Connection | None = None

    def __call__(self, *inputs: F32) -> Named:
        """What the function answers.

        Raises:
            NotFound: its process has ended. BadRequest: it failed, in its own words.
        """
        with self._lock:
            try:
                pipe = self._pipe = self._pipe or connected(self._spec.path)
                pipe.send_bytes(wire.pack({str(k): one for k, one in enumerate(inputs)}))
                arrays, meta = wire.unpack(pipe.recv_bytes())
            except (OSError, EOFError, AuthenticationError) as error:
                self._pipe = None
                raise NotFound(
                    f"The script that serves {self._spec.name} has ended.", "Run it again."
                ) from error
        if meta and meta.get("error"):
            raise BadRequest(f"{self._spec.name} failed: {meta['error']}.", "See its own output.")
        return {name: np.asarray(array, np.float32) for name, array in arrays.items()}


class ServedBackend(PlainBackend):
    """A classifier that is a served function."""

    def __init__(self, spec: ModelSpec, card: ModelCard) -> None:
        super().__init__(spec, card, ServedNetwork.device)
        self._network = ServedNetwork(spec)

    def ask(self, scaled: F32) -> Any:
        """What the function answers first. Raises as the network does."""
        return first(self._network(scaled), "logits")


def connected(address: str) -> Connection:
    """A connection to a served function. Raises OSError where nobody listens."""
    key = Path(address + SUFFIX).read_bytes()
    return Client(address, family="AF_UNIX", authkey=key)
