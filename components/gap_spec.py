"""What the Modality gap page tells the browser once a choice: the spaces, and which there are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from backend.errors import BackendError
from backend.gap import bundled, spaces
from backend.gap.spaces import Space
from components import gap_asked as asked_for
from components import gap_state
from components.runtime import services
from components.theme import MODEL_COLOURS

ORDER = ("pairs-clip", "pairs-rankclip", "pairs-rankclip-c", "pairs-rankclip-i")


def answer(values: Mapping[str, Any]) -> dict[str, Any]:
    """``{spaces, focus, known}``; what cannot be had is a ``message`` and a ``hint``."""
    try:
        shown = [spaces.load(key, services().store) for key in gap_state.keys_of(values["spaces"])]
        keys = [space.key for space in shown]
        focus = values.get("focus") if values.get("focus") in keys else keys[0]
    except BackendError as error:
        return {"message": error.message, "hint": error.hint, "known": known()}
    return {"spaces": [about(space) for space in shown], "focus": focus, "known": known()}


def known() -> list[dict[str, str]]:
    """The bundled spaces; what was imported is known to the browser that did it."""
    return [{"key": key, "title": bundled.VARIANTS[name]} for key, name in spaces.BUNDLED.items()]


def colour_of(key: str) -> str:
    """The colour of a space, the same on every plot and whatever it stands beside."""
    if key == "pairs-random":
        return MODEL_COLOURS[7]
    if key in ORDER:
        return MODEL_COLOURS[(0, 1, 4, 5)[ORDER.index(key)]]
    return MODEL_COLOURS[(2, 3, 6)[int(key[4:6] or "0", 16) % 3] if key[4:6] else 6]


def about(space: Space) -> dict[str, Any]:
    """What the page says of a space."""
    return {
        "key": space.key,
        "title": space.title,
        "note": space.note,
        "set": space.set_key,
        "n": len(space),
        "width": int(space.images.shape[1]),
        "fingerprint": space.fingerprint,
        "has_encoder": space.has_encoder,
        "has_classes": space.classes is not None,
        "thumbs": asked_for.thumbs_of(space),
        "colour": colour_of(space.key),
    }
