"""Orbit results as files: there and back, and what is refused."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from backend import catalog
from backend.__main__ import main
from backend.cache import ArrayStore
from backend.errors import BackendError, BadRequest
from backend.jobs import key_for
from backend.nero import exchange
from backend.nero.requests import OrbitRequest
from backend.registry import adding, items, store
from backend.work import WORK
from tests import own_models as own


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A result in files, of an own model on an own set."""
    monkeypatch.setenv("LOUPE_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("LOUPE_DEVICE", "cpu")
    store.use(None)
    adding.add_set(str(own.images(tmp_path / "set")), "rooms", {"classes": "dark,bright"})
    adding.add_model(str(own.onnx_file(tmp_path / "m.onnx")), "light", {})
    words = ["--task", "rooms--1x12x12", "--model", "light", "--orbit", "rotation-15"]
    assert main(["results", "export", str(tmp_path / "r.npz"), *words]) == 0
    yield tmp_path / "r.npz"
    store.use(None)
    items._loaded.cache_clear()
    catalog._own.cache_clear()


def test_there_and_back(made: Path, tmp_path: Path):
    elsewhere = ArrayStore(tmp_path / "other", 10_000_000)
    request = exchange.take_in(made, elsewhere)
    assert request == OrbitRequest("rooms--1x12x12", "light", "rotation-15")
    key = key_for(request.job(), WORK)  # what the page asks for
    arrays = elsewhere.get(key)
    assert arrays is not None
    assert arrays["metric"].shape == (12, 24)
    again = exchange.write(request, arrays, tmp_path / "again.npz")
    told, first = json.loads(again.read_text()), json.loads(made.with_suffix(".json").read_text())
    assert told["arrays"] == first["arrays"]
    assert main(["results", "import", str(tmp_path / "again.npz")]) == 0


def test_other_weights_or_data_are_refused(made: Path, tmp_path: Path):
    adding.add_model(str(own.onnx_file(tmp_path / "m.onnx", softmax=True)), "light", {})
    with pytest.raises(BadRequest, match="model of this request is no longer the installed one"):
        exchange.read(made)
    adding.remove_model("light")
    with pytest.raises(BackendError, match="no task 'rooms--1x12x12'"):
        exchange.read(made)


def test_files_that_do_not_belong_together_are_refused(made: Path):
    told = json.loads(made.with_suffix(".json").read_text())
    for change, sentence in (
        ({"version": 2}, "version 2"),
        ({"schema": "other"}, "other version 1"),
        ({"sha256": "0" * 64}, "not the file"),
        ({"arrays": {**told["arrays"], "more": {}}}, "'more'"),
        ({"request": {**told["request"], "orbit": "rotation-5"}}, "24 elements and the orbit 72"),
    ):
        made.with_suffix(".json").write_text(json.dumps({**told, **change}))
        with pytest.raises(BadRequest, match=sentence):
            exchange.read(made)
    made.with_suffix(".json").write_text("{}")
    with pytest.raises(BadRequest, match="says no schema"):
        exchange.read(made)
    made.with_suffix(".json").unlink()
    with pytest.raises(BadRequest, match="Keep both files together"):
        exchange.read(made)


def test_objects_are_not_unpickled(made: Path):
    np.savez(made, allow_pickle=True, metric=np.array([{}], dtype=object))
    told = json.loads(made.with_suffix(".json").read_text())
    told["sha256"] = hashlib.sha256(made.read_bytes()).hexdigest()
    made.with_suffix(".json").write_text(json.dumps(told))
    with pytest.raises(BadRequest, match="damaged"):
        exchange.read(made)
