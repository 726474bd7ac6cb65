"""Fitted success models: what they say of themselves, where they lie, and their predictions."""

from __future__ import annotations

import json
import math
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file, save

from backend.errors import WeightsRefused
from backend.files import write_atomic
from backend.insights import encoding, registry
from backend.insights.contents import Contents
from backend.insights.encoding import Design
from backend.insights.registry import ModelInfo
from backend.protocols import I64
from models.insights import Inputs, InsightNet, Modality, Shape, built

F64 = NDArray[np.float64]
BATCH: Final = 128
_loaded: dict[str, InsightModel] = {}
_loading = threading.Lock()


@dataclass(frozen=True, slots=True, eq=False)
class InsightModel:
    """A network and what it needs to read contents.

    Attributes:
        net: in eval mode, frozen, on the CPU.
        info: its card.
        half_logit: half the width of the 90 % prediction interval in logits (split conformal on
            the validation rows).
    """

    net: InsightNet
    design: Design
    info: ModelInfo
    half_logit: float

    def inputs(self, held: Contents, rows: Sequence[int] | I64) -> Inputs:
        """Some contents of a set as tensors."""
        return encoding.inputs(held, rows, self.design, self.net.shape.encoder)

    def predict(self, inputs: Inputs) -> F64:
        """Success rates (n,) in (0, 1)."""
        with torch.inference_mode():
            return np.asarray(self.net(inputs).numpy(), np.float64)

    def predict_single(self, inputs: Inputs, modality: Modality) -> F64:
        """Success rates (n,) told by one modality and its own head."""
        with torch.inference_mode():
            found = self.net.single_rate(modality, self.net.embed(inputs)[modality])
        return np.asarray(found.numpy(), np.float64)

    def predict_all(self, inputs: Inputs, alone: Sequence[Modality]) -> dict[str, F64]:
        """``rate`` (n,) and, by name, what some modalities tell alone, from one pass."""
        with torch.inference_mode():
            embedded = self.net.embed(inputs)
            found = {"rate": self.net.rate(embedded)}
            found |= {m: self.net.single_rate(m, embedded[m]) for m in alone}
        return {name: np.asarray(rate.numpy(), np.float64) for name, rate in found.items()}

    def interval(self, rate: F64) -> tuple[F64, F64]:
        """The 90 % prediction interval of rates (n,)."""
        logit = np.log(rate / (1 - rate))
        low, high = logit - self.half_logit, logit + self.half_logit
        return 1 / (1 + np.exp(-low)), 1 / (1 + np.exp(-high))


def half_width(rate: F64, predicted: F64, shown: F64, level: float = 0.9) -> float:
    """Split conformal: the quantile of |logit difference| over n validation contents.

    Its rank is ceil((n + 1) * level), which covers new contents of the same kind with at least
    that probability; infinite for too few.
    """
    floor = 0.5 / np.maximum(shown, 2)
    measured = np.clip(rate, floor, 1 - floor)
    away = np.abs(np.log(measured / (1 - measured)) - np.log(predicted / (1 - predicted)))
    rank = math.ceil((len(away) + 1) * level)
    return float(np.sort(away)[rank - 1]) if 0 < rank <= len(away) else math.inf


def serialised(net: InsightNet, design: Design, told: Mapping[str, Any]) -> bytes:
    """The weights file: tensors, and everything else as JSON in its header."""
    tensors = {name: value.contiguous() for name, value in net.state_dict().items()}
    head = {"shape": net.shape.to_json(), "design": design.to_json(), **told}
    return bytes(save(tensors, {"insights": json.dumps(head, allow_nan=False)}))


def store(name: str, data: bytes) -> ModelInfo:
    """Keeps a fitted model under a name, over the one that has it.

    Raises:
        BadRequest: the name is not usable. StorageFull: it cannot be written.
    """
    path = registry.folder() / f"{registry.checked_name(name)}.safetensors"
    write_atomic(path, lambda out: out.write(data))
    return registry.info(path)


def load(set_key: str, key: str = "") -> InsightModel:
    """The model of a set, loaded once.

    Args:
        key: empty for the set's own newest one.

    Raises:
        NotFound: there is none. WeightsRefused: its file is damaged.
    """
    info = registry.find(set_key, key)
    with _loading:
        if info.fingerprint not in _loaded:
            _loaded[info.fingerprint] = read(info.path)
        return _loaded[info.fingerprint]


def read(path: Path) -> InsightModel:
    """A model from its file.

    Raises:
        WeightsRefused: the file is damaged or does not fit.
    """
    info = registry.info(path)
    told = info.told
    shape, design = Shape.of(told["shape"]), Design.of(told["design"])
    net = built(shape, encoding.word_vectors, encoding.minilm)
    try:
        net.load_state_dict(load_file(path))
    except (SafetensorError, RuntimeError, OSError) as error:
        raise WeightsRefused(f"The model {info.title!r} is damaged.", "Fit it again.") from error
    half = told.get("half_logit")
    half_logit = math.inf if half is None else float(half)
    return InsightModel(net.eval().requires_grad_(False), design, info, half_logit)
