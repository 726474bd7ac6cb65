"""The models of this installation by key, each loaded once per process. Listing them needs no
torch.
"""

from __future__ import annotations

import importlib
import threading
from collections.abc import Callable, Mapping
from functools import cache, lru_cache
from typing import Final

from backend.errors import BadRequest, NotFound, WeightsRefused
from backend.protocols import ModelBackend
from backend.registry import store
from backend.registry.answers import DETECTION, MOTION, POINTS, TEXTS
from backend.registry.items import split_key
from backend.registry.sets import task_of
from backend.registry.views import IMAGE_TASKS, cards_for, fitting, size_of
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
Build = Callable[[ModelCard, str], ModelBackend]
_outside: Final[dict[str, Build]] = {}
_loading = threading.Lock()


@cache
def models() -> dict[str, ModelCard]:
    """Every model card by key. Do not change the dict: it is shared; see :func:`register`."""
    return load_cards()


def register(card: ModelCard, build: Build) -> ModelCard:
    """Adds a model of your own, for this process: it is then listed, asked for and run by its key.

    A worker is a process of its own; name your module in ``LOUPE_PLUGINS`` to have it imported
    wherever it is needed.

    Args:
        build: card and device to a backend, called when the model is first needed.

    Raises:
        BadRequest: the key is taken.
    """
    if card.key in models():
        raise BadRequest(f"There is a model {card.key!r} already.", "Choose another key for yours.")
    models()[card.key] = card
    _outside[card.key] = build
    return card


def models_for(task: str) -> dict[str, ModelCard]:
    """The cards whose models answer about a task, by key, in the order of the files."""
    wanted = task_of(task) or ANSWERS.get(task, task)
    bundled = {key: card for key, card in models().items() if card.task == wanted}
    if wanted in (DETECTION, MOTION, POINTS):
        return fitting(wanted, task, bundled)
    return {**bundled, **_registered_for(task, bundled)}


def _registered_for(task: str, bundled: Mapping[str, ModelCard]) -> dict[str, ModelCard]:
    """The user's own models that answer about a task, and for a set of the user's own also the
    bundled ones that do.
    """
    parts = split_key(task)
    if parts is not None:
        held = store.sets().get(parts[0])
        return cards_for(parts[1], held.spec.classes, with_bundled=True) if held else {}
    first = next(iter(bundled.values()), None)
    if first is not None and first.task == TEXTS:
        return {
            name: held.spec.card(held.fingerprint)
            for name, held in store.listed().models.items()
            if held.spec.task == TEXTS
        }
    if first is None or first.task not in IMAGE_TASKS or not store.listed().models:
        return {}
    return cards_for(size_of(first), first.classes, with_bundled=False)


def card(key: str) -> ModelCard:
    """One card.

    Raises:
        NotFound: no model has this key.
    """
    found = models().get(key) or _registered(key)
    if found is None:
        raise NotFound(f"There is no model {key!r}.", f"Models are {', '.join(models())}.")
    return found


def _registered(key: str) -> ModelCard | None:
    registry = store.current()
    held = registry.models().get(key) or registry.models(now=True).get(key) if registry else None
    return held.spec.card(held.fingerprint) if held else None


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
        where = device or default_device()
        if found.key not in models():
            return _own(found.key, found.fingerprint, where)
        return _loaded(found.key, where)


@cache
def default_device() -> str:
    """The device of the settings; fixes the threads of torch on the way, once per process."""
    from backend import devices

    settings = Settings.from_env()
    devices.set_threads(settings.torch_threads)
    return devices.resolve(settings.device)


@lru_cache(maxsize=8)
def _own(key: str, fingerprint: str, device: str) -> ModelBackend:
    from backend.registry.building import registered

    del fingerprint  # added again with other weights: another model
    return registered(key, device)


@cache
def _loaded(key: str, device: str) -> ModelBackend:
    found = models()[key]
    try:
        if found.key in _outside:
            return _outside[found.key](found, device)
        if found.task in BUILDERS:
            module, _, function = BUILDERS[found.task].partition(":")
            built: ModelBackend = getattr(importlib.import_module(module), function)(found, device)
            return built
        from backend.torch_backend import TorchBackend
        from models.load import load_module

        return TorchBackend(load_module(found), found, device)
    except WeightsMismatch as error:
        raise WeightsRefused(
            str(error),
            "Restore the file from the repository, install requirements.txt again, or train it.",
        ) from error
