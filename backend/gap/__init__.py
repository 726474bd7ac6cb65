"""Images and texts in one space: how far apart they lie, and what moving them does.

Imported without torch; what a name needs is loaded when the name is asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from backend.gap.measures import GapReport, measure
    from backend.gap.retrieval import recall_at, zero_shot
    from backend.gap.slider import Slider, shift

__all__ = ["GapReport", "Slider", "measure", "recall_at", "shift", "zero_shot"]
_PLACES = {
    "GapReport": "backend.gap.measures",
    "Slider": "backend.gap.slider",
    "measure": "backend.gap.measures",
    "recall_at": "backend.gap.retrieval",
    "shift": "backend.gap.slider",
    "zero_shot": "backend.gap.retrieval",
}


def __getattr__(name: str) -> Any:
    """Loaded when asked for."""
    import importlib

    if name in _PLACES:
        return getattr(importlib.import_module(_PLACES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
