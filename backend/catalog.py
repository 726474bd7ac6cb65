"""The models of this installation by key, each loaded once per process. Listing them needs no
torch.
"""

from __future__ import annotations

import importlib
import threading
from functools import cache
from typing import Final

from backend.errors import NotFound, WeightsRefused
from backend.protocols import ModelBackend
from backend.settings import Settings
from models.cards import ModelCard, WeightsMismatch, load_cards

ANSWERS: Final = {"photos": "imagenet"}
"""What a task's models were made for, where it is not called like the task."""
BUILDERS: Final = {
    "detection": "backend.detectors:build",
    "piv": "backend.piv_methods:build",
    "points": "backend.point_backend:build",
    "texts": "backend.text_backend:build",
    "needles": "backend.zoom.backend:build",
}
"""``module:function(card, device)`` for tasks whose models are not image classifiers."""
_loading = threading.Lock()


@cache
def models() -> dict[str, ModelCard]:
    """Every model card by key. Do not change the dict: it is shared."""
    return load_cards()


def models_for(task: str) -> dict[str, ModelCard]:
    """The cards whose models answer about a task, by key, in the order of the files."""
    wanted = ANSWERS.get(task, task)
    return {key: card for key, card in models().items() if card.task == wanted}


def card(key: str) -> ModelCard:
    """One card.

    Raises:
        NotFound: no model has this key.
    """
    found = models().get(key)
    if found is None:
        raise NotFound(f"There is no model {key!r}.", f"Models are {', '.join(models())}.")
    return found


def load_model(key: str, device: str | None = None) -> ModelBackend:
    """The model, ready to predict; the same object at every call with the same device.

    Args:
        device: a resolved device; the one of the settings unless given.

    Raises:
        NotFound: no model has this key.
        WeightsRefused: its weights are missing or do not match the card.
    """
    found = card(key)
    with _loading:  # two threads asking at once must not load twice
        return _loaded(found.key, device or default_device())


@cache
def default_device() -> str:
    """The device of the settings; fixes the threads of torch on the way, once per process."""
    from backend import devices

    settings = Settings.from_env()
    devices.set_threads(settings.torch_threads)
    return devices.resolve(settings.device)


@cache
def _loaded(key: str, device: str) -> ModelBackend:
    found = models()[key]
    try:
        if found.task in BUILDERS:
            module, _, function = BUILDERS[found.task].partition(":")
            built: ModelBackend = getattr(importlib.import_module(module), function)(found, device)
            return built
        from backend.torch_backend import TorchBackend
        from models.load import load_module

        return TorchBackend(load_module(found), found, device)
    except WeightsMismatch as error:
        raise WeightsRefused(
            str(error), "Restore the file from the repository, or train it again."
        ) from error
