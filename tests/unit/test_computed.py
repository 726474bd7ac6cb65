"""Predictions, attributions, scores and embeddings of a registered set: out, in, and refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from backend import catalog
from backend.__main__ import main
from backend.errors import BadRequest, NotFound
from backend.registry import adding, computed, items, store
from tests import own_models as own


@pytest.fixture
def rooms(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A registered set and a model with gradients."""
    monkeypatch.setenv("LOUPE_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("LOUPE_DEVICE", "cpu")
    store.use(None)
    adding.add_set(str(own.images(tmp_path / "set")), "rooms", {"classes": "dark,bright"})
    yield tmp_path
    store.use(None)
    items._loaded.cache_clear()
    catalog._own.cache_clear()


@pytest.mark.filterwarnings("ignore")  # torch's export about its own internals
def test_every_kind_there_and_back(rooms: Path, capsys: pytest.CaptureFixture[str]):
    adding.add_model(str(own.exported(rooms / "m.pt2")), "light", {"classes": "dark,bright"})
    for kind in computed.KINDS:
        path = rooms / f"{kind}.npz"
        words = ["--kind", kind, "--data", "rooms", "--model", "light"]
        assert main(["results", "export", str(path), *words]) == 0
        assert main(["results", "import", str(path)]) == 0
        (key,) = [key for key, about in computed.listed("rooms").items() if about["kind"] == kind]
        assert f"/images?set=rooms&with={key}" in capsys.readouterr().out
        found = computed.load("rooms", key)
        again = rooms / "again.npz"
        computed.write(again, kind, "rooms", found.model, found.rows, found.arrays)
        assert again.read_bytes() == path.read_bytes()
    predictions = computed.load("rooms", next(k for k in computed.listed("rooms") if "pred" in k))
    assert predictions.answers is not None
    np.testing.assert_array_equal(predictions.answers, items.load("rooms--1x12x12").labels)
    assert predictions.columns["confidence"].min() > 0.5


def write(folder: Path, kind: str = "scores", rows: list[int] | None = None, **arrays) -> Path:
    chosen = np.array([0, 3] if rows is None else rows)
    computed.write(folder / "x.npz", kind, "rooms", "mine", chosen, arrays)
    return folder / "x.npz"


def test_rows_without_a_score_are_unknown(rooms: Path):
    found = computed.take_in(write(rooms, loss=np.array([0.5, 2.0], np.float32)))
    whole = computed.spread(found, found.columns["loss"], 12)
    assert whole[[0, 3]].tolist() == [0.5, 2.0]
    assert np.isnan(whole).sum() == 10


def test_of_other_data_it_is_refused(rooms: Path):
    path = write(rooms, loss=np.zeros(2))
    own.images(rooms / "set", count=7)
    adding.index_again("rooms")
    with pytest.raises(BadRequest, match="about other contents of rooms"):
        computed.take_in(path)
    with pytest.raises(NotFound, match="nothing 'scores-000000000000'"):
        computed.load("rooms", "scores-000000000000")


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"kind": "guesses", "loss": np.zeros(2)}, "Kinds are"),
        ({"rows": [0, 0], "loss": np.zeros(2)}, "repeat or leave"),
        ({"rows": [0, 12], "loss": np.zeros(2)}, "repeat or leave"),
        ({"loss": np.zeros(3)}, "the first over 2 rows"),
        ({"loss": np.zeros((2, 2))}, "numbers of 1 axes"),
        ({}, "no arrays"),
        ({"kind": "predictions", "probabilities": np.zeros((2, 3))}, "3 classes and the data 2"),
        ({"kind": "attributions", "heat": np.zeros((2, 3, 3))}, "Needed: maps"),
    ],
)
def test_arrays_that_cannot_be(given, why: str, rooms: Path):
    with pytest.raises(BadRequest, match=why):
        write(rooms, **given)
