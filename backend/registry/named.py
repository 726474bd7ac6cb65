"""Networks that a library knows by name: ``timm:resnet18``, ``torchvision:resnet18``.

Weights lie on this machine or the model is refused; neither library downloads through Loupe.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, Protocol, cast

LIBRARIES: Final = ("timm", "torchvision")


class Library(Protocol):
    """What the module of a library supplies; all refuse a name with BadRequest, in a sentence."""

    task_of: Callable[[str], str]
    """What a name answers."""
    told: Callable[[str], dict[str, Any]]
    """Input, mean, std and classes of a name."""
    weights: Callable[[str], Path]
    """The file of its weights on this machine."""
    network: Callable[[str], Any]
    """The network with these weights."""
    factory: Callable[[str], Callable[[int], Any]]
    """What makes the network for a number of classes, without weights."""


def is_named(path: str) -> bool:
    """Whether ``path`` is a name in a library, not a place on the disk."""
    return path.partition(":")[0] in LIBRARIES and ":" in path


def library(kind: str) -> Library:
    """The module of one of :data:`LIBRARIES`; imports torch, which the web process does without."""
    return cast(Library, importlib.import_module(f"backend.registry.{kind}_models"))
