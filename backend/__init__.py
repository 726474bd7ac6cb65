"""What Loupe computes, without a browser. ``from backend import serve`` opens it on a function."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from backend.serving import serve

__all__ = ["serve"]


def __getattr__(name: str) -> Any:
    """``serve``, imported when it is first asked for: workers never need it."""
    if name == "serve":
        from backend.serving import serve

        return serve
    raise AttributeError(f"module 'backend' has no attribute {name!r}")
