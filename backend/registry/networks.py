"""Registered networks of every kind as one thing: arrays in, arrays by name out.

Tasks whose answers are more than one row of scores read them from here, whatever ran: PyTorch,
onnxruntime, or a function in another process.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np

from backend.errors import BadRequest, DeviceFull
from backend.protocols import F32
from backend.registry import store
from backend.registry.answers import DETECTION, MOTION
from backend.registry.outputs import Named, arrays_in
from backend.registry.spec import RANGES, ModelSpec

PIECE_VALUES: Final = 16 * 3 * 128 * 128
"""Numbers that go into a network in one call: 16 crops, 24 pairs of frames, 256 clouds."""
LISTED: Final = "torchvision"  # its detectors take a list of images


class Network(Protocol):
    """A network on its device."""

    @property
    def device(self) -> str:
        """Where it runs, as the page shows it."""
        ...

    def __call__(self, *inputs: F32) -> Named:
        """Its answers to a batch.

        Raises:
            BadRequest: it cannot take such inputs, in its own words.
        """
        ...


class TorchNetwork:
    """A module of PyTorch; safe to call from several threads.

    Args:
        ask: the module, or what asks it.
        device: a resolved device, on which the module is.
    """

    def __init__(self, ask: Callable[..., Any], device: str) -> None:
        self.device = device
        self._ask = ask

    def __call__(self, *inputs: F32) -> Named:
        """See :class:`Network`. Raises DeviceFull where a batch does not fit into memory."""
        import torch

        from backend.registry.torch_models import UNFIT
        from backend.torch_backend import is_out_of_memory

        tensors = [torch.from_numpy(np.ascontiguousarray(one)).to(self.device) for one in inputs]
        try:
            with torch.inference_mode():
                return arrays_in(self._ask(*tensors))
        except UNFIT as error:
            if isinstance(error, RuntimeError) and is_out_of_memory(error):
                raise DeviceFull(
                    f"{len(inputs[0])} items do not fit into the memory of {self.device}.",
                    "Free memory on the device, or run with LOUPE_DEVICE=cpu.",
                ) from error
            said = next((line.strip() for line in str(error).splitlines() if line.strip()), "")
            shapes = " and ".join(str(one.shape) for one in inputs)
            raise BadRequest(
                f"The model cannot take arrays of shape {shapes}.",
                f"It says: {said[:200]} Check --input.",
            ) from error


def network(spec: ModelSpec, device: str) -> Network:
    """The network of a spec, ready to be asked.

    Raises:
        BadRequest: its file cannot be read, or does not fit the spec.
    """
    if spec.kind == "onnx":
        from backend.registry.onnx_model import OnnxNetwork

        return OnnxNetwork(Path(spec.path), store.settings().torch_threads, inputs_of(spec))
    if spec.kind == "callable":
        from backend.registry.served_model import ServedNetwork

        return ServedNetwork(spec)
    return TorchNetwork(_torch_ask(spec, device), device)


def inputs_of(spec: ModelSpec) -> int:
    """How many arrays a network takes: two frames may come apart."""
    return 2 if spec.task == MOTION and spec.input[0] in (1, 3) else 1


class InPieces:
    """A network asked with the spec's scaling, in pieces of a fitting or of its fixed size.

    Args:
        read: the answers to a piece of so many items as one array ``(items, ...)``.
    """

    def __init__(self, ask: Network, spec: ModelSpec, read: Callable[[Named, int], F32]) -> None:
        self.ask, self.spec, self._read = ask, spec, read
        values = int(np.prod(spec.input)) * inputs_of(spec)
        self.size = spec.batch or max(1, PIECE_VALUES // values)

    def __call__(self, *inputs: F32) -> F32:
        """What was read of all items of arrays ``(n, ...)`` in [0, 1], n > 0.

        Raises:
            BadRequest: as the network does, or its answers cannot be read.
        """
        found = []
        for start in range(0, len(inputs[0]), self.size):
            piece = [one[start : start + self.size] for one in inputs]
            count = len(piece[0])
            found.append(self._read(self.named(*piece), self.spec.batch or count)[:count])
        return np.concatenate(found)

    def named(self, *piece: F32) -> Named:
        """The network's own answers to at most ``size`` items, filled up to its fixed batch."""
        scaled = [self._scaled(one) for one in piece]
        if short := max(0, self.spec.batch - len(piece[0])):
            scaled = [np.concatenate([one, np.repeat(one[-1:], short, axis=0)]) for one in scaled]
        return self.ask(*scaled)

    def _scaled(self, piece: F32) -> F32:
        """Numbers from [0, 1] to what the network wants; clouds have no range."""
        low, high = RANGES[self.spec.range]
        if piece.ndim == 4 and (low, high) != (0.0, 1.0):
            piece = piece * np.float32(high - low) + np.float32(low)
        if self.spec.mean or self.spec.std:
            shape = (1, -1, 1, 1) if piece.ndim == 4 else (1, 1, -1)
            mean = np.asarray(self.spec.mean or (0,), np.float32).reshape(shape)
            piece = (piece - mean) / np.asarray(self.spec.std or (1,), np.float32).reshape(shape)
        return np.ascontiguousarray(piece, np.float32)


def _torch_ask(spec: ModelSpec, device: str) -> Callable[..., Any]:
    """What asks a module: as it is, with a list of images, or through a bundled detector's own
    reading.
    """
    import torch

    from backend.registry.torch_models import load

    with torch.inference_mode(False):  # weights made inside could never be used outside of it
        module = load(spec).to(device)
    if spec.task != DETECTION:
        return module
    if spec.kind == LISTED or spec.factory.startswith(f"{LISTED}:"):
        return lambda crops: module(list(crops))
    from backend.detectors import decoder_of

    decode = decoder_of(module)
    return (lambda crops: decode(module(crops))) if decode else module
