"""A registry of a test's own: an empty state folder, and nothing remembered of another's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from backend import catalog
from backend.gap import encoder, registered
from backend.registry import items, sets, store


@contextmanager
def own_registry(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """``folder``, below which the state folder lies; what was loaded from it is forgotten after."""
    monkeypatch.setenv("LOUPE_STATE_DIR", str(folder / "state"))
    monkeypatch.setenv("LOUPE_DEVICE", "cpu")
    store.use(None)
    yield folder
    store.use(None)
    known = (sets._items, items._loaded, registered._loaded, catalog._own, encoder._registered)
    for loaded in known:
        loaded.cache_clear()
