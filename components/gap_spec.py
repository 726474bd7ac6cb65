"""What the Modality gap page tells the browser once a choice: the spaces, and which there are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from zlib import crc32

from backend.errors import BackendError
from backend.gap import bundled, registered, spaces
from backend.gap.spaces import OWN, Space
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
    """The bundled spaces and those of registered sets; what was imported on the page is known to
    the browser that did it.
    """
    held = [(key, bundled.VARIANTS[name]) for key, name in spaces.BUNDLED.items()]
    told = [{"key": key, "title": title, "note": "CLIP-style, small"} for key, title in held]
    mine = registered.titles().items()
    return told + [{"key": key, "title": title, "note": "registered"} for key, title in mine]


def colour_of(key: str) -> str:
    """The colour of a space, the same on every plot and whatever it stands beside."""
    if key == "pairs-random":
        return MODEL_COLOURS[7]
    if key in ORDER:
        return MODEL_COLOURS[(0, 1, 4, 5)[ORDER.index(key)]]
    if OWN.match(key):
        return MODEL_COLOURS[(2, 3, 6)[int(key[4:6], 16) % 3]]
    if key.partition("--")[2] in ORDER:
        return colour_of(key.partition("--")[2])
    return MODEL_COLOURS[(2, 3, 6)[crc32(key.encode()) % 3]]


def _model(encoder: str) -> str:
    """What answers to new texts and pictures, in a few words."""
    if not encoder:
        return ""
    return "CLIP-style, small" if encoder in spaces.BUNDLED else f"{encoder}, your own model"


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
        "model": _model(space.encoder),
        "methods": list(space.methods),
        "ground": space.ground,
        "has_classes": space.classes is not None,
        "thumbs": asked_for.thumbs_of(space),
        "colour": colour_of(space.key),
    }
