"""An empty registry and a small test set of cars, so that a model is measured in a second."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

from backend import catalog
from backend.metric_learning import columns, renders, shipped
from backend.registry import adding, store
from tests import own_models as files

SHOWN: Final = 24
ALL: Final = 36


@contextmanager
def few_cars(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Keeps its state in a folder; everything is as it was behind the block."""
    monkeypatch.setenv("LOUPE_STATE_DIR", str(folder / "state"))
    monkeypatch.setenv("LOUPE_DEVICE", "cpu")
    whole = shipped.table().iloc[:ALL]
    monkeypatch.setattr(shipped, "table", lambda: whole)
    monkeypatch.setattr(shipped, "SHOWN", SHOWN)
    monkeypatch.setattr(renders, "PART", 12)
    monkeypatch.setattr(columns, "PERMUTATIONS", 99)
    shipped.held_properties.cache_clear()
    store.use(None)
    yield
    store.use(None)
    shipped.held_properties.cache_clear()
    catalog._own.cache_clear()


def added(kind: str, folder: Path) -> None:
    """One kind of the tiny classifier, whose answers are ±8 times the brightness, as ``mine``."""
    if kind == "torch.export":
        adding.add_model(str(files.exported(folder / "m.pt2")), "mine", {})
    elif kind == "torchscript":
        adding.add_model(str(files.scripted(folder / "m.pt")), "mine", {"input": "1x12x12"})
    else:
        adding.add_model(str(files.onnx_file(folder / "m.onnx")), "mine", {})
