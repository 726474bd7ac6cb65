"""From a registered model to something that predicts; imports torch only for kinds that need it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Final

from backend.errors import BadRequest, NotFound
from backend.protocols import ModelBackend
from backend.registry import language, store
from backend.registry.answers import DETECTION, MOTION, PAIRS, POINTS, TEXTS
from backend.registry.named import LIBRARIES, library
from backend.registry.spec import ModelSpec

if TYPE_CHECKING:
    from backend.registry.networks import Network
    from models.cards import ModelCard

BLOCK: Final = 1 << 20
PREPARED: Final = ("preprocessor_config.json", "processor_config.json", "tokenizer.json")
"""How a dual encoder is given pictures and texts: its vectors change with them."""
NOT_NUMBERS: Final = ("name", "title", "licence", "data", "path", "layers", "embedding", "any_side")


def build(spec: ModelSpec, fingerprint: str, device: str) -> ModelBackend:
    """The model of a spec, ready to predict.

    Raises:
        BadRequest: the file is gone or unreadable, or the spec does not say enough.
    """
    if spec.missing:
        raise BadRequest(
            f"The {spec.missing} of {spec.name} is not known.", "Give --input and --classes."
        )
    card = spec.card(fingerprint)
    if spec.task == TEXTS:
        return language.text_backend(spec, card, device)
    if spec.task == PAIRS:
        raise BadRequest(f"{spec.name} answers about no images alone.", "Open it on Modality gap.")
    if spec.task in (DETECTION, MOTION, POINTS):
        from backend.registry.networks import network

        return around(spec, card, network(spec, device))
    if spec.kind == "onnx":
        from backend.registry.onnx_model import OnnxBackend

        return OnnxBackend(spec, card, store.settings().torch_threads)
    if spec.kind == "callable":
        from backend.registry.served_model import ServedBackend

        return ServedBackend(spec, card)
    from backend.registry.torch_models import Scaled, load
    from backend.torch_backend import TorchBackend

    return TorchBackend(Scaled(load(spec), spec), card, device, is_prepared=True)


def around(spec: ModelSpec, card: ModelCard, ask: Network) -> ModelBackend:
    """The model of a spec whose answers are boxes, motion, or classes of clouds, around its
    network.
    """
    if spec.task == DETECTION:
        from backend.registry.detections import OwnDetector

        return OwnDetector(spec, card, ask)
    if spec.task == MOTION:
        from backend.registry.motions import motion_backend

        return motion_backend(spec, card, ask)
    from backend.registry.own_clouds import OwnPoints

    return OwnPoints(spec, card, ask)


def registered(name: str, device: str) -> ModelBackend:
    """A registered model, ready to predict, if its files are still those that were added.

    Raises:
        NotFound: it is not registered, or its files are gone.
        BadRequest: its files have changed.
    """
    held = unchanged(name)
    return build(held.spec, held.fingerprint, device)


def unchanged(name: str) -> store.OwnModel:
    """A registered model whose files are still those that were added. Raises as
    :func:`registered`.
    """
    held = store.required().model(name)
    if fingerprint(held.spec) != held.fingerprint:
        raise BadRequest(
            f"The files of {name} are no longer those that were added.",
            "Add the model again under this name, so that old results are not mistaken for its.",
        )
    return held


def fingerprint(spec: ModelSpec) -> str:
    """64 hex digits of a model's files and of what its spec says about numbers.

    Raises:
        NotFound: a file is gone.
    """
    told = {k: v for k, v in spec.to_json().items() if k not in NOT_NUMBERS}
    digest = hashlib.sha256(json.dumps(told, sort_keys=True).encode())
    for path in _files(spec):
        digest.update(path.name.encode())
        try:
            with path.open("rb") as file:
                while block := file.read(BLOCK):
                    digest.update(block)
        except OSError as error:
            raise NotFound(
                f"The file {path.name!r} of {spec.name} is gone or cannot be read.",
                "Put it back, or add the model again from where it lies now.",
            ) from error
    if spec.kind in (*LIBRARIES, "callable"):
        digest.update(spec.path.encode())
    return digest.hexdigest()


def _files(spec: ModelSpec) -> list[Path]:
    if spec.kind == "callable":
        return []
    if spec.kind in LIBRARIES:
        return [library(spec.kind).weights(spec.path)]
    path = Path(spec.path)
    if spec.kind == "transformers":
        beside = PREPARED if spec.task == PAIRS else ()
        told = [path / name for name in beside if (path / name).is_file()]
        return [path / "config.json", *told, *sorted(path.glob("*.safetensors"))]
    return [path]
