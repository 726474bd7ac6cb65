"""Registered models in ONNX, run by onnxruntime on the CPU."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np

from backend.errors import BadRequest
from backend.protocols import F32
from backend.registry import onnx_file
from backend.registry.outputs import Named, arrays_in, first
from backend.registry.plain import PlainBackend
from backend.registry.spec import ModelSpec
from models.cards import ModelCard

TYPES: Final = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(double)": np.float64,
    "tensor(uint8)": np.uint8,
}


def session(path: Path, threads: int = 0) -> Any:
    """The session of an ONNX file that is whole in itself.

    Raises:
        BadRequest: onnxruntime is missing, or it cannot run the file.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise BadRequest(
            "The package onnxruntime is not installed.", "Run `pip install onnxruntime`."
        ) from error
    data = onnx_file.check(path)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 4  # errors come as exceptions
    try:
        opened = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    except failures() as error:
        raise BadRequest(
            f"onnxruntime {onnxruntime.__version__} cannot run {path.name}.",
            str(error).splitlines()[0][:200],
        ) from error
    return opened


def failures() -> tuple[type[Exception], ...]:
    """What onnxruntime raises: classes of its own, without a common one."""
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    own = [kind for kind in vars(state).values() if isinstance(kind, type)]
    return (*(kind for kind in own if issubclass(kind, Exception)), RuntimeError, ValueError)


class OnnxNetwork:
    """A network of onnxruntime on the CPU; see :class:`backend.registry.networks.Network`.

    Args:
        inputs: how many arrays it has to take.
    """

    device = "cpu"

    def __init__(self, path: Path, threads: int = 0, inputs: int = 1) -> None:
        self._session = session(path, threads)
        taken = self._session.get_inputs()
        if len(taken) != inputs:
            names = ", ".join(entry.name for entry in taken)
            raise BadRequest(
                f"{path.name} has {len(taken)} inputs ({names[:80]}), and {inputs} is wanted.",
                "Export the part that takes the images alone.",
            )
        odd = next((entry.type for entry in taken if entry.type not in TYPES), None)
        if odd:
            raise BadRequest(
                f"The model takes {odd}.", f"Images are {', '.join(TYPES)}; export it so."
            )
        self._taken = [(entry.name, TYPES[entry.type]) for entry in taken]
        self._names = [entry.name for entry in self._session.get_outputs()]

    def __call__(self, *inputs: F32) -> Named:
        """All outputs by their names in the file.

        Raises:
            BadRequest: onnxruntime refuses, in its own words.
        """
        pairs = zip(self._taken, inputs, strict=True)
        feed = {name: _as_type(array, kind) for (name, kind), array in pairs}
        try:
            answers = self._session.run(None, feed)
        except failures() as error:
            raise BadRequest(
                f"onnxruntime refuses arrays of shape {inputs[0].shape}.",
                str(error).splitlines()[0][:200],
            ) from error
        return arrays_in(dict(zip(self._names, answers, strict=True)))


def _as_type(array: F32, kind: Any) -> Any:
    """Numbers as a network wants them: bytes are the nearest whole numbers."""
    return (np.rint(array).clip(0, 255) if kind == np.uint8 else array).astype(kind)


class OnnxBackend(PlainBackend):
    """A classifier of onnxruntime."""

    def __init__(self, spec: ModelSpec, card: ModelCard, threads: int = 0) -> None:
        super().__init__(spec, card, "cpu")
        self._network = OnnxNetwork(Path(spec.path), threads)

    def ask(self, scaled: F32) -> Any:
        """The first output for what the model wants to see. Raises as the network does."""
        return first(self._network(scaled))
