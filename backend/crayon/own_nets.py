"""Networks of own sets: a bundled architecture, or a factory of the user's in a named plugin."""

from __future__ import annotations

import hashlib
import importlib
from pathlib import Path
from typing import Final

from safetensors import SafetensorError
from safetensors.torch import load_file

from backend.errors import BadRequest
from backend.plugins import named
from models.cards import ModelCard
from models.guided_nets import GuidedNet
from models.load import load_module

FORM: Final = "module:function"


def load(card: ModelCard, folder: Path) -> GuidedNet:
    """The network of a card in the state folder, in evaluation mode, its parameters frozen.

    Raises:
        WeightsMismatch: as :func:`models.load.load_module`.
        BadRequest: its factory's module is not named in LOUPE_PLUGINS, or makes another network.
    """
    if ":" not in card.architecture:
        net = load_module(card, folder)
        assert isinstance(net, GuidedNet)
        return net
    path = folder / card.weights_file
    return from_file(card.architecture, len(card.classes), path, card.weights_sha256)


def from_file(factory: str, n_classes: int, path: Path, sha256: str = "") -> GuidedNet:
    """A network by ``module:function(n_classes)`` with the tensors of a safetensors file.

    Raises:
        BadRequest: the module is not named in LOUPE_PLUGINS, its function is missing or gives no
            :class:`GuidedNet`, or the file is unreadable or does not fit.
    """
    module, _, function = factory.partition(":")
    if module not in named():
        raise BadRequest(
            f"The module {module[:80]!r} is not named in LOUPE_PLUGINS.",
            "Only code you have named there is run.",
        )
    make = getattr(importlib.import_module(module), function, None)
    if make is None:
        raise BadRequest(f"{module} has no {function[:80]!r}.", f"Give {FORM}.")
    net = make(n_classes)
    if not isinstance(net, GuidedNet):
        raise BadRequest(
            f"{factory[:80]} makes no GuidedNet, so its maps have no closed form.",
            "Build it from models.guided_nets.GuidedNet: trunk, stage, neurons, classes.",
        )
    try:
        content = path.read_bytes()
        if sha256 and hashlib.sha256(content).hexdigest() != sha256:
            raise BadRequest(f"{path.name} is not the file that was added.", "Add it again.")
        net.load_state_dict(load_file(path))
    except (OSError, SafetensorError) as error:
        raise BadRequest(f"{path.name} is not a readable safetensors file.") from error
    except RuntimeError as error:
        raise BadRequest(f"{path.name} does not fit {factory[:80]}.", str(error)[:200]) from error
    return net.eval().requires_grad_(False)
