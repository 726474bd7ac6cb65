"""Registered models in ONNX, run by onnxruntime on the CPU."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np

from backend.errors import BadRequest
from backend.protocols import F32
from backend.registry import onnx_file
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
    if len(opened.get_inputs()) != 1:
        names = ", ".join(entry.name for entry in opened.get_inputs())
        raise BadRequest(
            f"{path.name} has {len(opened.get_inputs())} inputs ({names[:80]}).",
            "An image classifier has one; export the part that takes the image.",
        )
    return opened


def failures() -> tuple[type[Exception], ...]:
    """What onnxruntime raises: classes of its own, without a common one."""
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    own = [kind for kind in vars(state).values() if isinstance(kind, type)]
    return (*(kind for kind in own if issubclass(kind, Exception)), RuntimeError, ValueError)


class OnnxBackend(PlainBackend):
    """A classifier of onnxruntime."""

    def __init__(self, spec: ModelSpec, card: ModelCard, threads: int = 0) -> None:
        super().__init__(spec, card, "cpu")
        self._session = session(Path(spec.path), threads)
        taken = self._session.get_inputs()[0]
        if taken.type not in TYPES:
            raise BadRequest(
                f"The model takes {taken.type}.", f"Images are {', '.join(TYPES)}; export it so."
            )
        self._name, self._type = taken.name, TYPES[taken.type]

    def ask(self, scaled: F32) -> Any:
        """The first output for what the model wants to see.

        Raises:
            BadRequest: onnxruntime refuses, in its own words.
        """
        try:
            return self._session.run(None, {self._name: scaled.astype(self._type)})[0]
        except failures() as error:
            raise BadRequest(
                f"onnxruntime refuses images of shape {scaled.shape}.",
                str(error).splitlines()[0][:200],
            ) from error
