"""Models that a user trained here on images of their own: a card and weights in the state folder.

Their keys begin with ``own-``; everything else is a model of the catalogue. No torch.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from backend import catalog
from backend.errors import NotFound
from backend.settings import Settings
from models.cards import CardError, ModelCard, read_card

KEY: Final = re.compile(r"own-[a-z0-9-]{1,60}\Z")
TASK: Final = "needles"


def folder(settings: Settings | None = None) -> Path:
    """Where cards and weights of the user's models lie."""
    return (settings or Settings.from_env()).state_dir / "zoom" / "models"


def cards(settings: Settings | None = None) -> dict[str, ModelCard]:
    """The user's models by key; a card that cannot be read is left out."""
    found = {}
    for path in sorted(folder(settings).glob("own-*.toml")):
        try:
            found[path.stem] = read_card(path)
        except CardError:
            continue
    return found


def models(settings: Settings | None = None) -> Mapping[str, ModelCard]:
    """All models for large images by key: the bundled ones, then the user's."""
    return {**catalog.models_for(TASK), **cards(settings)}


def card(key: str) -> ModelCard:
    """One card, of the catalogue or of the user.

    Raises:
        NotFound: no model has this key.
    """
    if not KEY.match(key):
        return catalog.card(key)
    found = cards().get(key)
    if found is None:
        raise NotFound(f"There is no model {key!r}.", f"Models are {', '.join(models())}.")
    return found
