"""Sets of contents of the user's own, kept in the state folder and known by a key."""

from __future__ import annotations

from typing import Final

from backend.errors import NotFound
from backend.insights.contents import Contents

PREFIX: Final = "own-"


def titles() -> dict[str, str]:
    """Titles of the user's sets by key."""
    return {}


def load(key: str) -> Contents:
    """A set of the user's.

    Raises:
        NotFound: there is none of that key.
    """
    raise NotFound(f"There is no set of contents {key[:80]!r}.", "Import it, or choose another.")
