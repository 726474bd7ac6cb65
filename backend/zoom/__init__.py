"""Zoom-In: where in a huge image a network looked, and what that cost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from backend.zoom.inference import Draws, draws, infer
    from backend.zoom.result import ZoomResult

__all__ = ["Draws", "ZoomResult", "draws", "infer"]
_PLACES = {
    "Draws": "backend.zoom.inference",
    "ZoomResult": "backend.zoom.result",
    "draws": "backend.zoom.inference",
    "infer": "backend.zoom.inference",
}


def __getattr__(name: str) -> Any:
    """Loaded when asked for: the web process imports this package, and never torch."""
    import importlib

    if name in _PLACES:
        return getattr(importlib.import_module(_PLACES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
