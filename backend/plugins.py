"""Modules from outside that register orbits, tasks or models of their own.

Every process of the app (the web server, its workers, the command line) imports them once, as each
has a registry of its own.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Mapping
from typing import Final

from backend.errors import BadRequest

VARIABLE: Final = "LOUPE_PLUGINS"


def named(env: Mapping[str, str] = os.environ) -> tuple[str, ...]:
    """The modules named in ``LOUPE_PLUGINS``."""
    return tuple(name.strip() for name in env.get(VARIABLE, "").split(",") if name.strip())


def load(env: Mapping[str, str] = os.environ) -> tuple[str, ...]:
    """Imports the modules named in ``LOUPE_PLUGINS``, separated by commas, and says which.

    Raises:
        BadRequest: one of them cannot be imported.
    """
    names = named(env)
    for name in names:
        try:
            importlib.import_module(name)
        except (ImportError, TypeError, ValueError) as error:
            raise BadRequest(
                f"{VARIABLE} names {name!r}, which cannot be imported ({error}).",
                "Name modules on the Python path, separated by commas.",
            ) from error
    return names
