"""The grid's routes: what is known of all rows, names by the block, and imported numbers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from flask.testing import FlaskClient

from app import create_app
from backend import wire
from backend.registry import adding, computed, store
from backend.settings import Settings
from components.runtime import create_services
from tests import own_models as own


@pytest.fixture
def web(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FlaskClient]:
    """A client of an app with one registered set."""
    monkeypatch.setenv("LOUPE_STATE_DIR", str(tmp_path / "state"))
    store.use(None)
    settings = Settings.from_env()
    services = create_services(settings)
    adding.add_set(str(own.images(tmp_path / "rooms")), "rooms", {"classes": "dark,bright"})
    yield create_app(settings, services).server.test_client()
    services.close()
    store.use(None)


def test_rows_names_and_imported_numbers(web: FlaskClient, tmp_path: Path):
    shares = np.tile(np.array([0.25, 0.75], np.float32), (12, 1))
    maps = np.arange(48, dtype=np.float32).reshape(3, 4, 4)
    rows = {"p": np.arange(12), "m": np.array([0, 5, 7])}
    computed.write(
        tmp_path / "p.npz", "predictions", "rooms", "mine", rows["p"], {"probabilities": shares}
    )
    computed.write(tmp_path / "m.npz", "attributions", "rooms", "mine", rows["m"], {"maps": maps})
    keys = [computed.take_in(tmp_path / f"{name}.npz").key for name in rows]
    about = web.get("/_images/rooms").get_json()
    assert (about["n"], about["classes"], about["items"]) == (12, ["dark", "bright"], "rooms")
    assert {one["key"] for one in about["computed"]} == set(keys)
    base = f"/_images/rooms/{about['fingerprint']}"
    arrays, _ = wire.unpack(web.get(f"{base}/rows").data)
    assert np.bincount(arrays["labels"]).tolist() == [6, 6]
    assert not arrays["marks"].any()
    assert web.get(f"{base}/names/0").get_json()["names"][0] == "bright/0.png"
    arrays, told = wire.unpack(web.get(f"{base}/with/{keys[0]}").data)
    assert told == {"columns": ["confidence", "share of the true class"], "has_maps": False}
    assert set(arrays["answers"].tolist()) == {1}
    arrays, told = wire.unpack(web.get(f"{base}/with/{keys[1]}").data)
    assert told["has_maps"]
    assert np.isfinite(arrays["in a tenth of the pixels"]).sum() == 3
    arrays, _ = wire.unpack(web.get(f"{base}/map/{keys[1]}/5").data)
    np.testing.assert_array_equal(arrays["map"], maps[1])


@pytest.mark.parametrize(
    "path", ["/_images/lost", "/_images/rooms/ffff/rows", "/_images/rooms/ffff/with/x-1"]
)
def test_what_is_not_there_is_said(web: FlaskClient, path: str):
    assert web.get(path).status_code == 404
